"""Who waits for an activation is told once, also if that is before its end."""

from common.entity.activation import ActivationRecord
from common.ids import ActivationId, Namespace
from controller.balance.inflight import InFlight
from tests.fakes.records import a_record

ONE, GUEST = ActivationId("0" * 32), Namespace("guest")


class Waiting:
    """One activation, and what was told of it."""

    def __init__(self) -> None:
        self.told: list[ActivationRecord | None] = []
        self.inflight = InFlight()
        self.inflight.add(ONE, GUEST, ends_by_s=100.0, on_end=self.told.append)


def test_who_is_let_go_is_told_once_and_the_activation_stays_under_way() -> None:
    waiting = Waiting()
    waiting.inflight.let_go(ONE)
    waiting.inflight.let_go(ONE)
    assert waiting.told == [None]
    assert waiting.inflight.count(GUEST) == 1

    assert waiting.inflight.complete(ONE, a_record())
    assert waiting.told == [None]
    assert waiting.inflight.count(GUEST) == 0


def test_nobody_is_let_go_twice_or_after_the_end() -> None:
    waiting, record = Waiting(), a_record()
    waiting.inflight.complete(ONE, record)
    waiting.inflight.let_go(ONE)
    assert waiting.told == [record]


def test_what_was_let_go_expires_like_the_rest() -> None:
    waiting = Waiting()
    waiting.inflight.let_go(ONE)
    assert waiting.inflight.expire(100.0) == [ONE]
    assert len(waiting.inflight) == 0
