"""The balancer of a cluster: books, health and placement together, on a bus that only listens."""

from dataclasses import replace

import pytest

from common.bus.memory import MemoryBus
from common.bus.port import BusUnavailable
from common.entity.manifest import Manifest
from common.ids import InvokerId
from common.message import topics
from common.message.hint import Hint
from common.message.ping import Ping
from controller.balance.health import Ended, Health
from controller.balance.kinds import OfferedKinds
from controller.balance.port import NoCapacity
from controller.balance.sharding import Sharding
from controller.balance.single import SingleInvoker
from tests.fakes.clock import FakeClock
from tests.fakes.jobs import a_message, an_action

ONE, TWO = InvokerId(1), InvokerId(2)


def ping(invoker: InvokerId, *, memory_mb: int = 512, is_taking: bool = True) -> Ping:
    return Ping(invoker=invoker, memory_mb=memory_mb, is_taking=is_taking, ended=0)


class Cluster:
    """Two invokers that take nothing, and a balancer."""

    def __init__(self, *, capacity: int = 100, controllers: int = 1) -> None:
        self.clock = FakeClock()
        self.bus = MemoryBus(None, capacity=capacity)
        self.balancer = Sharding(self.bus, self.clock, controllers=controllers)
        for invoker in (ONE, TWO):
            self.balancer.heard(ping(invoker))

    def depths(self) -> tuple[int, int]:
        return tuple(self.bus.depth(topics.invoker(i)) for i in (ONE, TWO))  # type: ignore[return-value]


async def test_an_action_stays_with_its_invoker_while_there_is_room() -> None:
    cluster, action = Cluster(), an_action()
    sent = [a_message(action) for _ in range(6)]
    for message in sent[:2]:
        await cluster.balancer.publish(message, durable=False)
        assert sorted(cluster.depths())[0] == 0
    for message in sent[2:4]:
        assert cluster.balancer.try_publish(message)
    assert cluster.depths() == (2, 2), "its neighbour takes what does not fit"
    for message in sent[4:]:
        await cluster.balancer.publish(message, durable=False)
    assert cluster.depths() == (3, 3), "then both are overbooked alike"


async def test_what_has_ended_makes_room_again() -> None:
    cluster, action = Cluster(), an_action()
    home = None
    for _ in range(5):
        message = a_message(action)
        await cluster.balancer.publish(message, durable=False)
        cluster.balancer.ended(message.activation_id, Ended.WELL)
        home = home or max((ONE, TWO), key=lambda i: cluster.bus.depth(topics.invoker(i)))
    assert cluster.bus.depth(topics.invoker(home or ONE)) == 5


async def test_a_controller_uses_its_share_of_an_invoker_only() -> None:
    cluster, action = Cluster(controllers=2), an_action()
    for _ in range(2):
        await cluster.balancer.publish(a_message(action), durable=False)
    assert cluster.depths() == (1, 1)


async def test_who_falls_silent_or_drains_or_fails_is_given_nothing() -> None:
    cluster = Cluster()
    cluster.balancer.heard(ping(ONE, is_taking=False))
    cluster.clock.advance(s=11)
    cluster.balancer.heard(ping(ONE, is_taking=False))
    cluster.balancer.tick()
    assert cluster.balancer.states == {ONE: Health.OFFLINE, TWO: Health.OFFLINE}
    with pytest.raises(NoCapacity):
        await cluster.balancer.publish(a_message(an_action()), durable=True)
    with pytest.raises(NoCapacity):
        cluster.balancer.try_publish(a_message(an_action()))


async def test_an_invoker_at_fault_is_left_out_for_a_while_and_then_tried_again() -> None:
    cluster = Cluster()
    cluster.balancer.heard(ping(TWO, is_taking=False))
    for outcome in (Ended.AT_FAULT,) * 4:
        message = a_message(an_action())
        await cluster.balancer.publish(message, durable=False)
        cluster.balancer.ended(message.activation_id, outcome)
    assert cluster.balancer.states[ONE] is Health.UNHEALTHY
    with pytest.raises(NoCapacity):
        await cluster.balancer.publish(a_message(an_action()), durable=False)

    for _ in range(11):
        cluster.balancer.heard(ping(ONE))
        cluster.balancer.tick()
        cluster.clock.advance(s=1)
    await cluster.balancer.publish(a_message(an_action()), durable=False)


async def test_who_was_taken_away_is_missed_for_an_hour() -> None:
    cluster = Cluster()
    cluster.clock.advance(s=3600)
    cluster.balancer.heard(ping(TWO))
    cluster.balancer.tick()
    assert cluster.balancer.states == {ONE: Health.OFFLINE, TWO: Health.HEALTHY}
    cluster.clock.advance(s=1)
    cluster.balancer.tick()
    assert cluster.balancer.states == {TWO: Health.HEALTHY}
    cluster.balancer.heard(ping(ONE))
    assert cluster.balancer.states[ONE] is Health.HEALTHY


async def test_what_could_not_be_sent_is_not_booked() -> None:
    cluster = Cluster(capacity=1)
    for _ in range(2):
        await cluster.balancer.publish(a_message(an_action()), durable=False)
        for _ in range(3):
            with pytest.raises(BusUnavailable):
                await cluster.balancer.publish(a_message(an_action()), durable=False)
        cluster = Cluster(capacity=1)
    assert cluster.balancer.try_publish(replace(a_message(an_action()), memory_mb=512))


def test_a_late_end_of_something_unknown_is_no_news() -> None:
    cluster = Cluster()
    cluster.balancer.ended(a_message(an_action()).activation_id, Ended.UNANSWERED)
    assert set(cluster.balancer.states.values()) == {Health.HEALTHY}


async def test_an_activation_goes_where_its_kind_runs() -> None:
    cluster = Cluster()
    image, python = (
        replace(a_message(an_action()), kind=kind) for kind in ("blackbox", "python:3.11")
    )
    await cluster.balancer.publish(image, durable=False)
    assert sum(cluster.depths()) == 1, "nobody has said that it runs images: somebody says why not"
    cluster.balancer.heard(replace(ping(ONE), kinds=("python:3.11",)))
    cluster.balancer.heard(replace(ping(TWO), kinds=("python:3.11", "blackbox")))
    before = cluster.depths()[0]
    for n in range(5):
        again = a_message(an_action(f"a{n}"))
        await cluster.balancer.publish(replace(again, kind="blackbox"), durable=False)
    assert cluster.depths()[0] == before
    both = ("python:3.11", "blackbox")
    cluster.balancer.heard(replace(ping(TWO, is_taking=False), kinds=both))
    await cluster.balancer.publish(python, durable=False)
    assert cluster.depths()[0] == before + 1
    with pytest.raises(NoCapacity):
        await cluster.balancer.publish(
            replace(a_message(an_action()), kind="blackbox"), durable=False
        )


def test_the_kinds_that_are_offered_are_those_that_invokers_run() -> None:
    cluster = Cluster()
    everything = Manifest.load()
    offered = OfferedKinds(everything, lambda: cluster.balancer.kinds)
    assert offered.valid_kinds() == everything.valid_kinds(), "nobody has said anything yet"

    cluster.balancer.heard(replace(ping(ONE), kinds=("python:3.11", "blackbox")))
    cluster.balancer.heard(replace(ping(TWO), kinds=("nodejs:18",)))

    assert offered.valid_kinds() == ("nodejs:18", "python:3.11")
    node = offered.resolve("nodejs:default")
    assert node is not None and node.kind == "nodejs:18"
    assert offered.resolve("python:3.13") is None
    assert sorted(offered.info()) == ["nodejs", "python"]
    cluster.balancer.heard(replace(ping(TWO, is_taking=False), kinds=("nodejs:18",)))
    assert offered.resolve("nodejs:18"), "a restart refuses nobody"


async def test_what_a_silent_invoker_was_sent_is_named_until_it_answers_or_speaks() -> None:
    cluster, action = Cluster(), an_action()
    sent = [a_message(action) for _ in range(4)]
    for message in sent:
        await cluster.balancer.publish(message, durable=False)
    assert cluster.balancer.tick() == []

    cluster.clock.advance(s=11)
    cluster.balancer.heard(ping(ONE))
    lost = cluster.balancer.tick()

    assert len(lost) == 2
    assert set(lost) < {each.activation_id for each in sent}
    cluster.balancer.ended(lost[0], Ended.WELL)
    assert cluster.balancer.tick() == lost[1:]
    cluster.balancer.heard(ping(TWO))
    assert cluster.balancer.tick() == []


def a_hint(kind: str = "python:3.11") -> Hint:
    action = an_action()
    return Hint(
        namespace=action.name.namespace,
        action=action.name,
        rev=action.rev,
        kind=kind,
        memory_mb=action.limits.memory_mb,
    )


async def test_a_hint_goes_where_the_activation_would_and_books_nothing() -> None:
    cluster = Cluster()
    for _ in range(5):
        cluster.balancer.foretell(a_hint())
    hinted = [cluster.bus.depth(topics.hints(each)) for each in (ONE, TWO)]
    await cluster.balancer.publish(a_message(an_action()), durable=False)
    assert hinted == [5 * depth for depth in cluster.depths()]


async def test_a_hint_that_nobody_takes_is_dropped() -> None:
    full = Cluster(capacity=1)
    for _ in range(3):
        full.balancer.foretell(a_hint())
    Sharding(full.bus, full.clock).foretell(a_hint())
    assert sum(full.bus.depth(topics.hints(each)) for each in (ONE, TWO)) == 1


async def test_one_invoker_is_told_while_it_is_well() -> None:
    bus, is_well = MemoryBus(None, capacity=1), False
    balancer = SingleInvoker(bus, ONE, lambda: is_well)
    balancer.foretell(a_hint())
    assert bus.depth(topics.hints(ONE)) == 0
    is_well = True
    for _ in range(2):
        balancer.foretell(a_hint())
    assert bus.depth(topics.hints(ONE)) == 1
