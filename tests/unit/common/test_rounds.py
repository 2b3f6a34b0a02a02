"""Group commit: shared, in order, bounded, and nobody's cancellation is another's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from common.rounds import Rounds, RoundsClosed, RoundsFull


class Disk:
    """Takes a round only when it is let, and remembers what was in each."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.may_go_on = threading.Semaphore(0)
        self.fails = False

    def work(self, items: Sequence[int]) -> list[int | Exception]:
        assert self.may_go_on.acquire(timeout=5)
        self.rounds.append(list(items))
        if self.fails:
            raise OSError("the disk is full")
        return [ValueError(item) if item < 0 else item * 10 for item in items]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def rounds(disk: Disk) -> AsyncIterator[Rounds[int, int]]:
    rounds: Rounds[int, int] = Rounds(disk.work, name="disk", at_once=3, most_waiting=5)
    yield rounds
    disk.may_go_on.release(100)
    async with asyncio.timeout(5):
        await rounds.close()


async def test_who_comes_together_shares_a_round(disk: Disk, rounds: Rounds[int, int]) -> None:
    disk.may_go_on.release(2)

    assert await asyncio.gather(*map(rounds.post, range(5))) == [0, 10, 20, 30, 40]
    assert disk.rounds == [[0, 1, 2], [3, 4]]


async def test_who_comes_meanwhile_is_in_the_next_round(
    disk: Disk, rounds: Rounds[int, int]
) -> None:
    first = rounds.post(1)
    await asyncio.sleep(0)
    others = [rounds.post(2), rounds.post(3)]
    disk.may_go_on.release(2)

    assert await asyncio.gather(first, *others) == [10, 20, 30]
    assert disk.rounds == [[1], [2, 3]]


async def test_one_item_fails_alone_and_a_round_fails_together(
    disk: Disk, rounds: Rounds[int, int]
) -> None:
    disk.may_go_on.release(2)
    outcomes = await asyncio.gather(*map(rounds.post, (1, -1, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, ValueError, int]

    disk.fails = True
    outcomes = await asyncio.gather(*map(rounds.post, (1, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError, OSError]


async def test_what_is_cancelled_before_its_round_is_left_out(
    disk: Disk, rounds: Rounds[int, int]
) -> None:
    outcomes = [rounds.post(number) for number in (1, 2, 3)]
    outcomes[1].cancel()
    disk.may_go_on.release()

    assert [await outcomes[0], await outcomes[2]] == [10, 30]
    assert disk.rounds == [[1, 3]]


async def test_what_is_cancelled_in_its_round_does_not_disturb_it(
    disk: Disk, rounds: Rounds[int, int]
) -> None:
    outcomes = [rounds.post(number) for number in (1, 2)]
    await asyncio.sleep(0)
    outcomes[0].cancel()
    disk.may_go_on.release()

    assert await outcomes[1] == 20


async def test_no_more_wait_than_may(disk: Disk, rounds: Rounds[int, int]) -> None:
    waiting = [rounds.post(number) for number in range(5)]
    with pytest.raises(RoundsFull):
        await rounds.post(6)

    disk.may_go_on.release(2)
    await asyncio.gather(*waiting)


async def test_closing_finishes_what_was_posted(disk: Disk, rounds: Rounds[int, int]) -> None:
    posted = rounds.post(1)
    disk.may_go_on.release()

    await rounds.close()

    assert await posted == 10
    with pytest.raises(RoundsClosed):
        await rounds.post(2)
