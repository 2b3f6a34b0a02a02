"""A topic is read while it is this member's, whatever becomes of a broker meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from common.bus.kafka_client import Broker
from common.bus.kafka_inbox import Inbox
from common.bus.kafka_tail import Received
from common.bus.marks import Marks
from common.bus.offsets import Commit
from common.bus.port import BusDenied, BusUnavailable
from common.clock import SystemClock
from common.ids import InvokerId
from common.message import encoding, topics
from common.settings import KafkaSettings
from tests.fakes.records import a_message

DEADLINE_S = 10
TOPIC = topics.invoker(InvokerId(0))
SETTINGS = KafkaSettings(retry_pause_s=0.001, prefetch=4)


class Denied(BusDenied):
    pause_s = 0.001


class ScriptedBroker:
    """Has one topic with some messages, and faults that come first."""

    def __init__(self, *faults: BusUnavailable, gives: bool = True) -> None:
        self.faults = list(faults)
        self.lost: BusUnavailable | None = None
        self.gives = gives
        self.messages = 0
        self.joined = 0
        self.fetches = 0
        self.brought_by = 0
        """Which fetch brought the last messages."""
        self.position = 0
        self.member: Any = None
        self.end = None
        self.leaves_place = False

    async def ensure_topic(self, topic: str) -> int:
        return 1 << 20

    async def committed(self, topic: str) -> Commit | None:
        return None

    @asynccontextmanager
    async def reading(self, topic: str, name: str, member: Any) -> AsyncIterator["ScriptedBroker"]:
        self.joined += 1
        self.lost = None
        self.member = member
        if self.gives:
            await member.on_given()
        yield self

    async def fetch(self, most: int) -> list[Received]:
        self.fetches += 1
        await asyncio.sleep(0.001)
        if self.faults:
            raise self.faults.pop(0)
        first, self.position = self.position, min(self.messages, self.position + most)
        if first < self.position:
            self.brought_by = self.fetches
        return [
            Received(offset, 0, b"", encoding.encode(a_message(offset)))
            for offset in range(first, self.position)
        ]

    def seek(self, offset: int) -> None:
        self.position = offset

    def check(self) -> None:
        if self.lost is not None:
            raise self.lost

    async def ask_end(self) -> None:
        return


@asynccontextmanager
async def serving(broker: ScriptedBroker, folder: Path) -> AsyncIterator[Inbox]:
    async def set_aside(*_: Any) -> None:
        raise AssertionError("nothing here is poison")

    marks = Marks.open(folder)
    inbox = Inbox(
        TOPIC, "me", cast(Broker, broker), marks, SETTINGS, SystemClock(), set_aside=set_aside
    )
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(inbox.serve())
        yield inbox
        task.cancel()
    await marks.close()


async def offsets(inbox: Inbox, number: int) -> list[int]:
    """Return the offsets of the next messages."""
    found: list[int] = []
    while len(found) < number:
        delivery = inbox.pop()
        if delivery is None:
            await inbox.waiters.wait()
        else:
            found.append(delivery.offset)
    return found


async def test_an_outage_does_not_cost_the_place(tmp_path: Path) -> None:
    broker = ScriptedBroker(BusUnavailable("away"), BusUnavailable("still away"))
    broker.messages = 2
    async with serving(broker, tmp_path) as inbox:
        assert await offsets(inbox, 2) == [0, 1]
    assert broker.joined == 1


async def test_who_is_not_let_in_tries_anew_and_slowly(tmp_path: Path) -> None:
    broker = ScriptedBroker(Denied("no"))
    broker.messages = 1
    async with serving(broker, tmp_path) as inbox:
        assert await offsets(inbox, 1) == [0]
    assert broker.joined == 2


async def test_what_is_not_this_members_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.bus.kafka_inbox._LOOK_S", 0.001)
    broker = ScriptedBroker(gives=False)
    broker.messages = 1
    async with serving(broker, tmp_path) as inbox:
        while not broker.joined:  # noqa: ASYNC110 - a script rings no bell
            await asyncio.sleep(0)
        assert (broker.fetches, inbox.position) == (0, None)
        await broker.member.on_given()
        assert await offsets(inbox, 1) == [0]


@pytest.mark.parametrize("how", ["it reads", "it waits for its turn", "its queue is full"])
async def test_who_lost_its_place_joins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("common.bus.kafka_inbox._LOOK_S", 0.001)
    broker = ScriptedBroker(gives=how != "it waits for its turn")
    broker.messages = SETTINGS.prefetch if how == "its queue is full" else 0
    async with serving(broker, tmp_path):
        for times in (1, 2):
            while broker.joined < times:  # noqa: ASYNC110 - nor here
                await asyncio.sleep(0.001)
            broker.lost = BusUnavailable("another took its name")


async def test_whoever_was_woken_goes_before_the_next_request(tmp_path: Path) -> None:
    broker = ScriptedBroker()
    async with serving(broker, tmp_path) as inbox:

        async def work() -> int:
            await inbox.waiters.wait()
            return broker.fetches

        worker = asyncio.get_running_loop().create_task(work())
        await asyncio.sleep(0)
        broker.messages = 1
        fetches = await worker
        assert inbox.pop(), "it was woken for a message"
        while broker.fetches == fetches:  # noqa: ASYNC110 - nor here
            await asyncio.sleep(0)
        assert broker.brought_by == fetches
