"""What an alarm is after a firing: one that went well, was lost, or was the last one. Pure.

Each change begins with the firing that it follows. If the feed is not at that any more, because its
owner or another provider has changed it, it stays as it is.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from controller.events.feed import Feed, disabled
from controller.events.schedule import shown

Change: TypeAlias = Callable[[Feed], Feed | None]


def moved(next_ms: int, following_ms: int | None, now_ms: int) -> Change:
    """Return what leaves the firing at *next_ms* out."""
    return lambda feed: _on(feed, next_ms, following_ms, now_ms)


def fired(next_ms: int, following_ms: int | None, now_ms: int) -> Change:
    """Return what counts the firing at *next_ms* as done."""

    def change(feed: Feed) -> Feed:
        count = feed.progress.get("fired", 0) + 1
        return _on(feed, next_ms, following_ms, now_ms, fired=count, lost=0)

    return change


def lost(next_ms: int, following_ms: int | None, now_ms: int, *, message: str, most: int) -> Change:
    """Return what counts the firing at *next_ms* as lost, for a reason that its owner is told.

    most: firings in a row that may be lost; then the feed is stopped.
    """

    def change(feed: Feed) -> Feed:
        if not _is_at(feed, next_ms):
            return feed
        count = feed.progress.get("lost", 0) + 1
        after = _on(feed, next_ms, following_ms, now_ms, lost=count)
        if count >= most and after.status.active:
            return disabled(
                after, now_ms, f"Automatically disabled after {count} lost firings: {message}"
            )
        return after

    return change


def stopped(next_ms: int, now_ms: int, *, message: str, status_code: int) -> Change:
    """Return what stops a feed whose firing at *next_ms* cannot succeed."""

    def change(feed: Feed) -> Feed:
        if not _is_at(feed, next_ms):
            return feed
        return disabled(feed, now_ms, message, status_code=status_code)

    return change


def _is_at(feed: Feed, next_ms: int) -> bool:
    return feed.progress.get("next") == next_ms


def _on(feed: Feed, next_ms: int, following_ms: int | None, now_ms: int, **counted: int) -> Feed:
    if not _is_at(feed, next_ms):
        return feed
    progress: dict[str, Any] = dict(feed.progress) | counted | {"next": following_ms}
    most = feed.config.get("maxTriggers", -1)
    if 0 <= most <= progress.get("fired", 0):
        after = replace(feed, progress=progress)
        return disabled(after, now_ms, "Automatically disabled after reaching max triggers.")
    if following_ms is not None:
        return replace(feed, progress=progress)
    cleaning = feed.config.get("deleteAfterFire", "false")
    if cleaning != "false" and progress.get("fired", 0):
        return replace(feed, progress=progress | {"cleaning": cleaning})
    after = replace(feed, progress=progress)
    said = f"Automatically disabled: the last firing was due at {shown(next_ms)}."
    if "date" in feed.config:
        said = "Automatically disabled after firing once."
        if not progress.get("fired", 0):
            said = f"Automatically disabled: its date, {shown(next_ms)}, was missed."
    return disabled(after, now_ms, said)
