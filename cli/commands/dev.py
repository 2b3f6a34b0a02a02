"""`dev`: a function while it is being written: each save is stored, and its logs are shown."""

import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote

import click

from cli import render, wskprops
from cli.artifacts import Recipe, exec_of, no_file
from cli.configuration import Configuration
from cli.console import bold, ok, print_failure
from cli.develop.local import platform
from cli.develop.reading import check
from cli.develop.sources import Stamp, digest, stamp
from cli.failures import NETWORK, Failure
from cli.following import Watch
from cli.grammar import INTEGER, Command, Words
from cli.jsontext import Json
from cli.names import EntityName, parse_entity
from cli.session import Session, client_of
from common.clock import SystemClock

if TYPE_CHECKING:
    from cli.client import Client

LOOK_S: Final = 0.05
"""How often files are looked at: a save is seen within two looks, for it must have ended."""
LOGS_EVERY: Final = 10
"""Looks between two questions for logs."""
CLOCK: Final = SystemClock()


@dataclass(slots=True)
class Loop:
    """What is watched, and what of it was stored last."""

    client: "Client"
    name: EntityName
    place: Path
    document: Callable[[], dict[str, Json]]
    watch: Watch
    content: str = ""
    stored: Stamp = ()
    is_over: threading.Event = field(default_factory=threading.Event)

    def save(self) -> None:
        """Store the files as they are, unless they are what was stored last."""
        begun_s = CLOCK.elapsed_s()
        # Before they are read: what is saved meanwhile is another save.
        self.stored = stamp(self.place)
        try:
            content = digest(self.place)
            if content == self.content:
                return
            made = self.client.put("actions", self.name, self.document(), overwrite=True)
            # Only now: what could not be stored is tried again when anything changes.
            self.content = content
        except Failure as failure:
            print_failure(failure, "brisk")
            return
        except FileNotFoundError:
            return  # It is being replaced; the next look finds it.
        spent_ms = round((CLOCK.elapsed_s() - begun_s) * 1000)
        kind = (made.get("exec") or {}).get("kind", "")
        ok(f"{bold(str(self.name.name))} {made.get('version')} · {kind} · {spent_ms} ms")
        sys.stdout.flush()

    def run(self) -> None:
        """Look at the files, and for logs, until it is over."""
        seen = self.stored
        looks = 0
        while not self.is_over.wait(LOOK_S):
            now = stamp(self.place)
            if now == seen and now != self.stored:
                self.save()
            seen = now
            looks += 1
            if looks % LOGS_EVERY == 0:
                self.show_logs()

    def show_logs(self) -> None:
        """Print what has been written by activations that ended since."""
        query: dict[str, int | str | bool] = {
            **{"docs": True, "limit": 100, "skip": 0, "name": self.name.in_namespace},
            "since": self.watch.since_ms,
        }
        try:
            page = self.client.activations(query)
        except Failure as failure:
            if failure.exit_code == NETWORK:
                raise  # The platform is gone; there is nothing left to do here.
            return
        for one in self.watch.unseen(page):
            status = (one.get("response") or {}).get("status")
            spent = render.duration_text(int(one.get("duration") or 0))
            print(f"{self.name.name} {one.get('activationId')} {status} {spent}")
            for line in one.get("logs") or []:
                print(f"  {render.stripped_log(str(line))}")
        sys.stdout.flush()


@click.command(
    "dev",
    cls=Command,
    words=(1, 1),
    shown="FILE|FOLDER",
    needs="A file or a folder is required.",
    takes=("parameter", "annotation"),
    completes=("files",),
)
@click.option("--name", metavar="NAME", help="of the action (that of the file)")
@click.option("--kind", metavar="KIND", help="language, as in python:3 or nodejs:20")
@click.option("--main", metavar="NAME", help="the function to call")
@click.option("--data", metavar="DIR", help="the data folder, when a platform is started")
@click.option("--port", type=INTEGER, metavar="PORT", help="start a platform there, 0 for any")
def dev(session: Session, words: Words, **typed: Any) -> None:
    """Store FILE or FOLDER at each save, show its logs; start a platform if none runs."""
    place = Path(words[0])
    if not place.exists():
        raise no_file(words[0])
    name = parse_entity(typed["name"] or _name_of(place.resolve()))
    recipe = Recipe(artifact=words[0], kind=typed["kind"], main=typed["main"], builds=_tell)
    lists = {
        "parameters": session.typed.bindings("parameter"),
        "annotations": session.typed.bindings("annotation"),
    }
    given = {key: value for key, value in lists.items() if value is not None}

    def document() -> dict[str, Json]:
        check(place, typed["kind"], typed["main"])
        return {"exec": exec_of(recipe), **given}

    exec_of(recipe)  # What cannot be an action ends here; what is only misspelt may be mended.
    data = Path(typed["data"]) if typed["data"] else None
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with platform(session.configuration(), data, typed["port"]) as config:
            client = client_of(config, is_brisk=True)
            client.namespaces()  # A wrong key is told before anything is watched.
            loop = Loop(client, name, place, document, Watch(CLOCK.now_ms()))
            loop.save()
            print(_curl(config, name, data))
            print(f"watching {place}; Ctrl-C ends it", flush=True)
            loop.run()
    except KeyboardInterrupt:
        return


def _name_of(place: Path) -> str:
    return place.name if place.is_dir() else place.stem


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _tell(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)


def _curl(config: Configuration, name: EntityName, data: Path | None) -> str:
    """Return a line that invokes the action, to be pasted; the key stays where it lies."""
    path = f"/api/{config.api_version}/namespaces/{name.namespace}/actions/"
    url = f"{config.host_url}{path}{quote(name.in_namespace)}?blocking=true&result=true"
    where = wskprops.location()
    key = '"UUID:KEY"'
    if where and wskprops.read(where).get("AUTH") == config.auth:
        key = f"\"$(sed -n 's/^AUTH *= *//p' {where})\""
    elif data is not None:
        key = f'"$(cat {data / "guest.key"})"'
    return f"curl -u {key} -H 'Content-Type: application/json' -d '{{}}' '{url}'"
