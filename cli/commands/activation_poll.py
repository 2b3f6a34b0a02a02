"""`activation poll`: follow the logs of a namespace as activations end.

Each round asks for what began since a moment, and prints what it has not printed before. The moment
moves with the newest activation, but stays behind it by as long as an activation may take: a long
one is written after short ones that began later. So neither the answers nor the memory of what was
printed grow with the time of watching. A round that fails is made up for by the next one.
"""

from dataclasses import dataclass, field
from time import sleep
from typing import TYPE_CHECKING, Any, Final

import click

from cli.console import bold, print_json
from cli.failures import GENERAL, Ended, Failure
from cli.grammar import INTEGER, Group, Words
from cli.jsontext import Json
from cli.session import Session
from common.clock import SystemClock

if TYPE_CHECKING:
    from cli.client import Client

INTERVAL_S: Final = 2.0
OVERLAP_MS: Final = 660_000
"""The longest time limit, 5 min, for the load and again for the run, and a minute in the queue."""
_UNITS_MS: Final = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}


@dataclass(slots=True)
class Watch:
    """What was printed, and from when on to look.

    since_ms: Unix time; 0 is the beginning.
    """

    since_ms: int
    starts_ms: dict[str, int] = field(default_factory=dict)

    def unseen(self, page: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """Return what of *page* is new, the oldest first, and remember it."""
        fresh = [one for one in reversed(page) if one.get("activationId") not in self.starts_ms]
        for one in fresh:
            self.starts_ms[str(one.get("activationId"))] = int(one.get("start") or 0)
        self.since_ms = max(self.since_ms, max(self.starts_ms.values(), default=0) - OVERLAP_MS)
        self.starts_ms = {
            name: start for name, start in self.starts_ms.items() if start >= self.since_ms
        }
        return fresh


def register(group: Group) -> None:
    """Give *group* the verb poll."""
    verb = group.command(
        "poll",
        words=(0, 1),
        shown="[NAME]",
        needs="An optional namespace is the only valid argument.",
    )
    command = _poll
    for unit in reversed(_UNITS_MS):
        option = click.option(f"--since-{unit}", type=INTEGER, default=0, help=f"{unit} ago")
        command = option(command)
    verb(click.option("-e", "--exit", type=INTEGER, default=0, help="end after so many s")(command))


def _poll(session: Session, words: Words, **flags: Any) -> None:
    """Print the logs of activations as they end."""
    print("Enter Ctrl-c to exit.", flush=True)
    client = session.client()
    age_ms = sum(flags[f"since_{unit}"] * factor for unit, factor in _UNITS_MS.items())
    try:
        watch = Watch(_start_ms(client, age_ms))
        print("Polling for activation logs", flush=True)
        _follow(client, watch, words[0] if words else None, float(flags["exit"]))
    except KeyboardInterrupt as interrupt:
        print("Poll terminated")
        raise Ended(GENERAL) from interrupt


def _start_ms(client: "Client", age_ms: int) -> int:
    """Return from when on to look: so long ago, else just after the newest activation."""
    if age_ms:
        return SystemClock().now_ms() - age_ms
    try:
        found = client.activations({"docs": True, "limit": 1, "skip": 0})
    except Failure as failure:
        raise failure.within(
            "Unable to obtain the list of activations for namespace 'default'", shows_usage=False
        ) from failure
    return int(found[0].get("start") or 0) + 1 if found else 0


def _follow(client: "Client", watch: Watch, name: str | None, limit_s: float) -> None:
    """Print new activations until *limit_s* has passed; 0 is for ever."""
    clock = SystemClock()
    end_s = clock.elapsed_s() + limit_s
    while True:
        _round(client, watch, name)
        pause_s = min(INTERVAL_S, end_s - clock.elapsed_s()) if limit_s else INTERVAL_S
        if pause_s <= 0:
            return
        sleep(pause_s)


def _round(client: "Client", watch: Watch, name: str | None) -> None:
    query: dict[str, int | str | bool] = {"docs": True, "limit": 0, "skip": 0}
    if name:
        query["name"] = name
    if watch.since_ms:
        query["since"] = watch.since_ms
    try:
        page = client.activations(query)
    except Failure:
        return  # The next round asks for the same moment again.
    for one in watch.unseen(page):
        print(f"\nActivation: '{bold(str(one.get('name')))}' ({one.get('activationId')})")
        print_json(one.get("logs") or [])
