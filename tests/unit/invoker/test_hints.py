"""Hints from the bus to the pool; a bus that is away is asked again."""

import pytest

from common.bus.memory import MemoryBus
from common.bus.port import BusUnavailable, Handler
from common.entity.names import QualifiedName
from common.ids import InvokerId, Namespace, Rev
from common.message import topics
from common.message.hint import Hint
from common.message.topics import Topic
from invoker import hints
from invoker.pool.container import ActionKey, Shape
from invoker.pool.pool import Pool

HINT = Hint(
    namespace=Namespace("guest"),
    action=QualifiedName(Namespace("other"), "p", "a"),
    rev=Rev("1"),
    kind="nodejs:20",
    memory_mb=512,
    is_cut_off=True,
)


class AwayAtFirst(MemoryBus):
    """A bus that is there when it is asked for the second time."""

    is_there = False

    async def listen(self, topic: Topic, handler: Handler) -> None:
        if not self.is_there:
            self.is_there = True
            raise BusUnavailable("it is away")
        await super().listen(topic, handler)


class Told(Pool):
    """A pool that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[ActionKey, Shape]] = []

    def __repr__(self) -> str:
        return "<Told>"

    def foretold(self, key: ActionKey, shape: Shape) -> None:
        self.told.append((key, shape))


async def test_a_hint_reaches_the_pool_as_soon_as_the_bus_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hints, "PAUSE_S", 0)
    bus, pool = AwayAtFirst(None, capacity=1), Told()

    await hints.listen(bus, InvokerId(3), pool)
    for _ in range(2):
        assert bus.try_send(topics.hints(InvokerId(3)), HINT)

    key = ActionKey(HINT.namespace, HINT.action.doc_id, HINT.rev)
    assert pool.told == [(key, Shape("nodejs:20", 512, is_cut_off=True))] * 2
    assert bus.depth(topics.hints(InvokerId(3))) == 0
