"""One of those who wait is woken for each message, and no wake-up is lost."""

import asyncio

from common.bus.waiters import Waiters


async def waiting(waiters: Waiters, number: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.get_running_loop().create_task(waiters.wait()) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def woken(tasks: list[asyncio.Task[None]]) -> list[int]:
    for _ in range(3):
        await asyncio.sleep(0)
    return [index for index, task in enumerate(tasks) if task.done()]


async def test_who_waits_longest_is_woken_alone() -> None:
    waiters = Waiters()
    tasks = await waiting(waiters, 3)
    waiters.wake_one()
    assert await woken(tasks) == [0]
    waiters.wake_one()
    assert await woken(tasks) == [0, 1]
    waiters.wake_all()
    assert await woken(tasks) == [0, 1, 2]
    waiters.wake_one()  # nobody waits


async def test_who_leaves_when_it_was_woken_wakes_the_next() -> None:
    waiters = Waiters()
    tasks = await waiting(waiters, 3)
    waiters.wake_one()
    tasks[0].cancel()
    assert await woken(tasks) == [0, 1]
    tasks[2].cancel()
    await woken(tasks)
    assert tasks[2].cancelled()
