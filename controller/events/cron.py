"""When a cron pattern fires: of which instants its fields are true, in a time zone. Pure.

Fields, and which dates match them, are the library's. What becomes of a pattern on the two days of
a year on which clocks are changed is decided here, alike for five fields and for six:

* A pattern that names its hour and its minute is a time of day. One that is skipped comes at once
  when the clock has jumped, one that comes twice is taken the first time: once a day, every day.
* A pattern whose hour or minute begins with `*` is a beat. It fires whenever the clock on the wall
  shows a time that matches, twice if it shows it twice, and not if it never does.

Source: what cron of Debian does. The library does so for five fields only, and takes the first
instant after a skipped midnight for a midnight.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MAX_CHARACTERS: Final = 200
_FIVE: Final = 5
_AHEAD: Final = timedelta(days=2)
"""No zone changes its clocks twice within."""
_SECOND: Final = timedelta(seconds=1)
_LAST_YEAR: Final = 9_900
"""Of what a date can be; the library looks fifty years ahead."""


class NotAPattern(ValueError):
    """The text is no cron pattern, or one that no date matches."""


class NoSuchZone(ValueError):
    """There is no time zone of this name."""


class Cron:
    """A pattern in a time zone."""

    def __init__(self, pattern: str, zone: str = "UTC") -> None:
        """Read *pattern*: five fields, six that begin with seconds, or a nickname such as `@daily`.

        zone: a name of IANA's.
        Raises `NotAPattern`, `NoSuchZone`.
        """
        self._zone = zone_of(zone)
        fields = fields_of(pattern)
        # The library looks at fields one by one, and steps through seconds that no date has.
        try:
            self._dates = CronSim(" ".join(fields), datetime(2000, 1, 1))
        except (CronSimError, ValueError) as error:
            raise NotAPattern(pattern) from error
        *_, minute, hour, _, _, _ = fields
        self._is_beat = minute.startswith("*") or hour.startswith("*")
        if next(self._matching(datetime(2000, 1, 1)), None) is None:
            raise NotAPattern(pattern)

    def after(self, moment_ms: int) -> int | None:
        """Return the first firing after *moment_ms*; None when there is none in fifty years."""
        moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
        found = self._next_beat(moment) if self._is_beat else self._next_time_of_day(moment)
        return None if found is None else int(found.timestamp()) * 1000

    def _next_time_of_day(self, moment: datetime) -> datetime | None:
        wall = _wall(moment, self._zone)
        # Clocks that were put back lately show times again that were taken the first time, so a
        # match that the wall has behind it may still be to come, if the clock has jumped over it.
        since = wall - (_AHEAD if self._changes_between(moment - _AHEAD, moment) else timedelta(0))
        for match in self._matching(since):
            instant = self._first_showing(match)
            if instant > moment:
                return instant
        return None

    def _next_beat(self, moment: datetime) -> datetime | None:
        at, wall = moment, _wall(moment, self._zone)
        while True:
            match = next(self._matching(wall), None)
            if match is None:
                return None
            shift = self._shift(at)
            instant = (match - shift).replace(tzinfo=UTC)
            if self._shift(instant) == shift:
                return instant
            # Clocks are changed before that. Up to shortly before, nothing matches anyway.
            nearer = max(at, instant - _AHEAD)
            if nearer > at:
                at, wall = nearer, _wall(nearer, self._zone)
                continue
            at = self._change(at, instant)
            wall = _wall(at, self._zone) - _SECOND

    def _matching(self, wall: datetime) -> Iterator[datetime]:
        """Yield each time after *wall* that matches, as a clock without a zone counts."""
        dates = copy.copy(self._dates)
        dates.dt = wall
        while dates.dt.year < _LAST_YEAR:
            try:
                yield next(dates)
            except StopIteration:
                return

    def _first_showing(self, wall: datetime) -> datetime:
        """Return when the clock shows *wall* first; if it never does, when it has jumped past."""
        instant = wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
        if _wall(instant, self._zone) == wall:
            return instant
        return self._change(instant - _AHEAD, instant)

    def _changes_between(self, early: datetime, late: datetime) -> bool:
        return self._shift(early) != self._shift(late)

    def _change(self, early: datetime, late: datetime) -> datetime:
        """Return the first instant after a change of the clock that lies in (early, late]."""
        shift = self._shift(early)
        while late - early > _SECOND:
            middle = early + (late - early) // 2
            middle = middle.replace(microsecond=0)
            early, late = (middle, late) if self._shift(middle) == shift else (early, middle)
        return late

    def _shift(self, instant: datetime) -> timedelta:
        return instant.astimezone(self._zone).utcoffset() or timedelta(0)


def fields_of(pattern: str) -> list[str]:
    """Return the fields of *pattern*, five or six. Raises `NotAPattern`."""
    text = pattern.strip()
    fields = NICKNAMES.get(text.lower(), text).replace("?", "*").split()
    if len(text) > MAX_CHARACTERS or not _FIVE <= len(fields) <= _FIVE + 1:
        raise NotAPattern(pattern)
    return fields


def has_seconds(pattern: str) -> bool:
    """Tell whether *pattern* fires at other seconds than the first of a minute."""
    fields = fields_of(pattern)
    return len(fields) > _FIVE and fields[0] != "0"


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone *name*. Raises `NoSuchZone`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # An OSError: the name of a folder of zones, such as `Europe`.
        raise NoSuchZone(name) from error


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)
