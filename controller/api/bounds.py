"""Whether the limits that an action asks for are within what its namespace may have. Pure."""

from collections.abc import Mapping

from common.errors import LimitOutOfBounds
from common.settings import LimitSettings


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
