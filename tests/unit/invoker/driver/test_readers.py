"""Descriptors are read by turns: who writes without end does not keep others waiting."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from invoker.driver.readers import REST, Readers

TURN_S = 0.02
"""How long one turn of a flood takes here."""


class Pipe:
    """Written to by the test; counts the bytes that are read, one a turn."""

    def __init__(self, *, is_flood: bool) -> None:
        self.reading, self.writing = os.pipe2(os.O_NONBLOCK)
        self.is_flood = is_flood
        self.turns: list[float] = []
        self._turned: asyncio.Queue[None] = asyncio.Queue()

    def take(self) -> bool:
        os.read(self.reading, 1)
        self.turns.append(time.monotonic())
        self._turned.put_nowait(None)
        if self.is_flood:
            time.sleep(TURN_S)  # what a turn costs
        return self.is_flood

    async def was_read(self, times: int) -> None:
        """Return when it has been read so often more."""
        async with asyncio.timeout(5):
            for _ in range(times):
                await self._turned.get()


@pytest.fixture
def pipes() -> Iterator[tuple[Pipe, Pipe]]:
    both = Pipe(is_flood=True), Pipe(is_flood=False)
    yield both
    for pipe in both:
        os.close(pipe.reading)
        os.close(pipe.writing)


async def test_a_flood_rests_in_proportion_and_others_are_read_meanwhile(
    pipes: tuple[Pipe, Pipe],
) -> None:
    flood, other = pipes
    readers = Readers(asyncio.get_running_loop())
    for pipe in pipes:
        readers.watch(pipe.reading, pipe.take)
        os.write(pipe.writing, b"x" * 3)
    await flood.was_read(3)
    rests = [later - before for before, later in zip(flood.turns, flood.turns[1:], strict=False)]
    assert min(rests) >= (1 + REST) * TURN_S * 0.9  # the clock of the loop is coarser than ours
    assert other.turns[-1] < flood.turns[1]
    for pipe in pipes:
        readers.forget(pipe.reading)


async def test_what_is_forgotten_while_it_rests_is_not_read_again(
    pipes: tuple[Pipe, Pipe],
) -> None:
    flood, other = pipes
    readers = Readers(asyncio.get_running_loop())
    for pipe in pipes:
        readers.watch(pipe.reading, pipe.take)
    os.write(flood.writing, b"xx")
    await flood.was_read(1)
    readers.forget(flood.reading)
    rested_s = flood.turns[0] + 2 * (1 + REST) * TURN_S
    while time.monotonic() < rested_s:  # turns of the other one, until the rest is long over
        os.write(other.writing, b"x")
        await other.was_read(1)
    assert len(flood.turns) == 1
    readers.forget(other.reading)


async def test_what_is_forgotten_in_its_own_turn_does_not_rest(pipes: tuple[Pipe, Pipe]) -> None:
    flood, _ = pipes
    readers = Readers(asyncio.get_running_loop())

    def take_and_leave() -> bool:
        readers.forget(flood.reading)
        return flood.take()

    readers.watch(flood.reading, take_and_leave)
    os.write(flood.writing, b"x")
    await flood.was_read(1)
    assert not asyncio.get_running_loop().remove_reader(flood.reading)
