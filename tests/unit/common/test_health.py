"""What a process knows of itself: what it stands on, why that does not serve, and since when."""

import asyncio

import pytest
from structlog.testing import capture_logs

from common import metrics
from common.bus.port import BusUnavailable
from common.health import ANSWER_S, EVERY_S, Check, Health
from common.metrics import Dependency
from tests.fakes.clock import FakeClock

BEGAN = "2026-11-18T11:06:40.000Z"


def test_it_starts_serves_and_stops_and_knows_since_when(clock: FakeClock) -> None:
    health = Health(clock, "kafka")
    assert health.document() == {
        "state": "starting",
        "since": BEGAN,
        "dependencies": {
            "kafka": {"state": "degraded", "since": BEGAN, "why": "It has not been asked yet."}
        },
    }
    assert not health.serves
    clock.advance(s=5)
    health.note("kafka", "")
    health.begin()
    assert health.document() == {
        "state": "healthy",
        "since": "2026-11-18T11:06:45.000Z",
        "dependencies": {
            "kafka": {"state": "healthy", "since": "2026-11-18T11:06:45.000Z", "why": ""}
        },
    }
    clock.advance(s=1)
    health.stop()
    assert (health.state, health.serves) == ("stopping", False)
    assert health.document()["since"] == "2026-11-18T11:06:46.000Z"


def test_what_goes_away_degrades_it_and_it_still_serves(clock: FakeClock) -> None:
    health = Health(clock, "kafka", "couchdb")
    for name in ("kafka", "couchdb"):
        health.note(name, "")
    health.begin()
    clock.advance(s=1)

    health.note("couchdb", "It is away.")
    clock.advance(s=1)
    health.note("couchdb", "It is slow.")

    assert (health.state, health.serves) == ("degraded", True)
    said = health.document()
    assert said["dependencies"]["couchdb"] == {
        "state": "degraded", "since": "2026-11-18T11:06:41.000Z", "why": "It is slow.",
    }  # fmt: skip
    assert said["since"] == "2026-11-18T11:06:41.000Z"
    health.note("couchdb", "")
    assert health.state == "healthy"


def test_a_client_reads_what_was_asked_and_did_not_answer(clock: FakeClock) -> None:
    health = Health(clock, "couchdb", "kafka")
    assert health.waits_for == ""
    health.note("couchdb", "It is away.")
    assert health.waits_for == "It waits for couchdb: It is away."


def test_a_change_is_logged_once(clock: FakeClock) -> None:
    health = Health(clock, "kafka")
    with capture_logs() as said:
        for why in ("away", "away", "slow"):
            health.note("kafka", why)
        clock.advance(s=2)
        health.note("kafka", "")
        health.note("kafka", "")
        health.begin()
        health.note("kafka", "away")
    assert [(each["event"], each.get("why")) for each in said] == [
        ("waits_for", "away"),
        ("waits_for", "slow"),
        ("dependency_serves", None),
        ("dependency_fails", "away"),
    ]
    assert said[2]["after_ms"] == 2000


@pytest.mark.looptime
async def test_a_watch_sees_what_goes_and_what_comes_back(clock: FakeClock) -> None:
    health = Health(clock, "kafka", "couchdb", "spool")
    fault: BaseException | None = None

    async def kafka() -> None:
        if fault is not None:
            raise fault

    async def couchdb() -> None:
        await asyncio.sleep(ANSWER_S + 1 if fault else 0)

    async def spool() -> None:
        return

    checks: dict[Dependency, Check] = {"kafka": kafka, "couchdb": couchdb, "spool": spool}
    with health.shown():
        assert _shown() == {"kafka": 1, "couchdb": 1, "spool": 1}, "nothing is known yet"
        async with health.watched(checks):
            health.begin()
            assert health.state == "healthy"
            fault = BusUnavailable("No broker.")
            await asyncio.sleep(EVERY_S + ANSWER_S + 0.1)
            assert health.complaints == {
                "kafka": "No broker.",
                "couchdb": "It did not answer within 2 s.",
            }
            assert _shown() == {"kafka": 1, "couchdb": 1, "spool": 0}
            fault = ZeroDivisionError("oops")
            await asyncio.sleep(EVERY_S + 0.1)
            assert health.complaints["kafka"] == "It cannot be asked: ZeroDivisionError('oops')."
            fault = None
            await asyncio.sleep(EVERY_S + ANSWER_S + 0.1)
            assert health.state == "healthy"
    assert _shown() == {"kafka": 0, "couchdb": 0, "spool": 0}


def _shown() -> dict[str, float | None]:
    return {
        name: metrics.REGISTRY.get_sample_value(
            "brisk_health_degraded_dependencies", {"dependency": name}
        )
        for name in ("kafka", "couchdb", "spool")
    }
