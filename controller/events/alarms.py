"""What users ask of alarms: from parameters to a schedule, in OpenWhisk's words. Pure.

Source: the package `alarms` of OpenWhisk (action/alarmWebAction.js). Ours beside it: `timezone`
of IANA in every release, `jitter`, and `missed`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from common.codec import MalformedJson, decode
from controller.events import schedule as schedules
from controller.events.cron import Cron, NoSuchZone, NotAPattern, has_seconds
from controller.events.feed import Feed
from controller.events.provider import Order, Refused
from controller.events.schedule import MAX_JITTER_S, MISSED, Schedule

ALARM: Final = "alarm"
INTERVAL: Final = "interval"
ONCE: Final = "once"
FEEDS: Final = (ALARM, INTERVAL, ONCE)
DELETE_AFTER_FIRE: Final = ("false", "true", "rules")
FIRST_AFTER_MS: Final = 30_000
"""When an interval begins that names no start."""
MAX_MINUTES: Final = 525_600 * 10
_MINUTE_MS: Final = 60_000
_UPDATABLE: Final[Mapping[str, tuple[str, ...]]] = {
    ALARM: ("cron", "timezone", "startDate", "stopDate", "strict", "jitter", "missed"),
    INTERVAL: ("minutes", "startDate", "stopDate", "jitter", "missed"),
    ONCE: ("date", "deleteAfterFire", "missed"),
}
_TIMING: Final = frozenset({"cron", "timezone", "startDate", "stopDate", "minutes", "date"})
"""What moves the next firing when it is changed."""
_END_OF_TIME_MS: Final = 253_402_300_799_000


class Alarms:
    """The provider of alarms, as the life of a feed sees it."""

    feeds = FEEDS

    def __repr__(self) -> str:
        return "<Alarms>"

    async def created(self, feed: str, given: Mapping[str, Any], now_ms: int) -> Order:
        """Return what a new alarm is to do. Raises `Refused`."""
        return created(feed, given, now_ms)

    async def updated(
        self, feed: str, before: Order, given: Mapping[str, Any], now_ms: int
    ) -> Order:
        """Return what an alarm is to do from now on. Raises `Refused`."""
        return updated(feed, before, given, now_ms)

    def resumed(self, before: Order, now_ms: int) -> Order:
        """Return what an alarm is to do that was paused: nothing of what it missed meanwhile."""
        next_ms = before.progress.get("next")
        if next_ms is None or next_ms <= now_ms:
            next_ms = schedules.following(schedule_of(before.config), now_ms)
        return Order(before.config, before.payload, dict(before.progress) | {"next": next_ms})

    def shown(self, feed: Feed) -> dict[str, Any]:
        """Return what READ shows, as OpenWhisk's package does."""
        about = {"name": feed.trigger, "namespace": feed.namespace, "payload": dict(feed.payload)}
        bounds: dict[str, Any] = {"startDate": None, "stopDate": None}
        if feed.source.feed == ONCE:
            bounds = {"deleteAfterFire": "false"}
        return about | bounds | dict(feed.config)

    def answer(self, feed: Feed) -> dict[str, Any]:
        """Return what CREATE says beside that it went well: nothing."""
        return {}


def created(feed: str, given: Mapping[str, Any], now_ms: int) -> Order:
    """Return what a new alarm is to do. Raises `Refused`."""
    config = _READERS[feed]({}, given, now_ms)
    _check_bounds(given, config)
    return _order(config, payload_of(given.get("trigger_payload")), now_ms)


def updated(feed: str, before: Order, given: Mapping[str, Any], now_ms: int) -> Order:
    """Return what an alarm is to do from now on. Raises `Refused`."""
    changes = {name: given[name] for name in _UPDATABLE[feed] if _is_given(given, name)}
    if not changes and not given.get("trigger_payload"):
        raise Refused("no updatable parameters were specified")
    payload = before.payload
    if given.get("trigger_payload"):
        payload = payload_of(given["trigger_payload"])
    if not changes:
        return Order(before.config, payload, before.progress)
    config = _READERS[feed](before.config, changes | _bound(given), now_ms)
    _check_order(before.config, changes)
    if not changes.keys() & _TIMING:
        return Order(config, payload, before.progress)
    again = _order(config, payload, now_ms)
    return Order(again.config, again.payload, dict(before.progress) | dict(again.progress))


def schedule_of(config: Mapping[str, Any]) -> Schedule:
    """Return the schedule of what was read before."""
    minutes = config.get("minutes")
    return Schedule(
        cron=config.get("cron"),
        zone=config.get("timezone") or "UTC",
        every_ms=None if minutes is None else minutes * _MINUTE_MS,
        once_ms=_moment_ms(config.get("date")),
        start_ms=_moment_ms(config.get("startDate")),
        stop_ms=_moment_ms(config.get("stopDate")),
        jitter_s=0 if config.get("strict") else config.get("jitter", 0),
        missed=config.get("missed", "one"),
    )


def payload_of(given: Any) -> dict[str, Any]:
    """Return what each firing carries: an object, JSON text of one, or anything as `payload`."""
    if isinstance(given, str):
        try:
            given = decode(given)
        except MalformedJson:
            return {"payload": given} if given else {}
    if given is None:
        return {}
    return given if isinstance(given, dict) else {"payload": given}


def _order(config: dict[str, Any], payload: Mapping[str, Any], now_ms: int) -> Order:
    schedule = schedule_of(config)
    next_ms = schedules.first(schedule, now_ms)
    if next_ms is None:
        raise Refused("the first scheduled trigger fire is not until after the stop date")
    return Order(config, payload, {"next": next_ms})


def _alarm(before: Mapping[str, Any], given: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    config = dict(before) | _common(before, given, now_ms)
    cron, zone = given.get("cron", before.get("cron")), given.get("timezone")
    zone = zone or before.get("timezone") or "UTC"
    if not cron:
        raise Refused("alarms trigger feed is missing the cron parameter")
    try:
        Cron(str(cron), str(zone))
        if given.get("limitCronFields") and has_seconds(str(cron)):
            raise Refused(
                "cron pattern is limited to 5 fields with 1 minute as the finest granularity"
            )
    except NotAPattern as error:
        raise Refused(f"cron pattern '{cron}' is not valid") from error
    except NoSuchZone as error:
        raise Refused("Invalid timezone.") from error
    config |= {"cron": str(cron), "timezone": str(zone)}
    if _is_given(given, "strict"):
        config["strict"] = str(given["strict"]).lower() == "true"
    if _is_given(given, "maxTriggers"):
        config["maxTriggers"] = _integer(given, "maxTriggers", least=-1, most=_END_OF_TIME_MS)
    return config


def _interval(before: Mapping[str, Any], given: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    config = dict(before) | _common(before, given, now_ms)
    minutes = given.get("minutes", before.get("minutes"))
    if not minutes:
        raise Refused("interval trigger feed is missing the minutes parameter")
    number = _whole(minutes)
    if number is None:
        raise Refused("the minutes parameter must be an integer")
    if number <= 0:
        raise Refused("the minutes parameter must be an integer greater than zero")
    if number > MAX_MINUTES:
        raise Refused(f"the minutes parameter must not be greater than {MAX_MINUTES}")
    return {"startDate": now_ms + FIRST_AFTER_MS} | config | {"minutes": number}


def _once(before: Mapping[str, Any], given: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    config = dict(before)
    if _is_given(given, "date"):
        config["date"] = _date(given["date"], "date", now_ms)
    elif "date" not in before:
        raise Refused("alarms once trigger feed is missing the date parameter")
    if _is_given(given, "deleteAfterFire"):
        word = str(given["deleteAfterFire"]).strip().lower()
        if word not in DELETE_AFTER_FIRE:
            raise Refused("deleteAfterFire parameter must be one of [false, true, rules].")
        config["deleteAfterFire"] = word
    return config | _missed(given)


_Reader = Callable[[Mapping[str, Any], Mapping[str, Any], int], dict[str, Any]]
_READERS: Final[Mapping[str, _Reader]] = {ALARM: _alarm, INTERVAL: _interval, ONCE: _once}


def _common(before: Mapping[str, Any], given: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Return what alarms and intervals have alike."""
    found: dict[str, Any] = {}
    if _is_given(given, "startDate"):
        found["startDate"] = _date(given["startDate"], "startDate", now_ms)
    if _is_given(given, "stopDate"):
        start = found.get("startDate", before.get("startDate"))
        found["stopDate"] = _date(given["stopDate"], "stopDate", now_ms, after=start)
    if _is_given(given, "jitter"):
        found["jitter"] = _integer(given, "jitter", least=0, most=MAX_JITTER_S)
    return found | _missed(given)


def _missed(given: Mapping[str, Any]) -> dict[str, Any]:
    if not _is_given(given, "missed"):
        return {}
    word = str(given["missed"]).strip().lower()
    if word not in MISSED:
        raise Refused(f"missed parameter must be one of [{', '.join(MISSED)}].")
    return {"missed": word}


def _check_bounds(given: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    if _is_given(given, "maxTriggers") and "stopDate" in config:
        if "minutes" in config:
            raise Refused("maxTriggers is not supported for the interval trigger feed")
        raise Refused("maxTriggers is not allowed when the stopDate parameter is specified")


def _check_order(before: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Refuse a start that comes behind a stop which stays."""
    start, stop = changes.get("startDate"), before.get("stopDate")
    if start is None or stop is None or "stopDate" in changes:
        return
    if (_moment_ms(start) or 0) >= (_moment_ms(stop) or 0):
        raise Refused(
            f"startDate parameter '{start}' must be less than the stopDate parameter '{stop}'"
        )


def _bound(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"limitCronFields": given["limitCronFields"]} if "limitCronFields" in given else {}


def _date(given: Any, name: str, now_ms: int, *, after: Any = None) -> Any:
    """Return *given* as it came, a moment to come. Raises `Refused`."""
    moment_ms = _moment_ms(given)
    if moment_ms is None:
        raise Refused(f"{name} parameter '{given}' is not a valid Date")
    if moment_ms <= now_ms:
        raise Refused(f"{name} parameter '{given}' must be in the future")
    if after is not None and moment_ms <= (_moment_ms(after) or 0):
        raise Refused(
            f"{name} parameter '{given}' must be greater than the startDate parameter '{after}'"
        )
    return given


def _moment_ms(given: Any) -> int | None:
    """Return Unix milliseconds of ISO text, or of a number of them; None when it is neither."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    if isinstance(given, str):
        try:
            parsed = datetime.fromisoformat(given.strip())
        except ValueError:
            return None
        given = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000
    return int(given) if 0 <= given <= _END_OF_TIME_MS else None


def _integer(given: Mapping[str, Any], name: str, *, least: int, most: int) -> int:
    number = _whole(given[name])
    if number is None or not least <= number <= most:
        raise Refused(f"the {name} parameter must be an integer from {least} to {most}")
    return number


def _whole(given: Any) -> int | None:
    """Return a whole number, also when it came as text; None when it is none."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        number = float(given)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _is_given(given: Mapping[str, Any], name: str) -> bool:
    """Tell whether a parameter has a value: an empty one is none, as `-p stopDate ''`."""
    return given.get(name) not in (None, "")
