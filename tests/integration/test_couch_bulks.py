"""What goes wrong while records are written, and that each is stored once and billed once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from common import metrics
from common.entity.activation import Response, Status
from common.store.couch import CouchStores
from common.store.couch_faults import Locked
from common.store.port import Denied, StoreUnavailable
from tests.couchfake.faults import LOCKED
from tests.couchfake.server import CouchFake
from tests.fakes.records import NOON_MS, a_record, an_id
from tests.integration.couch import (
    ALL,
    DAY_NAME,
    GUEST,
    open_stores,
    put,
    stored,
    until,
    value,
    written,
)

AGAIN = metrics.COUCHDB_CONFLICTS["again"]
FIRST = metrics.COUCHDB_CONFLICTS["first"]


async def exact(stores: CouchStores, number: int) -> None:
    audit = await stores.activations.audit(GUEST)
    assert audit.is_exact
    assert audit.ledger.activations == number == await stores.activations.count(ALL)


@pytest.mark.parametrize(
    ("fault", "stored_already"),
    [
        ({"kind": "reset_before"}, 0),
        ({"kind": "reset_in_body"}, 0),
        ({"kind": "accepted"}, 0),
        ({"kind": "reset_after"}, 100),
        ({"kind": "half_bulk"}, 50),
        ({"kind": "hang_after", "seconds": 3}, 100),
        ({"kind": "status", "status": 500, "error": "internal_server_error"}, 0),
        ({"kind": "status", "status": 503, "error": "all_workers_died"}, 0),
        ({"kind": "status", "status": 429, "error": "too_many_requests"}, 0),
        ({"kind": "status", "status": 507, "error": "insufficient_storage"}, 0),
        ({"kind": "status", "status": 500, "error": "badmatch", "reason": "{error,enospc}"}, 0),
    ],
    ids=lambda each: each["kind"] if isinstance(each, dict) else "",
)
async def test_a_bulk_without_an_answer_is_sent_again_and_counts_once(
    fake: CouchFake, stores: CouchStores, fault: dict[str, Any], stored_already: int
) -> None:
    before = value(AGAIN)
    fake.script.add(**fault)

    put(stores, 100)
    await until(lambda: fake.script.faults[0].times == 0)
    assert await stores.activations.count(ALL) == 100, "in between, too"
    await written(stores)

    assert stores.fault is None
    assert stored(fake) == 100
    assert value(AGAIN) - before == stored_already
    await exact(stores, 100)


async def test_a_record_has_arrived_when_other_processes_find_it(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    fake.script.add("reset_before", times=3)
    record = a_record(1)
    stores.activations.put(record)
    arrival = asyncio.ensure_future(stores.activations.arrived(GUEST, record.activation_id))
    await until(lambda: fake.script.faults[0].times < 3)
    assert not arrival.done(), "the database has not got it"

    await asyncio.wait_for(arrival, 8)
    await stores.activations.arrived(GUEST, record.activation_id)  # at once, from then on
    other = await open_stores(fake, tmp_path / "other")
    try:
        assert await other.activations.get(GUEST, record.activation_id) == record
    finally:
        await other.close()


async def test_a_record_that_somebody_else_has_written_is_a_success_and_counted(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    other = await open_stores(fake, tmp_path / "other")
    put(other, 10)
    await written(other)
    await other.close()
    before = value(FIRST)

    put(stores, 20)
    await exact(stores, 20)
    await written(stores)

    assert value(FIRST) - before == 10
    await exact(stores, 20)


async def test_a_record_that_the_database_never_takes_is_kept_aside_and_the_others_stored(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    before = value(metrics.REFUSED_RECORDS)
    fake.script.add("row", reason=an_id(7), error="forbidden")

    put(stores, 10)
    await written(stores)

    assert stored(fake) == 9
    assert value(metrics.REFUSED_RECORDS) - before == 1
    (kept,) = (tmp_path / "refused").iterdir()
    assert an_id(7).encode() in kept.read_bytes()
    await exact(stores, 9)


async def test_a_bulk_that_is_refused_whole_is_halved_until_the_culprit_is_alone(
    fake: CouchFake, stores: CouchStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stores, 1, start=99)
    await written(stores)
    db = fake.databases[DAY_NAME]
    validate = db.validate

    def strict(doc_id: Any, body: dict[str, Any]) -> None:
        validate(doc_id, body | ({"_odd": 1} if doc_id == f"guest/{an_id(5)}" else {}))

    monkeypatch.setattr(db, "validate", strict)

    put(stores, 16)
    await written(stores)

    assert stored(fake) == 16
    (kept,) = (tmp_path / "refused").iterdir()
    assert kept.read_bytes().count(b'"_id"') == 1
    await exact(stores, 16)


async def test_a_row_that_fails_for_now_is_sent_again(fake: CouchFake, stores: CouchStores) -> None:
    fake.script.add("row", reason=an_id(3), error="internal_server_error", times=2)

    put(stores, 10)
    await written(stores)

    assert stored(fake) == 10
    await exact(stores, 10)


async def test_a_disk_above_its_threshold_refuses_each_row_and_takes_all_of_them_later(
    fake: CouchFake, stores: CouchStores
) -> None:
    # What CouchDB's disk monitor answers: 201, and no row of the bulk is stored.
    fake.script.add("row", reason="guest/", error="insufficient_storage", times=4)

    put(stores, 10)
    await until(lambda: stores.fault is not None)
    assert "insufficient_storage" in str(stores.fault)
    with pytest.raises(StoreUnavailable, match=r"It takes no records: .*insufficient_storage"):
        await stores.check()
    assert await stores.activations.count(ALL) == 10
    await written(stores)

    assert stored(fake) == 10
    await stores.check()
    await exact(stores, 10)


async def test_a_record_too_large_for_the_database_goes_apart_and_comes_back_whole(
    tmp_path: Path,
) -> None:
    fake = CouchFake(max_document_bytes=20_000)
    await fake.start()
    stores = await open_stores(fake, tmp_path)
    large = a_record(
        5, response=Response(status=Status.SUCCESS, result=b'{"a": "%b"}' % (b"x" * 50_000))
    )

    stores.activations.put(large)
    put(stores, 4)
    await written(stores)

    assert await stores.activations.get(GUEST, large.activation_id) == large
    assert stored(fake) == 5
    await exact(stores, 5)
    await stores.close()
    await fake.stop()


async def test_a_record_larger_than_a_bulk_is_not_sent_in_one(
    fake: CouchFake, stores: CouchStores
) -> None:
    logs = tuple(f"2025-11-21T12:00:00.000000000Z stdout: {'y' * 1000}" for _ in range(4000))
    large = a_record(1, logs=logs)

    stores.activations.put(large)
    await written(stores)

    (body,) = (entry.body for name, entry in fake.databases[DAY_NAME].live().items()
               if name.startswith("guest/"))  # fmt: skip
    assert len(json.dumps(body)) < 2000
    assert list(await stores.activations.list(ALL, limit=5, skip=0)) == [large]
    await exact(stores, 1)


async def test_a_day_that_was_dropped_by_hand_is_made_anew(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 3)
    await written(stores)
    del fake.databases[DAY_NAME]
    assert await stores.activations.count(ALL) == 0

    put(stores, 2)
    await written(stores)

    await exact(stores, 2)


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [(401, "Name or password is incorrect.", Denied), (403, LOCKED, Locked)],
)
async def test_a_refused_password_is_not_tried_again_soon(
    fake: CouchFake, stores: CouchStores, status: int, reason: str, error: type[Denied]
) -> None:
    put(stores, 1)
    await written(stores)
    fake.script.add("status", status=status, error="forbidden", reason=reason, times=100)

    put(stores, 5, start=10)
    await until(lambda: stores.fault is not None)
    asked = len(fake.script.requests)
    for _ in range(5):
        with pytest.raises(error):
            await stores.activations.count(ALL)

    assert len(fake.script.requests) == asked, "nobody asks while the account is locked"
    assert stores.pending_records == 5


async def test_records_survive_a_server_that_is_away_and_a_restart_meanwhile(
    fake: CouchFake, tmp_path: Path
) -> None:
    stores = await open_stores(fake, tmp_path)
    await fake.stop()
    put(stores, 500)
    await stores.close()
    stores = await open_stores(fake, tmp_path)
    assert stores.pending_records == 500
    assert (await stores.activations.get(GUEST, an_id(7))).billed_ms == 7

    await fake.start(fake.port)
    await written(stores)

    await exact(stores, 500)
    await stores.close()


async def test_bulks_are_bounded_in_number_and_size(fake: CouchFake, tmp_path: Path) -> None:
    stores = await open_stores(fake, tmp_path, bulk_records=50, bulks_in_flight=2)

    put(stores, 1000)
    await written(stores)

    assert fake.script.count("POST", "_bulk_docs") >= 1000 / 50
    await exact(stores, 1000)
    await stores.close()


async def test_a_late_record_goes_to_the_day_of_its_id(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 1, start_ms=NOON_MS)
    stores.activations.put(a_record(2, activation_id=an_id(2), start_ms=NOON_MS + 14 * 3_600_000))
    await written(stores)

    assert stored(fake) == 2
