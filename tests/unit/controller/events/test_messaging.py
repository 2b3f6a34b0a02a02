"""A batch that was begun is fired as it was, whoever finds it, whatever its broker has become."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.events.consumers import SourceAway
from controller.events.feed import Source
from controller.events.firing import Firer
from controller.events.keeper import Keeper
from controller.events.lifecycle import Lifecycle
from controller.events.messages import Message, name_of
from controller.events.messaging import Messaging, Place
from controller.events.registry import Registry
from controller.events.sharing import Sharing
from tests.fakes.clock import FakeClock
from tests.fakes.feeds import AUTH, FakePlatform, OpenSeal
from tests.fakes.running_api import MemoryDocs


class FakeTopic:
    """A topic of one partition, of which some is thrown away, and that may be silent."""

    partitions = frozenset({0})

    def __init__(self) -> None:
        self.values: dict[int, bytes] = {}
        self.is_silent = False
        self.committed: dict[int, int] = {}

    async def read(self, offsets: Mapping[int, int]) -> Sequence[Message]:
        [at] = offsets.values()
        if self.is_silent:
            return []
        return [Message("t", 0, n, None, v) for n, v in sorted(self.values.items()) if n >= at]

    async def bounds(self, partition: int) -> tuple[int, int]:
        return min(self.values, default=9), max(self.values, default=8) + 1

    async def commit(self, offsets: Mapping[int, int]) -> None:
        self.committed = dict(offsets)


class FakeBrokers:
    def __init__(self) -> None:
        self.topic = FakeTopic()

    async def ends(self, place: Place) -> dict[int, int]:
        return {0: 0}

    @asynccontextmanager
    async def reading(self, place: Place) -> AsyncIterator[FakeTopic]:
        yield self.topic


class Stage:
    """A feed of messages, one step of which can be done."""

    def __init__(self) -> None:
        clock, docs = FakeClock(), MemoryDocs()
        self.platform, self.brokers = FakePlatform("guest/t"), FakeBrokers()
        self.registry = Registry(docs, OpenSeal())
        firer = Firer(self.registry, self.platform, at_once=1)
        self.messaging = Messaging(
            self.registry, OpenSeal(), firer, self.brokers, clock, allowed="kafka"
        )
        sharing = Sharing(docs, clock, number=0, count=1, holder="x")
        keeper = Keeper(self.registry, sharing, {}, clock)
        self.lifecycle = Lifecycle(
            self.registry, {"messaging": self.messaging}, keeper, self.platform, clock
        )

    async def tell(self, event: str, **given: Any) -> Mapping[str, Any]:
        told = {"lifecycleEvent": event, "triggerName": "/guest/t", "authKey": AUTH}
        given = {"brokers": "kafka:9092", "topic": "t"} | given
        return await self.lifecycle.told(Source("messaging", "kafkaFeed"), told | given)

    async def begun(self, first: int, last: int) -> None:
        """Leave the feed as a provider does that dies amid a firing."""
        await self.tell("CREATE")
        feed = await self.feed()
        written = await self.messaging._write(feed, {"batch": {"0": [first, last]}})
        assert written is not None

    async def step(self) -> None:
        await self.messaging._step(await self.feed(), self.brokers.topic)

    async def feed(self) -> Any:
        return await self.registry.get("~feed/guest/t")  # type: ignore[arg-type]

    @property
    def fired(self) -> list[list[int]]:
        return [
            [each["offset"] for each in payload["messages"]]
            for payload in self.platform.done.values()
        ]


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_batch_that_was_begun_is_the_same_although_more_has_come(stage: Stage) -> None:
    stage.brokers.topic.values = {n: b"v" for n in range(8)}
    await stage.begun(0, 2)
    await stage.step()
    assert stage.fired == [[0, 1, 2]]
    [key] = stage.platform.done
    assert key.endswith(f"/{name_of({0: (0, 2)})}")
    await stage.step()
    assert stage.fired[1] == [3, 4, 5, 6, 7]
    progress = (await stage.feed()).progress
    assert (progress["offsets"], progress["batch"]) == ({"0": 8}, None)
    assert stage.brokers.topic.committed == {0: 8}


async def test_a_broker_that_is_silent_costs_no_message(stage: Stage) -> None:
    stage.brokers.topic.values = {n: b"v" for n in range(3)}
    stage.brokers.topic.is_silent = True
    await stage.begun(0, 2)
    with pytest.raises(SourceAway):
        await stage.step()
    assert (await stage.feed()).progress["batch"] == {"0": [0, 2]}
    stage.brokers.topic.is_silent = False
    await stage.step()
    assert stage.fired == [[0, 1, 2]]


@pytest.mark.parametrize("left", [{}, {2: b"v"}, {5: b"v"}])
async def test_what_the_broker_has_thrown_away_holds_up_nothing(
    stage: Stage, left: dict[int, bytes]
) -> None:
    stage.brokers.topic.values = left
    await stage.begun(0, 2)
    await stage.step()
    assert stage.fired == ([[2]] if 2 in left else [])
    assert (await stage.feed()).progress["offsets"] == {"0": 3}
