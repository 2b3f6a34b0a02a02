"""What a namespace may use of a month or a day: the document `bud/<namespace>`, and what it means.

Three thresholds, in percent of the amount: from the first on somebody is told, from the second on
fewer invocations a minute are accepted, from the third on none. What has been told is written into
the same document, so that of several controllers one tells it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import IntEnum, StrEnum
from typing import Any, Final, Literal, TypeAlias, get_args

from common.entity.names import is_legal
from common.ids import Namespace, Rev

Every: TypeAlias = Literal["day", "month"]

MOST: Final = 10**15
MOST_PERCENT: Final = 1_000
MICROS: Final = 1_000_000
"""Of a currency."""
WARN_PERCENT: Final = 80
STOP_PERCENT: Final = 100
PER_MINUTE: Final = 10
FIELDS: Final = (
    "measure", "amount", "every", "warn", "throttle", "stop", "perMinute", "trigger"
)  # fmt: skip
"""What an operator sets, in the order in which it is shown."""


class NotABudget(ValueError):
    """A budget cannot be that; says what it may be."""


class Measure(StrEnum):
    """What is counted."""

    COST = "cost"
    """In millionths of the installation's currency."""
    GB_SECONDS = "gbSeconds"
    ACTIVATIONS = "activations"


class Level(IntEnum):
    """How much of a budget is spent."""

    WITHIN = 0
    WARNED = 1
    THROTTLED = 2
    STOPPED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Of what somebody has been told last."""

    period: str = ""
    level: Level = Level.WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One namespace's."""

    namespace: Namespace
    measure: Measure
    amount: int
    """Micros of the currency, GB-seconds, or activations."""
    every: Every = "month"
    """Calendar months or days (UTC)."""
    warn_percent: int | None = WARN_PERCENT
    """Of the amount; None is never. So are the two that follow."""
    throttle_percent: int | None = None
    stop_percent: int | None = STOP_PERCENT
    per_minute: int = PER_MINUTE
    """How many invocations are accepted once it throttles."""
    trigger: str = ""
    """Of this namespace: fired when a threshold is crossed."""
    told: Told = Told()
    rev: Rev = Rev("")


def budget_of(namespace: Namespace, body: Mapping[str, Any], rev: Rev = Rev("")) -> Budget:
    """Return the budget that *body* says. Raises `NotABudget`."""
    measure = _one_of(body, "measure", tuple(Measure), None)
    told = body.get("told") or {}
    return Budget(
        namespace=namespace,
        measure=Measure(measure),
        amount=_number(body, "amount", 1, MOST, None),
        every=_one_of(body, "every", get_args(Every), "month"),
        warn_percent=_percent(body, "warn", WARN_PERCENT),
        throttle_percent=_percent(body, "throttle", None),
        stop_percent=_percent(body, "stop", STOP_PERCENT),
        per_minute=_number(body, "perMinute", 0, MOST, PER_MINUTE),
        trigger=_trigger(body.get("trigger") or ""),
        told=Told(
            period=str(told.get("period", "")),
            level=Level(_number(told, "level", 0, max(Level), 0)),
        ),
        rev=rev,
    )


def changed(body: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with what is *given* over what it said; what was told is told anew.

    Raises `NotABudget`.
    """
    kept = {name: value for name, value in body.items() if name in FIELDS}
    wanted = {**kept, **given}
    budget_of(Namespace(""), wanted)
    return wanted


def micros(text: str) -> int:
    """Return the millionths in an amount of a currency such as `12.50`. Raises `NotABudget`."""
    try:
        amount = Decimal(text) * MICROS
        if amount == amount.to_integral_value() and 0 < amount <= MOST:
            return int(amount)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise NotABudget(f"an amount cannot be {text!r}: a number such as 12.50, six decimals at most")


def shown(body: Mapping[str, Any]) -> list[str]:
    """Return the lines `name = value` of a document."""
    return [f"{name} = {body[name]}" for name in FIELDS if body.get(name) not in (None, "")]


def _one_of(body: Mapping[str, Any], name: str, known: tuple[Any, ...], default: Any) -> Any:
    value = body.get(name, default)
    if value not in known:
        raise NotABudget(f"{name} cannot be {value!r}: one of {', '.join(known)}")
    return value


def _percent(body: Mapping[str, Any], name: str, default: int | None) -> int | None:
    # 0 is how an operator says never.
    return _number(body, name, 0, MOST_PERCENT, default or 0) or None


def _number(body: Mapping[str, Any], name: str, least: int, most: int, default: int | None) -> int:
    value = body.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise NotABudget(f"{name} cannot be {value!r}: a whole number from {least} to {most}")
    return value


def _trigger(name: object) -> str:
    if not isinstance(name, str) or (name and not is_legal(name)):
        raise NotABudget(f"trigger cannot be {name!r}: the name of a trigger of the namespace")
    return name
