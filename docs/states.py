"""Draws the state machines of the platform into `docs/lifecycle.md`.

A machine is a table in code (`common.machine`): the one that runs is the one that is drawn. The
page around the drawings is written by hand; what is between its marks is not.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import groupby
from types import ModuleType
from typing import Any, Final, NamedTuple

from common.bus import promise
from common.machine import Move
from common.store import shard
from controller.balance import health
from controller.invoke import conductor, linking
from invoker.driver.docker import outage
from invoker.pool import container

MACHINES: Final[Mapping[str, ModuleType]] = {
    "sandbox": container,
    "promise": promise,
    "composition": conductor,
    "rule": linking,
    "invoker": health,
    "engine": outage,
    "day": shard,
}
"""By the name that stands in the marks; each has a table `MOVES`."""

END: Final = "<!-- Until here. -->"
_BEGIN: Final = re.compile(
    r"<!-- The machine (\w+), written by docs/generate\.py from (\S+): `make docs`\. -->"
)
_HEAD: Final = ["| state | event | next state | command | |", "|---|---|---|---|---|"]


class Row(NamedTuple):
    """One move, in words."""

    state: str
    event: str
    following: str
    command: str
    note: str


class NoMark(ValueError):
    """The page has no place for a machine, or one for no machine."""


def begin(name: str) -> str:
    """Return the mark under which the machine *name* is drawn."""
    source = (MACHINES[name].__name__).replace(".", "/") + ".py"
    return f"<!-- The machine {name}, written by docs/generate.py from {source}: `make docs`. -->"


def inserted(page: str) -> str:
    """Return *page* with each machine of today between its marks. Raises `NoMark`."""
    marks = [(match[1], match[0]) for match in _BEGIN.finditer(page)]
    if sorted(marks) != sorted((name, begin(name)) for name in MACHINES):
        raise NoMark(f"the page must have one mark for each of {', '.join(MACHINES)}")
    for name, mark in marks:
        before, _, rest = page.partition(mark)
        _, end, after = rest.partition(END)
        if not end or _BEGIN.search(rest[: rest.index(end)]):
            raise NoMark(f"the drawing of {name} has no end")
        page = f"{before}{mark}\n{drawn(rows(MACHINES[name]))}{end}{after}"
    return page


def rows(machine: ModuleType) -> list[Row]:
    """Return what *machine* can do, in the order of its states."""
    found: list[Row] = []
    for (state, event), moves in machine.MOVES.items():
        for move in [moves] if isinstance(moves, Move) else moves:
            command = "" if move.do is None else _word(move.do)
            found.append(Row(state.name, _word(event), move.to.name, command, move.note))
    order = [state.name for state in type(next(iter(machine.MOVES))[0])]
    return sorted(found, key=lambda row: order.index(row.state))


def drawn(moves: Sequence[Row]) -> str:
    """Return the picture and the table of *moves* in Markdown."""
    cells = [
        f"| {row.state} | `{row.event}` | {row.following} | {row.command} | {row.note} |"
        for row in moves
    ]
    return "\n".join(["```", *_picture(moves), "```", "", *_HEAD, *cells]) + "\n"


def _picture(moves: Sequence[Row]) -> Iterable[str]:
    """Yield the lines of a picture: from each state an arrow to each that may follow."""
    width = max(len(row.state) for row in moves)
    arrows = {
        state: _arrows(list(group)) for state, group in groupby(moves, key=lambda row: row.state)
    }
    reach = max(len(events) for each in arrows.values() for events in each.values())
    for state, targets in arrows.items():
        for number, (following, events) in enumerate(targets.items()):
            is_last = number == len(targets) - 1
            fork = {(True, True): "──", (True, False): "┬─", (False, True): "└─"}.get(
                (number == 0, is_last), "├─"
            )
            head = f"{state:<{width}} ─" if number == 0 else " " * (width + 2)
            line = "─" * (reach - len(events) + 1)
            yield f"{head}{fork} {events} {line}► {following}"


def _arrows(moves: Iterable[Row]) -> dict[str, str]:
    """Return by the state that follows what leads there."""
    found: dict[str, dict[str, None]] = {}
    for row in moves:
        found.setdefault(row.following, {})[row.event] = None
    return {following: ", ".join(events) for following, events in found.items()}


def _word(value: Any) -> str:
    """Return the name of an event or a command, written as a class is."""
    if isinstance(value, Enum):
        return "".join(part.title() for part in value.name.split("_"))
    return str(value.__name__)
