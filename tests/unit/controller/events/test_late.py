"""The embedded platform's provider comes when it comes; who asks before waits, not for ever."""

import asyncio

import pytest

from common.settings import EventsSettings
from controller.events.late import COMES_S, LateEvents
from tests.fakes.clock import FakeClock
from tests.fakes.feeds import OpenSeal
from tests.fakes.running_api import MemoryDocs


def late() -> LateEvents:
    docs = MemoryDocs()
    return LateEvents(
        EventsSettings(), docs, docs, OpenSeal(), FakeClock(), url="http://127.0.0.1:1"
    )


async def test_who_asks_before_it_is_there_waits_for_it() -> None:
    events = late()
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(events.feed("nosuch", "feed", b"{}"))
        called = tasks.create_task(events.hook(("guest", "t", "x"), {}, b""))
        await asyncio.sleep(0)
        assert not asked.done() and not called.done()
        running = tasks.create_task(events.run())
        assert await asked == (400, b'{"error":"there is no feed nosuch/feed"}')
        assert await called == (404, b'{"error":"There is no such hook."}')
        running.cancel()


@pytest.mark.looptime
async def test_nobody_waits_for_ever(looptime: object) -> None:
    events = late()
    status, said = await events.feed("alarms", "alarm", b"{}")
    assert (status, said) == (503, b'{"error":"The providers of events are not up. Try again."}')
    assert asyncio.get_running_loop().time() >= COMES_S
