"""The gate between bulks and questions that count."""

import asyncio

import pytest

from common.store.couch_gate import Gate, Side


class Visit:
    """Somebody who enters, notes it, and stays until told to leave."""

    def __init__(self, gate: Gate, side: Side, tasks: asyncio.TaskGroup) -> None:
        self.inside = False
        self.go = asyncio.Event()
        self.task = tasks.create_task(self._stay(gate, side))

    async def _stay(self, gate: Gate, side: Side) -> None:
        async with gate.enter(side):
            self.inside = True
            await self.go.wait()
        self.inside = False


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_sides_are_never_inside_together_and_take_turns() -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        first = Visit(gate, "write", tasks)
        second = Visit(gate, "write", tasks)
        await turn()
        asker = Visit(gate, "ask", tasks)
        await turn()
        late = Visit(gate, "write", tasks)
        await turn()
        assert (first.inside, second.inside, asker.inside, late.inside) == (
            True,
            True,
            False,
            False,
        )

        first.go.set()
        second.go.set()
        await turn()
        assert (asker.inside, late.inside) == (True, False), "who asks does not wait for ever"

        asker.go.set()
        await turn()
        assert late.inside
        late.go.set()


@pytest.mark.parametrize("has_left", [False, True])
async def test_who_gives_up_holds_up_nobody(has_left: bool) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        writer = Visit(gate, "write", tasks)
        await turn()
        asker = Visit(gate, "ask", tasks)
        await turn()
        late = Visit(gate, "write", tasks)
        await turn()
        if has_left:
            writer.go.set()
        asker.task.cancel()
        await turn()

        assert late.inside
        writer.go.set()
        late.go.set()
    async with asyncio.timeout(1), gate.enter("ask"):
        pass
