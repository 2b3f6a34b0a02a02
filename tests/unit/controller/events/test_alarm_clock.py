"""Alarms in virtual time: fired when they are due, once, whatever happens to who fires them."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from common.errors import BriskError
from common.store.port import StoreUnavailable
from controller.events.feed import Source, doc_id
from controller.events.provider import NotKnown
from tests.fakes.feeds import AUTH, FakePlatform, FakeProvider, LoopClock
from tests.fakes.running_api import MemoryDocs

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(120)]

BERLIN = ZoneInfo("Europe/Berlin")
START_MS = int(datetime(2026, 3, 25, 12, tzinfo=UTC).timestamp() * 1000)
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


@pytest.fixture
def docs() -> MemoryDocs:
    return MemoryDocs()


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform("guest/t", "guest/u")


@pytest.fixture
def provider(docs: MemoryDocs, platform: FakePlatform) -> FakeProvider:
    return FakeProvider(docs, platform, LoopClock(START_MS), round_s=HOUR_S)


async def tell(
    provider: FakeProvider, event: str, feed: str = "alarm", trigger: str = "t", **given: Any
) -> Mapping[str, Any]:
    return await provider.lifecycle.told(
        Source("alarms", feed),
        {"lifecycleEvent": event, "triggerName": f"/guest/{trigger}", "authKey": AUTH, **given},
    )


def due(platform: FakePlatform) -> list[int]:
    """Return the firings, in minutes from the start."""
    return [(at_ms - START_MS) // 60_000 for at_ms in platform.times()]


async def test_an_alarm_fires_when_it_is_due_with_what_it_carries(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="*/10 * * * *", trigger_payload={"a": 1})
        await asyncio.sleep(HOUR_S + 1)
    assert due(platform) == [10, 20, 30, 40, 50, 60]
    assert list(platform.done.values()) == [{"a": 1}] * 6
    assert set(platform.tries.values()) == {1}


async def test_thirty_days_pass_in_moments_and_clocks_are_changed_in_between(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="30 2 * * *", timezone="Europe/Berlin")
        await tell(provider, "CREATE", "interval", "u", minutes=60)
        await asyncio.sleep(30 * DAY_S)
    daily = (await provider.registry.get(doc_id_of("t"))).uid
    shown = [datetime.fromtimestamp(at / 1000, BERLIN) for at in platform.times(daily)]
    assert [each.strftime("%d %H:%M") for each in shown[:5]] == [
        "26 02:30", "27 02:30", "28 02:30", "29 03:00", "30 02:30",
    ]  # fmt: skip
    assert len(shown) == 30
    assert len(platform.times()) == 30 + 30 * 24


def doc_id_of(trigger: str) -> Any:
    return doc_id("guest", trigger)  # type: ignore[arg-type]


async def test_a_provider_that_is_killed_fifty_times_fires_everything_once(
    docs: MemoryDocs,
) -> None:
    """Ten days, two alarms; each kill is at a moment of its own, often amid a firing."""
    chance = random.Random(7)
    random.seed(7)
    platform = FakePlatform("guest/t", "guest/u", takes_s=40)
    clock = LoopClock(START_MS)
    maker = FakeProvider(docs, platform, clock)
    await tell(maker, "CREATE", cron="*/5 * * * *", missed="all")
    await tell(maker, "CREATE", "interval", "u", minutes=7, missed="all")
    end_s = 10 * DAY_S
    kills = sorted(chance.uniform(0, end_s - DAY_S) for _ in range(50))
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for kill_s in [*kills, end_s]:
        provider = FakeProvider(docs, platform, clock, round_s=HOUR_S)
        async with provider.running():
            await asyncio.sleep(max(0.0, began_s + kill_s - loop.time()))
        await asyncio.sleep(chance.uniform(0, 2 * HOUR_S) if kill_s < end_s else 0)
    uids = [(await maker.registry.get(doc_id_of(name))).uid for name in "tu"]
    five, seven = (platform.times(uid) for uid in uids)
    assert five == [START_MS + n * 300_000 for n in range(1, len(five) + 1)]
    assert len(five) >= 10 * 24 * 12 - 1
    start_ms = START_MS + 30_000
    assert [at - start_ms for at in seven] == [n * 420_000 for n in range(len(seven))]
    assert len(seven) >= 10 * 24 * 60 // 7 - 1
    assert sum(tries > 1 for tries in platform.tries.values()) > 0, "some kills were amid a firing"


async def test_what_was_done_and_not_answered_is_sent_again_under_its_name(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    platform.loses_answers = 3
    async with provider.running():
        await tell(provider, "CREATE", cron="0 * * * *")
        await asyncio.sleep(HOUR_S + 10 * MINUTE_S)
    assert due(platform) == [60]
    assert list(platform.tries.values()) == [4]


async def test_two_providers_share_the_feeds_and_one_takes_over_from_the_other(
    docs: MemoryDocs,
) -> None:
    names = [f"t{n}" for n in range(24)]
    platform = FakePlatform(*(f"guest/{name}" for name in names))
    clock = LoopClock(START_MS)
    first, second = (
        FakeProvider(docs, platform, clock, number=number, count=2) for number in (0, 1)
    )
    for name in names:
        await tell(first, "CREATE", trigger=name, cron="* * * * *", missed="all")
    async with second.running():
        async with first.running():
            await asyncio.sleep(10 * MINUTE_S + 5)
            assert len(first.keeper) + len(second.keeper) == len(names)
            assert min(len(first.keeper), len(second.keeper)) >= 4
            # One that is made at either is served by whose it is.
        assert len(platform.done) == 10 * len(names)
        await asyncio.sleep(20)
        assert len(second.keeper) == len(names), "the first one is gone"
        await asyncio.sleep(9 * MINUTE_S + 50)
        again = FakeProvider(docs, platform, clock, number=0, count=2)
        async with again.running(says_goodbye=True):
            await asyncio.sleep(10)
            assert again.sharing.parts and not again.sharing.parts & second.sharing.parts
        await asyncio.sleep(4)
        assert len(second.keeper) == len(names), "it was told, and waited for no lease"
    for name in names:
        uid = (await first.registry.get(doc_id_of(name))).uid
        assert platform.times(uid) == [START_MS + n * 60_000 for n in range(1, 21)]


async def test_a_second_one_with_the_same_number_waits(docs: MemoryDocs) -> None:
    platform, clock = FakePlatform("guest/t"), LoopClock(START_MS)
    one, other = (
        FakeProvider(docs, platform, clock, number=0, count=2, holder=who) for who in "ab"
    )
    async with one.running(), other.running():
        await asyncio.sleep(5)
        assert one.sharing.parts and not other.sharing.parts


@pytest.mark.parametrize("status", [None, 500, 503])
async def test_a_platform_that_is_away_is_waited_for_and_nothing_is_lost(
    provider: FakeProvider, platform: FakePlatform, status: int | None
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="0 * * * *", missed="all")
        platform.status = status
        await asyncio.sleep(5 * HOUR_S + MINUTE_S)
        assert not platform.done
        assert sum(platform.tries.values()) < 5 * 62, "it backs off"
        platform.status = 202
        await asyncio.sleep(2 * MINUTE_S)
        assert due(platform) == [60, 120, 180, 240, 300]
        told = await tell(provider, "READ")
        assert told["status"]["active"]


async def test_a_trigger_that_is_gone_stops_its_feed_and_says_why(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="* * * * *")
        del platform.triggers["guest/t"]
        await asyncio.sleep(3 * MINUTE_S)
        assert sum(platform.tries.values()) == 1
        platform.triggers["guest/t"] = []
        told = (await tell(provider, "READ"))["status"]
        assert told["active"] is False
        assert told["dateChangedISO"] == "2026-03-25T12:01:00Z"
        assert told["reason"] == {
            "kind": "AUTO",
            "statusCode": 404,
            "message": "Automatically disabled after receiving a 404 status code when firing the "
            "trigger: The requested resource does not exist.",
        }
        # Who changes it means it to go on.
        await tell(provider, "UPDATE", cron="*/2 * * * *")
        await asyncio.sleep(4 * MINUTE_S)
        assert due(platform) == [4, 6]


async def test_who_fires_too_often_loses_firings_and_after_ten_of_them_the_feed(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    platform.status = 429
    async with provider.running():
        await tell(provider, "CREATE", cron="0 * * * *")
        await asyncio.sleep(9 * HOUR_S + 30 * MINUTE_S)
        assert (await tell(provider, "READ"))["status"]["active"]
        assert set(platform.tries.values()) == {10}
        await asyncio.sleep(HOUR_S)
        told = (await tell(provider, "READ"))["status"]
        assert not told["active"]
        assert told["reason"]["message"] == (
            "Automatically disabled after 10 lost firings: "
            "Left out after 10 tries, answered 429: Not now."
        )


@pytest.mark.parametrize("word", ["true", "rules"])
async def test_what_fires_once_is_deleted_with_what_was_asked_for(
    provider: FakeProvider, platform: FakePlatform, docs: MemoryDocs, word: str
) -> None:
    platform.triggers["guest/t"] = ["guest/r1", "guest/r2"]
    async with provider.running():
        date = START_MS + 90_000
        await tell(provider, "CREATE", "once", date=date, deleteAfterFire=word)
        await asyncio.sleep(2 * MINUTE_S)
    assert platform.times() == [date]
    rules = ["DELETE guest/rules/r1", "DELETE guest/rules/r2"] * (word == "rules")
    assert platform.asked == [*rules, "DELETE guest/triggers/t"]
    assert not [name for name in docs.docs if name.startswith("~feed/")]


async def test_what_fired_once_says_so(provider: FakeProvider, platform: FakePlatform) -> None:
    async with provider.running():
        await tell(provider, "CREATE", "once", date=START_MS + 60_000)
        await asyncio.sleep(2 * MINUTE_S)
        told = await tell(provider, "READ", "once")
        assert told["status"]["reason"]["message"] == "Automatically disabled after firing once."
        assert told["config"]["deleteAfterFire"] == "false"
        await asyncio.sleep(DAY_S)
    assert len(platform.done) == 1


async def test_an_alarm_ends_at_its_stop_and_after_as_many_firings_as_it_may_have(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="* * * * *", stopDate=START_MS + 150_000)
        await tell(provider, "CREATE", trigger="u", cron="* * * * *", maxTriggers=3)
        await asyncio.sleep(HOUR_S)
        assert due(platform) == [1, 1, 2, 2, 3]
        said = (await tell(provider, "READ"))["status"]["reason"]["message"]
        assert said == "Automatically disabled: the last firing was due at 2026-03-25T12:02:00Z."
        said = (await tell(provider, "READ", trigger="u"))["status"]["reason"]["message"]
        assert said == "Automatically disabled after reaching max triggers."


async def test_a_pause_is_a_pause(provider: FakeProvider, platform: FakePlatform) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="0 * * * *", missed="all")
        await asyncio.sleep(HOUR_S + 1)
        await tell(provider, "PAUSE")
        told = (await tell(provider, "READ"))["status"]
        assert (told["active"], told["reason"]) == (False, {"kind": "USER", "message": "Paused."})
        await asyncio.sleep(3 * HOUR_S)
        await tell(provider, "UNPAUSE")
        await asyncio.sleep(HOUR_S)
    assert due(platform) == [60, 300]


async def test_what_is_deleted_fires_no_more_and_what_is_made_anew_is_another(
    provider: FakeProvider, platform: FakePlatform
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="* * * * *")
        await asyncio.sleep(MINUTE_S + 1)
        await tell(provider, "DELETE")
        with pytest.raises(NotKnown):
            await tell(provider, "READ")
        with pytest.raises(NotKnown):
            await tell(provider, "DELETE")
        await asyncio.sleep(HOUR_S)
        assert due(platform) == [1]
        await tell(provider, "CREATE", cron="*/5 * * * *")
        await asyncio.sleep(5 * MINUTE_S)
        assert len(platform.done) == 2


async def test_a_feed_that_another_process_made_or_deleted_is_noticed(
    platform: FakePlatform, docs: MemoryDocs
) -> None:
    provider = FakeProvider(docs, platform, LoopClock(START_MS))
    other = FakeProvider(docs, platform, LoopClock(START_MS))
    async with provider.running():
        await tell(other, "CREATE", cron="* * * * *")
        await asyncio.sleep(2 * MINUTE_S + 1)
        assert due(platform) == [1, 2]
        await tell(other, "UPDATE", cron="*/3 * * * *")
        await asyncio.sleep(4 * MINUTE_S)
        assert due(platform) == [1, 2, 3, 6]
        await tell(other, "DELETE")
        await asyncio.sleep(10 * MINUTE_S)
        assert due(platform) == [1, 2, 3, 6]


@pytest.mark.parametrize("event", ["CREATE", "READ", "UPDATE", "DELETE", "PAUSE", "UNPAUSE"])
async def test_a_step_that_fails_leaves_things_as_they_were(
    provider: FakeProvider, docs: MemoryDocs, event: str
) -> None:
    if event != "CREATE":
        await tell(provider, "CREATE", cron="* * * * *")
    before = {name: (doc.rev, doc.body) for name, doc in docs.docs.items()}
    docs.failure = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await tell(provider, event, cron="0 * * * *")
    assert {name: (doc.rev, doc.body) for name, doc in docs.docs.items()} == before


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"authKey": ""}, "no authKey parameter was provided"),
        ({"triggerName": ""}, "no trigger name parameter was provided"),
        ({"triggerName": "/guest/a/b"}, "the trigger name '/guest/a/b' is not of the form"),
        ({"triggerName": "t"}, "the trigger name 't' is not of the form"),
        ({"lifecycleEvent": "DANCE"}, "unsupported lifecycleEvent 'DANCE'"),
        ({"triggerName": "/guest/nosuch"}, "Trigger authentication request failed with 404"),
        ({"cron": ""}, "alarms trigger feed is missing the cron parameter"),
    ],
)
async def test_what_is_refused_leaves_nothing(
    provider: FakeProvider, docs: MemoryDocs, given: dict[str, Any], text: str
) -> None:
    told = {
        "lifecycleEvent": "CREATE", "triggerName": "/guest/t", "authKey": AUTH,
        "cron": "* * * * *",
    }  # fmt: skip
    with pytest.raises(BriskError, match=text):
        await provider.lifecycle.told(Source("alarms", "alarm"), told | given)
    assert not docs.docs


async def test_a_store_that_goes_away_is_waited_for(
    provider: FakeProvider, platform: FakePlatform, docs: MemoryDocs
) -> None:
    async with provider.running():
        await tell(provider, "CREATE", cron="0 * * * *")
        await asyncio.sleep(HOUR_S - 1)
        for _ in range(3):
            docs.failure = StoreUnavailable()
            await asyncio.sleep(1.5)
        await asyncio.sleep(HOUR_S)
    assert due(platform) == [60, 120]
