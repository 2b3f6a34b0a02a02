"""How long a server that fails is asked, how often, and what its failure does not take along."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from common.clock import SystemClock
from common.ids import DocId
from common.settings import CouchdbSettings
from common.store.couch import CouchStores
from common.store.couch_faults import Ambiguous, Refused, WrongPassword
from common.store.couch_http import DEGRADED_AFTER_S, CouchHttp
from common.store.port import Denied, Missing, StoreUnavailable
from tests.couchfake.rights import Users
from tests.couchfake.server import CouchFake
from tests.fakes.clock import FakeClock
from tests.integration.couch import ALL, DAY_NAME, GUEST, open_stores, put, stored, written


@pytest.fixture
async def http(fake: CouchFake) -> AsyncIterator[CouchHttp]:
    http = CouchHttp(_settings(fake), SystemClock())
    yield http
    await http.close()


def _settings(fake: CouchFake, **changes: Any) -> CouchdbSettings:
    usual = {"url": fake.url, "connect_s": 1, "request_s": 1, "bulk_s": 1, "retry_s": 0.5}
    return CouchdbSettings.model_validate(usual | changes)


@pytest.mark.parametrize("kind", ["reset_before", "reset_in_body", "reset_after"])
async def test_a_broken_connection_says_nothing_of_what_was_done(
    fake: CouchFake, http: CouchHttp, kind: Any
) -> None:
    fake.script.add(kind, method="PUT", path="db")
    with pytest.raises(Ambiguous):
        await http.write("PUT", "db")


async def test_a_connection_that_never_was_has_done_nothing(
    fake: CouchFake, http: CouchHttp
) -> None:
    await fake.stop()
    with pytest.raises(Refused):
        await http.write("PUT", "db")


async def test_who_asks_when_everything_failed_for_long_is_told_at_once(fake: CouchFake) -> None:
    clock = FakeClock()
    http = CouchHttp(_settings(fake), clock)
    await http.write("PUT", "db")
    clock.advance(s=10 * DEGRADED_AFTER_S)
    assert not http.is_degraded, "nobody has asked"
    fake.script.add("status", method="GET", path="db", status=503, error="no", times=1000)

    clock_that_runs = _running(clock)
    with pytest.raises(StoreUnavailable):
        await http.read("GET", "db", "a")
    assert fake.script.count("GET", "db/a") > 1, "for a while it is asked again"
    clock.advance(s=DEGRADED_AFTER_S + 1)
    assert http.is_degraded
    asked = fake.script.count("GET", "db/a")
    with pytest.raises(StoreUnavailable):
        await http.read("GET", "db", "a")
    assert fake.script.count("GET", "db/a") == asked + 1

    fake.script.faults.clear()
    with pytest.raises(Missing):
        await http.read("GET", "db", "a")
    assert not http.is_degraded, "it answers, and says no"
    clock_that_runs()
    await http.close()


def _running(clock: FakeClock) -> Any:
    """Let time pass whenever it is asked for; return what stops that."""
    elapsed_s = clock.elapsed_s

    def passing() -> float:
        clock.advance(ms=10)
        return elapsed_s()

    clock.elapsed_s = passing  # type: ignore[method-assign]
    return lambda: setattr(clock, "elapsed_s", elapsed_s)


async def test_after_a_refused_password_one_request_at_a_time_finds_out(tmp_path: Path) -> None:
    fake = CouchFake(auth=("brisk", "right"))
    await fake.start()
    clock = FakeClock()
    http = CouchHttp(_settings(fake, user="brisk", password="wrong"), clock)
    for _ in range(5):
        with pytest.raises(WrongPassword, match="BRISK_COUCHDB__PASSWORD"):
            await http.read("GET", "db", "a")
    assert len(fake.script.requests) == 1
    for turn in range(1, 4):
        clock.advance(s=Denied.pause_s)
        for _ in range(3):
            with pytest.raises(Denied):
                await http.read("GET", "db", "a")
        assert len(fake.script.requests) == 1 + turn
    assert fake.users.wrong_passwords["brisk"] == 4, "a fifth within 300 s locks everybody out"

    fake.users = Users(("brisk", "wrong"))
    clock.advance(s=Denied.pause_s)
    for _ in range(2):
        with pytest.raises(Missing):
            await http.read("GET", "db", "a")
    await http.close()
    await fake.stop()


async def test_a_right_that_is_missing_does_not_stop_what_is_allowed(
    fake: CouchFake, stores: CouchStores
) -> None:
    rev = await stores.entities.create(DocId("guest/a"), {})
    fake.script.add("status", method="GET", path="brisk_subjects", status=403, error="forbidden",
                    reason="You are not allowed to access this db.", times=100)  # fmt: skip
    for _ in range(3):
        with pytest.raises(Denied, match="You are not allowed to access this db"):
            await stores.subjects.get(DocId("sub/guest"))
        assert (await stores.entities.get(DocId("guest/a"))).rev == rev


async def test_an_index_that_cannot_be_built_stops_the_bill_and_no_record(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 5)
    await written(stores)
    fake.script.add("status", method="GET", path="_view", status=500, error="os_process_error",
                    reason="OS process timed out.", times=1000)  # fmt: skip
    with pytest.raises(StoreUnavailable, match="os_process_error"):
        await stores.activations.audit(GUEST)

    put(stores, 5, start=10)
    await written(stores)
    assert stored(fake) == 10
    assert len(await stores.activations.list(ALL, limit=20, skip=0)) == 10
    fake.script.faults.clear()
    await _require_exact(stores, 10)


async def test_a_page_that_takes_too_long_is_asked_for_in_smaller_ones(
    fake: CouchFake, stores: CouchStores
) -> None:
    put(stores, 700)
    await written(stores)
    path = f"{DAY_NAME}/_all_docs"
    before = fake.script.count("GET", path)
    # Longer than a request may take, so that it is not asked for once more as it was.
    fake.script.add("delay", method="GET", path=path, seconds=3)

    await _require_exact(stores, 700)
    assert fake.script.count("GET", path) - before > 700 / (500 // 8)


async def test_a_server_that_answers_slowly_is_waited_for(tmp_path: Path, fake: CouchFake) -> None:
    stores = await open_stores(fake, tmp_path)
    fake.script.add("delay", method="ANY", path="", seconds=0.3, times=40)
    rev = await stores.entities.create(DocId("guest/slow"), {})
    assert (await stores.entities.get(DocId("guest/slow"))).rev == rev
    put(stores, 50)
    await written(stores)
    assert stored(fake) == 50
    assert stores.fault is None
    await stores.close()


async def _require_exact(stores: CouchStores, number: int) -> None:
    audit = await stores.activations.audit(GUEST)
    assert audit.is_exact
    assert audit.ledger.activations == number
