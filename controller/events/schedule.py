"""When an alarm fires next, and what becomes of firings that were missed. Pure.

A schedule is nominal: its firings are moments that follow from the schedule alone, whoever asks and
whenever. Each has a name by that, under which it is done once. Nobody may have been there when one
was due: what is late by more than a minute was missed, and the schedule says what becomes of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, TypeAlias, get_args

from controller.events.cron import Cron

Missed: TypeAlias = Literal["skip", "one", "all"]
"""What becomes of firings that nobody was there for: nothing, one for all of them, each."""
MISSED: Final[tuple[Missed, ...]] = get_args(Missed)
TIMELY_MS: Final = 60_000
"""What is not later than this is late, but was not missed."""
MAX_MADE_UP: Final = 100
"""Firings that are made up for at most; of more, the oldest are, and the rest is left out."""
MAX_JITTER_S: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When to fire: by a pattern, every so many minutes, or once; exactly one of them is given."""

    cron: str | None = None
    zone: str = "UTC"
    every_ms: int | None = None
    once_ms: int | None = None
    start_ms: int | None = None
    """The first moment at which it may fire; of an interval, the moment at which it does."""
    stop_ms: int | None = None
    """The last moment at which it may fire."""
    jitter_s: int = 0
    """Each firing comes up to this much later, by a number that follows from its name."""
    missed: Missed = "one"


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be fired now, in order, and when it goes on; None is never."""

    firings: tuple[int, ...]
    next_ms: int | None


def first(schedule: Schedule, now_ms: int) -> int | None:
    """Return the first firing of a schedule that is made at *now_ms*; None when there is none."""
    if schedule.once_ms is not None:
        return schedule.once_ms
    if schedule.every_ms is not None:
        start_ms = schedule.start_ms or 0
        return _until_stop(schedule, start_ms) if start_ms > now_ms else following(schedule, now_ms)
    return following(schedule, max(now_ms, (schedule.start_ms or 0) - 1))


def following(schedule: Schedule, moment_ms: int) -> int | None:
    """Return the first firing after *moment_ms*; None when that was the last one."""
    if schedule.once_ms is not None:
        return schedule.once_ms if moment_ms < schedule.once_ms else None
    if schedule.every_ms is not None:
        start_ms = schedule.start_ms or 0
        passed = max(0, (moment_ms - start_ms) // schedule.every_ms + 1)
        return _until_stop(schedule, start_ms + passed * schedule.every_ms)
    assert schedule.cron is not None, "a schedule has one of the three"
    return _until_stop(schedule, _pattern(schedule.cron, schedule.zone).after(moment_ms))


def due(schedule: Schedule, next_ms: int, now_ms: int) -> Due:
    """Return what is to be done at *now_ms* of a schedule whose next firing is at *next_ms*."""
    oldest_timely_ms = now_ms - TIMELY_MS
    firings: list[int] = []
    at_ms: int | None = next_ms
    if next_ms < oldest_timely_ms:
        most = {"skip": 0, "one": 1, "all": MAX_MADE_UP}[schedule.missed]
        while at_ms is not None and at_ms < oldest_timely_ms and len(firings) < most:
            firings.append(at_ms)
            at_ms = following(schedule, at_ms)
        if at_ms is not None and at_ms < oldest_timely_ms:
            at_ms = following(schedule, oldest_timely_ms - 1)
    while at_ms is not None and at_ms <= now_ms and len(firings) < MAX_MADE_UP:
        firings.append(at_ms)
        at_ms = following(schedule, at_ms)
    return Due(tuple(firings), at_ms)


def delay_ms(schedule: Schedule, owner: str, due_ms: int) -> int:
    """Return by how much the firing of *owner* that is due at *due_ms* is put off, as ever."""
    if schedule.jitter_s == 0:
        return 0
    name = blake2b(f"{owner}/{due_ms}".encode(), digest_size=8).digest()
    return int.from_bytes(name, "big") % (schedule.jitter_s * 1000 + 1)


def shown(moment_ms: int) -> str:
    """Return *moment_ms* as people read it: ISO 8601, in seconds, UTC."""
    return datetime.fromtimestamp(moment_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _until_stop(schedule: Schedule, moment_ms: int | None) -> int | None:
    is_over = moment_ms is None or (schedule.stop_ms is not None and moment_ms > schedule.stop_ms)
    return None if is_over else moment_ms


@lru_cache(maxsize=1024)
def _pattern(cron: str, zone: str) -> Cron:
    return Cron(cron, zone)
