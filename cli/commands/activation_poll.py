"""`activation poll`: follow the logs of a namespace as activations end."""

from typing import TYPE_CHECKING, Any, Final

import click

from cli.console import bold, print_json
from cli.failures import GENERAL, Ended, Failure
from cli.following import Following, Watch
from cli.grammar import INTEGER, Group, Words
from cli.jsontext import Json
from cli.session import Session
from common.clock import SystemClock

if TYPE_CHECKING:
    from cli.client import Client

_UNITS_MS: Final = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}


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
        watch = Watch(start_ms(client, age_ms))
        print("Polling for activation logs", flush=True)
        following = Following(client, watch, words[0] if words else None, _print)
        following.run(float(flags["exit"]))
    except KeyboardInterrupt as interrupt:
        print("Poll terminated")
        raise Ended(GENERAL) from interrupt


def start_ms(client: "Client", age_ms: int) -> int:
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


def _print(one: dict[str, Json]) -> None:
    print(f"\nActivation: '{bold(str(one.get('name')))}' ({one.get('activationId')})")
    print_json(one.get("logs") or [])
