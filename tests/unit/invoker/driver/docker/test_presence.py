"""An outage of the engine: who waits, for how long, and when it is over."""

import asyncio

import pytest

from invoker.driver.docker.engine import EngineFailed, EngineUnreachable
from invoker.driver.docker.presence import TRIES, Presence
from invoker.driver.port import CannotStart

pytestmark = pytest.mark.looptime


class Cleaning:
    """Counts, and fails while it is told to."""

    def __init__(self) -> None:
        self.done = 0
        self.fails = False

    async def __call__(self) -> None:
        if self.fails:
            raise EngineFailed("not yet")
        self.done += 1


async def test_nobody_waits_for_an_engine_that_is_there(looptime: object) -> None:
    cleaning = Cleaning()
    presence = Presence(30, cleaning)
    await presence.found()
    await presence.wait()
    assert (looptime, cleaning.done, presence.outages) == (0, 0, 0)


async def test_who_waits_goes_on_when_it_is_back_and_cleaned_up(looptime: object) -> None:
    cleaning = Cleaning()
    presence = Presence(30, cleaning)
    presence.lost("gone")
    presence.lost("still gone")
    waiting = asyncio.ensure_future(presence.wait())
    await asyncio.sleep(20)
    cleaning.fails = True
    with pytest.raises(EngineFailed):
        await presence.found()
    assert presence.is_away and not waiting.done()
    cleaning.fails = False
    await presence.found()
    await waiting
    assert (looptime, cleaning.done, presence.outages) == (20, 1, 1)


async def test_an_outage_is_waited_for_as_long_as_it_may_last_and_then_not_at_all(
    looptime: object,
) -> None:
    presence = Presence(30, Cleaning())
    presence.lost("gone")
    await asyncio.sleep(10)
    with pytest.raises(EngineUnreachable, match="more than 30 s"):
        await presence.wait()
    assert looptime == 30
    with pytest.raises(EngineUnreachable):
        await presence.wait()
    assert looptime == 30
    await presence.found()
    presence.lost("again")
    waiting = asyncio.ensure_future(presence.wait())
    await asyncio.sleep(29)
    assert not waiting.done(), "a new outage has its own time"
    await presence.found()
    await waiting


async def test_an_engine_that_is_busy_for_a_moment_is_not_away() -> None:
    presence = Presence(30, Cleaning())
    for _ in range(3):
        presence.silent("busy")
        assert not presence.answered()
    assert presence.outages == 0
    presence.silent("busy")
    presence.silent("busy")
    assert presence.is_away
    assert presence.answered(), "it has to be found"


async def test_what_an_outage_breaks_off_is_begun_anew_and_nothing_else_is() -> None:
    presence = Presence(30, Cleaning())
    failures: list[Exception] = [EngineUnreachable("gone"), CannotStart("half made")]
    failures[1].__cause__ = EngineUnreachable("gone again")
    done = 0

    async def work() -> str:
        nonlocal done
        done += 1
        if failures:
            raise failures.pop(0)
        return "made"

    working = asyncio.ensure_future(presence.through(work))
    for outage in (1, 2):
        await asyncio.sleep(1)
        assert (presence.is_away, presence.outages, done) == (True, outage, outage)
        await presence.found()
    assert await working == "made"

    failures.append(EngineFailed("no space left"))
    with pytest.raises(EngineFailed, match="no space"):
        await presence.through(work)
    assert (presence.outages, done) == (2, 4)


async def test_what_is_broken_off_again_and_again_ends() -> None:
    presence, tries = Presence(30, Cleaning()), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise EngineUnreachable("gone")

    working = asyncio.ensure_future(presence.through(work))
    while not working.done():
        await asyncio.sleep(1)
        await presence.found()
    assert isinstance(working.exception(), EngineUnreachable)
    assert tries == TRIES


async def test_an_outage_that_is_over_when_it_is_told_of_is_no_second_one() -> None:
    presence = Presence(30, Cleaning())
    begun: list[int] = []

    async def work() -> str:
        begun.append(presence.outages)
        if len(begun) == 1:
            presence.lost("gone")
            await presence.found()
            raise CannotStart from EngineUnreachable("what was begun went with it")
        return "done"

    assert await presence.through(work) == "done"
    assert (begun, presence.outages, presence.is_away) == ([0, 1], 1, False)


async def test_who_is_the_first_to_miss_it_has_the_others_wait() -> None:
    presence = Presence(30, Cleaning())

    async def work() -> None:
        raise CannotStart from EngineUnreachable("it cannot be asked why that ended")

    working = asyncio.ensure_future(presence.through(work))
    await asyncio.sleep(1)
    assert presence.is_away and not working.done()
    working.cancel()
