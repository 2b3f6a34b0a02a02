"""A restore into a CouchDB that falters writes every record once, or says why not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from common.clock import SystemClock
from common.entity import activation_document
from common.entity.activation import Response, Status
from common.settings import CouchdbSettings
from common.store.contents import NotEmpty
from common.store.couch_contents import CouchContents
from common.store.couch_intake import CouchIntake
from common.store.port import Corrupted, StoreUnavailable
from common.store.shard import Shard
from tests.couchfake.server import CouchFake
from tests.fakes.records import DAY_MS, NOON_MS, a_record
from tests.integration.couch import stored

DAY = Shard(NOON_MS // DAY_MS)
RECORDS = [activation_document.encode(a_record(number)) for number in range(450)]


@pytest.fixture
async def fake() -> AsyncIterator[CouchFake]:
    fake = CouchFake()
    await fake.start()
    yield fake
    await fake.stop()


def settings_of(fake: CouchFake, **more: Any) -> CouchdbSettings:
    usual = {"url": fake.url, "connect_s": 1, "request_s": 2, "bulk_s": 2, "retry_s": 1}
    return CouchdbSettings.model_validate(usual | more)


@pytest.fixture
async def intake(fake: CouchFake) -> AsyncIterator[CouchIntake]:
    intake = CouchIntake(settings_of(fake), SystemClock())
    await intake.begin("b.gz")
    yield intake
    await intake.close()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("reset_before", {"times": 2}),
        ("reset_after", {"times": 2}),
        ("half_bulk", {"times": 1}),
        ("status", {"status": 503, "times": 3}),
        ("status", {"status": 429, "times": 3}),
        ("row", {"error": "timeout", "reason": "0$", "times": 2}),
    ],
)
async def test_a_bulk_that_fails_is_sent_again_and_counts_once(
    fake: CouchFake, intake: CouchIntake, kind: Any, fields: dict[str, Any]
) -> None:
    fake.script.add(kind, **fields)
    await intake.add_records(DAY, RECORDS)
    assert stored(fake) == len(RECORDS)


async def test_a_record_that_is_too_large_for_a_bulk_goes_apart(fake: CouchFake) -> None:
    large = a_record(
        7, response=Response(status=Status.SUCCESS, result=b'{"x":"%s"}' % (b"y" * 300_000))
    )
    for more in ({}, {"bulk_bytes": 1 << 20}):
        settings = settings_of(fake, prefix=f"t{len(more)}_", **more)
        fake._max_document_bytes = 100_000
        intake = CouchIntake(settings, SystemClock())
        await intake.begin("b.gz")
        await intake.add_records(DAY, [*RECORDS[:3], activation_document.encode(large)])
        await intake.close()
        contents = CouchContents(settings, SystemClock())
        found = [activation_document.decode(each.document) async for each in contents.records(DAY)]
        await contents.close()
        assert large in found
        assert len(found) == 4


async def test_a_record_that_is_never_taken_ends_the_restore_by_name(
    fake: CouchFake, intake: CouchIntake
) -> None:
    fake.script.add("row", error="forbidden", reason="0$", times=99)
    with pytest.raises(Corrupted, match="forbids the record guest/"):
        await intake.add_records(DAY, RECORDS)


async def test_a_database_that_stays_away_ends_the_restore(
    fake: CouchFake, intake: CouchIntake
) -> None:
    fake.script.add("status", status=503, times=10_000)
    with pytest.raises(StoreUnavailable):
        await intake.add_records(DAY, RECORDS)


async def test_the_databases_of_another_installation_are_left_alone(
    fake: CouchFake, tmp_path: Path
) -> None:
    other = CouchIntake(settings_of(fake, prefix="brisk_two_"), SystemClock())
    await other.begin("b.gz")
    await other.add_records(DAY, RECORDS[:5])
    await other.end()
    await other.close()
    names = {name for name in fake.databases if name.startswith("brisk_two_")}
    for _ in range(2):  # the second time it begins anew, and wipes
        intake = CouchIntake(settings_of(fake), SystemClock())
        await intake.begin("b.gz")
        await intake.add_records(DAY, RECORDS)
        await intake.close()
    assert {name for name in fake.databases if name.startswith("brisk_two_")} == names
    assert len(fake.databases["brisk_two_act_20251121"].live()) >= 5
    third = CouchIntake(settings_of(fake, prefix="brisk_two_"), SystemClock())
    with pytest.raises(NotEmpty, match="5 records"):
        await third.begin("b.gz")
    await third.close()
