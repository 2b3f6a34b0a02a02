"""Following: lines that are bounded and say what is missing, and who is told of what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bus.memory import MemoryBus
from common.entity.activation import ActivationRecord
from common.errors import TooManyStreams
from common.ids import ControllerId, Namespace
from common.message import topics
from common.message.watching import News, Watch
from common.settings import StreamSettings
from common.store.port import Missing
from controller.stream.activations import (
    ARRIVES_S,
    LOOK_AGAIN_S,
    MOST_PAST,
    ActivationStreams,
    Beat,
    Since,
    Told,
    after,
)
from controller.stream.interest import HOLDS_S, Interest
from controller.stream.line import REMEMBERED, Line, Missed
from tests.fakes.clock import FakeClock
from tests.fakes.records import a_record
from tests.fakes.running_api import MemoryActivations

GUEST, OTHER = Namespace("guest"), Namespace("other")
WAIT_S = 5.0


def test_a_line_gives_in_order_what_it_was_given_once() -> None:
    line = Line[int](10)
    assert all(line.put(str(number), number) for number in (1, 2, 3, 2))
    assert line.take(2) == [1, 2]
    assert line.put("1", 1)
    assert line.take(9) == [3]
    assert line.take(9) is None


def test_what_finds_a_line_full_is_counted_where_it_is_missing() -> None:
    line = Line[int](2)
    assert [line.put(str(number), number) for number in range(5)] == [True] * 2 + [False] * 3
    assert line.take(1) == [0]
    # There is room again; but who reads on here must first hear that something is missing.
    assert not line.put("5", 5)
    assert line.take(9) == [1]
    assert line.take(9) == Missed(4)
    assert line.put("6", 6)
    assert line.take(9) == [6]


@given(st.lists(st.one_of(st.integers(0, 50), st.none()), max_size=200), st.integers(1, 5))
def test_nothing_is_lost_from_a_line_without_a_word(steps: list[int | None], room: int) -> None:
    """None takes; a number puts. What was put comes out, or is counted; nothing comes twice."""
    line, came, put, missed = Line[int](room), list[int](), 0, 0
    for step in [*steps, *[None] * 200]:
        if step is None:
            found = line.take(2)
            if isinstance(found, Missed):
                missed += found.count
            elif found:
                came += found
        elif step not in came and step not in line._waiting:
            put += 1
            line.put(str(step), step)
    assert len(came) + missed == put
    assert len(set(came)) == len(came)
    assert len(line) == 0


def test_a_line_does_not_remember_for_ever() -> None:
    line = Line[int](1)
    for number in range(REMEMBERED + 1):
        line.put(str(number), number)
        line.take(1)
    assert line.know("0"), "the oldest is forgotten"
    assert not line.know(str(REMEMBERED))


def test_what_others_say_holds_for_a_while() -> None:
    interest = Interest()
    assert not interest
    interest.heard(Watch(controller=ControllerId(1), namespaces=(GUEST,)), 0.0)
    interest.heard(Watch(controller=ControllerId(2), namespaces=(OTHER,)), 1.0)
    assert interest.has(GUEST, HOLDS_S - 0.1)
    assert not interest.has(GUEST, HOLDS_S)
    assert interest.has(OTHER, HOLDS_S)
    interest.heard(Watch(controller=ControllerId(2), namespaces=()), 2.0)
    assert not interest.has(OTHER, 3.0)
    assert interest.has(GUEST, 3.0)


class Follows:
    """Somebody who follows, and what they were told."""

    def __init__(self, streams: ActivationStreams, **asked: object) -> None:
        self.told: list[Told] = []
        self.has_more = asyncio.Event()
        self._streams = streams
        self._asked = {"namespace": GUEST, "name": None, "since": None} | asked

    async def run(self) -> None:
        async with aclosing(self._streams.follow(**self._asked)) as stream:  # type: ignore[arg-type]
            async for told in stream:
                self.told.append(told)
                self.has_more.set()

    async def until(self, count: int) -> list[Told]:
        """Return what they were told that is no beat, as soon as it is so much."""
        async with asyncio.timeout(WAIT_S):
            while len(self.news) < count or not self.told:
                self.has_more.clear()
                await self.has_more.wait()
        return self.news

    @property
    def news(self) -> list[Told]:
        return [each for each in self.told if not isinstance(each, Beat)]


class Place:
    """One controller, or several, on one bus and one store."""

    def __init__(self) -> None:
        self.bus = MemoryBus(None, capacity=100)
        self.clock = FakeClock()
        self.activations = MemoryActivations()

    def controller(self, number: int = 0, **settings: object) -> ActivationStreams:
        return ActivationStreams(
            ControllerId(number),
            bus=self.bus,
            activations=self.activations,
            clock=self.clock,
            settings=StreamSettings(**{"heartbeat_s": 60} | settings),
        )

    def end(self, streams: ActivationStreams, record: ActivationRecord) -> ActivationRecord:
        """Have an activation end that *streams* hears of."""
        record = replace(record, end_ms=self.clock.now_ms())
        self.activations.put(record)
        streams.ended(record)
        return record


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if task.get_name() == "test":
                task.cancel()


def begin(tasks: asyncio.TaskGroup, follows: Follows) -> Follows:
    tasks.create_task(follows.run(), name="test")
    return follows


async def test_who_follows_is_told_of_their_own_namespace(
    place: Place, tasks: asyncio.TaskGroup
) -> None:
    streams = place.controller()
    follows = begin(tasks, Follows(streams))
    await follows.until(0)
    foreign = replace(a_record(1), namespace=OTHER)
    place.end(streams, foreign)
    mine = place.end(streams, a_record(2))
    assert await follows.until(1) == [mine]


async def test_one_action_may_be_followed(place: Place, tasks: asyncio.TaskGroup) -> None:
    streams = place.controller()
    name = a_record(1).listed_as
    follows = begin(tasks, Follows(streams, name=name))
    others = begin(tasks, Follows(streams, name="no/such"))
    await follows.until(0)
    await others.until(0)
    mine = place.end(streams, a_record(1))
    assert await follows.until(1) == [mine]
    assert others.news == []


async def test_the_past_comes_first_and_nothing_comes_twice(
    place: Place, tasks: asyncio.TaskGroup
) -> None:
    streams = place.controller()
    early, late = (
        replace(a_record(number), end_ms=place.clock.now_ms() + number) for number in (1, 2)
    )
    place.activations.records = [early, late]  # as a list answers: by their start, not their end
    follows = begin(tasks, Follows(streams, since=Since(started_ms=0)))
    assert await follows.until(2) == [early, late]
    streams.ended(early)
    new = place.end(streams, a_record(3))
    assert await follows.until(3) == [early, late, new]


async def test_who_comes_again_is_told_of_what_ended_since(
    place: Place, tasks: asyncio.TaskGroup
) -> None:
    streams = place.controller()
    now_ms = place.clock.now_ms()
    long_ago, seen, since = (
        replace(a_record(number), end_ms=now_ms + 10_000 * number) for number in (1, 2, 3)
    )
    place.activations.records = [long_ago, seen, since]
    again = after(seen.end_ms, seen.activation_id)
    follows = begin(tasks, Follows(streams, since=again))
    assert await follows.until(1) == [since]
    assert place.activations.asked[0][0].since_ms == again.started_ms


async def test_a_past_that_is_too_long_says_so(place: Place, tasks: asyncio.TaskGroup) -> None:
    streams = place.controller()
    place.activations.records = [a_record(number) for number in range(MOST_PAST + 7)]
    follows = begin(tasks, Follows(streams, since=Since(started_ms=0)))
    news = await follows.until(MOST_PAST + 1)
    assert news[0] == Missed(7)


async def test_who_reads_slowly_hears_how_much_is_missing(place: Place) -> None:
    streams = place.controller(max_waiting=2)
    async with aclosing(streams.follow(GUEST, None, None)) as stream:
        assert isinstance(await anext(stream), Beat)
        ended = [place.end(streams, a_record(number)) for number in range(5)]
        assert [await anext(stream) for _ in range(3)] == [*ended[:2], Missed(3)]


async def test_a_record_that_does_not_come_is_missed(
    place: Place, tasks: asyncio.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take_long(*_: object) -> ActivationRecord:
        place.clock.advance(s=ARRIVES_S)
        raise Missing

    monkeypatch.setattr(place.activations, "get", take_long)
    streams = place.controller()
    follows = begin(tasks, Follows(streams))
    await follows.until(0)
    streams.ended(a_record(1))
    assert await follows.until(1) == [Missed(1)]


async def test_no_more_follow_than_may(place: Place) -> None:
    streams = place.controller(max_streams=2, max_streams_per_namespace=1)
    async with (
        aclosing(streams.follow(GUEST, None, None)) as first,
        aclosing(streams.follow(GUEST, None, None)) as same,
        aclosing(streams.follow(OTHER, None, None)) as second,
        aclosing(streams.follow(Namespace("third"), None, None)) as third,
    ):
        assert isinstance(await anext(first), Beat)
        with pytest.raises(TooManyStreams) as each:
            await anext(same)
        assert each.value.limit == "stream.max_streams_per_namespace"
        assert isinstance(await anext(second), Beat)
        with pytest.raises(TooManyStreams) as total:
            await anext(third)
        assert total.value.limit == "stream.max_streams"
        await first.aclose()
        async with aclosing(streams.follow(GUEST, None, None)) as again:
            assert isinstance(await anext(again), Beat)


async def test_every_stream_ends_with_the_controller(
    place: Place, tasks: asyncio.TaskGroup
) -> None:
    streams = place.controller()
    follows = Follows(streams)
    running = tasks.create_task(follows.run())
    await follows.until(0)
    streams.close()
    async with asyncio.timeout(WAIT_S):
        await running
    with pytest.raises(TooManyStreams):
        await Follows(streams).run()


async def test_what_another_controller_accepted_is_told_too(
    place: Place, tasks: asyncio.TaskGroup
) -> None:
    here, there = place.controller(0), place.controller(1)
    said: list[object] = []
    has_said = asyncio.Event()

    def hear(message: object) -> None:
        said.append(message)
        has_said.set()

    for streams in (here, there):
        await streams.listen()
        tasks.create_task(streams.serve(), name="test")
    await place.bus.listen(topics.WATCHED, hear)
    place.end(there, a_record(1))
    assert said == [], "nobody follows, so nobody is told"

    follows = begin(tasks, Follows(here))
    await follows.until(0)
    async with asyncio.timeout(WAIT_S):
        await has_said.wait()
    assert said == [Watch(controller=ControllerId(0), namespaces=(GUEST,))]
    there.ended(replace(a_record(2), namespace=OTHER))
    mine = place.end(there, a_record(3))
    assert await follows.until(1) == [mine]
    assert [each.activation_id for each in said if isinstance(each, News)] == [mine.activation_id]


async def test_what_ended_before_others_had_heard_is_looked_for(
    place: Place, tasks: asyncio.TaskGroup
) -> None:
    streams = place.controller(heartbeat_s=0.01)
    follows = begin(tasks, Follows(streams))
    await follows.until(0)
    unheard = replace(a_record(1), end_ms=place.clock.now_ms())
    before = replace(a_record(2), end_ms=place.clock.now_ms() - 1)
    place.activations.records = [before, unheard]
    place.clock.advance(s=LOOK_AGAIN_S)
    assert await follows.until(1) == [unheard]
