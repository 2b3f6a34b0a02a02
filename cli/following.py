"""Following activations: as the server sends them, else by asking again and again.

A server of Brisk sends each record when it is kept. OpenWhisk has no such address: then each round
asks for what began since a moment, and tells what it has not told before. The moment moves with the
newest activation, but stays behind it by as long as an activation may take: a long one is written
after short ones that began later. So neither the answers nor the memory of what was told grow with
the time of watching. A round that fails is made up for by the next one, and so is a stream that
breaks off.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import sleep
from typing import TYPE_CHECKING, Final, TypeAlias

from cli.event_stream import Event, events
from cli.failures import Failure
from cli.jsontext import Json, decode
from common.clock import SystemClock

if TYPE_CHECKING:
    from cli.client import Client

INTERVAL_S: Final = 2.0
SILENCE_S: Final = 60.0
"""How long a stream may be silent; a server says several times meanwhile that it is there."""
REPEATED: Final = 1_000
"""How much of what was sent is remembered by name: a stream that goes on repeats its last seconds,
also what began before *since*, of which a `Watch` keeps no memory."""
OVERLAP_MS: Final = 660_000
"""The longest time limit, 5 min, for the load and again for the run, and a minute in the queue."""

Tell: TypeAlias = Callable[[dict[str, Json]], None]


@dataclass(slots=True)
class Watch:
    """What was told, and from when on to look.

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


class Following:
    """Follows one namespace, and tells each activation once."""

    def __init__(self, client: "Client", watch: Watch, name: str | None, tell: Tell) -> None:
        """Begin where *watch* says; *name* is of one action, None is all."""
        self._client = client
        self._watch = watch
        self._name = name
        self._tell = tell
        self._clock = SystemClock()
        self._last_seen = ""
        self._streamed: dict[str, None] = {}
        self._is_offered = True

    def run(self, limit_s: float) -> None:
        """Tell what ends until *limit_s* has passed; 0 is for ever."""
        end_s = self._clock.elapsed_s() + limit_s if limit_s else None
        while True:
            if self._is_offered:
                self._stream(end_s)
                if end_s is not None and self._clock.elapsed_s() >= end_s:
                    return
            # Also after a stream that broke off: what ended since comes without waiting for it.
            self._round()
            pause_s = INTERVAL_S
            if end_s is not None:
                pause_s = min(pause_s, end_s - self._clock.elapsed_s())
            if pause_s <= 0:
                return
            sleep(pause_s)

    def _stream(self, end_s: float | None) -> None:
        """Tell what is sent until *end_s*, or until nothing is sent any more."""
        silence_s = SILENCE_S
        if end_s is not None:
            silence_s = max(0.001, min(silence_s, end_s - self._clock.elapsed_s()))
        try:
            with self._client.following(self._query(), self._last_seen, silence_s) as lines:
                if lines is None:
                    self._is_offered = False
                else:
                    self._hear(lines, end_s)
        except Failure:
            return  # It broke off, or was silent for too long.

    def _hear(self, lines: Iterable[bytes], end_s: float | None) -> None:
        for event in events(lines):
            if event is not None:
                self._heard(event)
            if end_s is not None and self._clock.elapsed_s() >= end_s:
                return

    def _heard(self, event: Event) -> None:
        if event.kind == "activation" and event.name not in self._streamed:
            self._streamed[event.name] = None
            if len(self._streamed) > REPEATED:
                del self._streamed[next(iter(self._streamed))]
            self._last_seen = event.name
            self._tell_new([decode(event.data.encode())])
        elif event.kind == "missed":
            self._round()

    def _round(self) -> None:
        try:
            page = self._client.activations({"docs": True, "limit": 0, "skip": 0} | self._query())
        except Failure:
            return  # The next round asks for the same moment again.
        self._tell_new(page)

    def _tell_new(self, page: list[dict[str, Json]]) -> None:
        for one in self._watch.unseen(page):
            self._tell(one)

    def _query(self) -> dict[str, int | str | bool]:
        query: dict[str, int | str | bool] = {}
        if self._name:
            query["name"] = self._name
        if self._watch.since_ms:
            query["since"] = self._watch.since_ms
        return query
