"""What a namespace may ask for, and whether an action is within it. Values in, values out."""

from collections.abc import Mapping
from typing import Final

from common.entity.namespace_limits import RETENTION, NamespaceLimits
from common.errors import KindNotAuthorized, LimitOutOfBounds
from common.settings import LimitSettings
from common.store import retention

_RANGES: Final = (
    ("minActionMemory", "min_memory_mb", "maxActionMemory", "max_memory_mb"),
    ("minActionLogs", "min_logs_mb", "maxActionLogs", "max_logs_mb"),
    ("minActionTimeout", "min_timeout_ms", "maxActionTimeout", "max_timeout_ms"),
    ("minActionConcurrency", "min_concurrency", "maxActionConcurrency", "max_concurrency"),
)
_SIZES: Final = (
    ("maxParameterSize", "max_parameters_bytes"),
    ("maxPayloadSize", "max_payload_bytes"),
)


def effective(bounds: LimitSettings, own: NamespaceLimits) -> LimitSettings:
    """Return the bounds of a namespace: its own where they are narrower than the installation's.

    Source: OpenWhisk's `UserLimits`, which are clamped to the system's.
    """
    if not own.numbers:
        return bounds
    changes: dict[str, int] = {}
    for min_name, min_field, max_name, max_field in _RANGES:
        least, most = getattr(bounds, min_field), getattr(bounds, max_field)
        changes[min_field] = min(max(own.number(min_name, least), least), most)
        changes[max_field] = min(max(own.number(max_name, most), least), most)
    for name, field in _SIZES:
        most = getattr(bounds, field)
        changes[field] = min(own.number(name, most), most)
    return bounds.model_copy(update=changes)


def payload_bytes(bounds: LimitSettings, own: NamespaceLimits) -> int:
    """Return how large the body of an invocation may be."""
    return min(own.number("maxPayloadSize", bounds.max_payload_bytes), bounds.max_payload_bytes)


def shown_from_ms(now_ms: int, records_days: int, own: NamespaceLimits) -> int:
    """Return the start from which on records of a namespace are shown.

    records_days: of the installation.
    """
    return retention.shown_from_ms(now_ms, own.number(RETENTION, records_days))


def check_kind(kind: str, bounds: LimitSettings, own: NamespaceLimits) -> None:
    """Refuse a kind that a namespace may not use, of those that the platform has.

    What the installation allows and what the namespace allows are added; if neither says anything,
    every kind is allowed. Source: OpenWhisk's `KindRestrictor`. Raises `KindNotAuthorized`.
    """
    everywhere = {each.strip() for each in bounds.allowed_kinds.split(",") if each.strip()}
    allowed = everywhere.union(own.allowed_kinds or ())
    if allowed and kind not in allowed:
        raise KindNotAuthorized(kind)


def check_limits(wanted: Mapping[str, int], bounds: LimitSettings) -> None:
    """Refuse the first limit that is out of *bounds*.

    wanted: fields of `common.entity.limits.Limits`, only those that were asked for.
    Raises: `LimitOutOfBounds`.
    """
    if (timeout_ms := wanted.get("timeout_ms")) is not None:
        _check_duration(timeout_ms, bounds.min_timeout_ms, bounds.max_timeout_ms)
    if (memory_mb := wanted.get("memory_mb")) is not None:
        _check_size("memory", memory_mb, bounds.min_memory_mb, bounds.max_memory_mb)
    if (logs_mb := wanted.get("logs_mb")) is not None:
        _check_size("log", logs_mb, bounds.min_logs_mb, bounds.max_logs_mb)
    if (concurrency := wanted.get("concurrency")) is not None:
        _check_concurrency(concurrency, bounds.min_concurrency, bounds.max_concurrency)


def _check_duration(value: int, least: int, most: int) -> None:
    subject = f"duration {value} milliseconds"
    if value < least:
        raise LimitOutOfBounds(f"{subject} below allowed threshold of {least} milliseconds")
    if value > most:
        raise LimitOutOfBounds(f"{subject} exceeds allowed threshold of {most} milliseconds")


def _check_size(what: str, value: int, least: int, most: int) -> None:
    subject = f"{what} size {value} MB"
    if value < least:
        raise LimitOutOfBounds(f"{subject} below allowed threshold of {least} MB")
    if value > most:
        raise LimitOutOfBounds(f"{subject} exceeds allowed threshold of {most} MB")


def _check_concurrency(value: int, least: int, most: int) -> None:
    if value < least:
        raise LimitOutOfBounds(f"concurrency {value} below allowed threshold of {least}")
    if value > most:
        raise LimitOutOfBounds(f"concurrency {value} exceeds allowed threshold of {most}")
