"""Feeds: the protocol by which a command line has an action make events for a trigger.

A feed is an action that is told, blocking, what becomes of a trigger: CREATE, READ, UPDATE, DELETE.
Who types `-F` or `-T` says which values are the feed's and which the trigger's; who types `-p`
means the feed where there is one, else the trigger. Pure: what was typed in, what is sent out.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cli.arguments import Typed
from cli.failures import NOT_ALLOWED, Failure, Remedy
from cli.jsontext import Json
from cli.names import EntityName
from cli.shapes import FEED, annotation

Event: TypeAlias = Literal["CREATE", "READ", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class Values:
    """What was typed for a trigger and for its feed; None is what was not typed at all.

    is_split: the flags said which is whose.
    """

    trigger: dict[str, Json] | None
    feed: dict[str, Json] | None
    is_split: bool

    def stored(self, *, has_feed: bool) -> list[Json] | None:
        """Return the parameters that the trigger keeps; None for those it has."""
        kept = None if has_feed and not self.is_split else self.trigger
        return None if kept is None else [{"key": key, "value": kept[key]} for key in kept]

    @property
    def sent(self) -> dict[str, Json]:
        """What the feed is told, beside what happens."""
        return (self.feed if self.is_split else self.trigger) or {}


def values_of(typed: Typed) -> Values:
    """Return what was typed. Raises `Failure` when both styles are mixed."""
    plain = typed.values("parameter")
    feed, trigger = typed.values("feed"), typed.values("trigger")
    if feed is None and trigger is None:
        return Values(plain, None, is_split=False)
    if plain is not None:
        raise Failure(
            "Incorrect usage. Cannot combine --feed-param or --trigger-param flag with neither "
            "--param nor --param-file flag",
            NOT_ALLOWED,
            shows_usage=False,
            remedy=Remedy("-F is for the feed, -T for the trigger", "replace -p by -F or -T"),
        )
    return Values(trigger, feed, is_split=True)


def require_feed(values: Values) -> None:
    """Raise `Failure` when something was typed for the feed of a trigger that is to have none."""
    if values.feed is not None:
        raise Failure(
            "Incorrect usage. Trigger without a feed cannot have feed parameters",
            NOT_ALLOWED,
            shows_usage=False,
            remedy=Remedy("-F is for a feed", "add --feed ACTION, or use -T"),
        )


def feed_of(trigger: dict[str, Json]) -> str | None:
    """Return the name of a trigger's feed; None when it has none."""
    name = annotation(trigger, FEED)
    return name if isinstance(name, str) and name else None


def annotations_kept(given: list[Json] | None, feed: str | None) -> list[Json] | None:
    """Return the annotations to send: the *given* ones, and the feed, which must not be lost."""
    if given is None or feed is None:
        return given
    return [one for one in given if one["key"] != FEED] + [{"key": FEED, "value": feed}]


def call(event: Event, trigger: EntityName, auth: str, sent: dict[str, Json]) -> dict[str, Json]:
    """Return the arguments of the feed action."""
    # The feed puts its own namespace for `_`: it runs in that of the caller.
    return sent | {"lifecycleEvent": event, "triggerName": str(trigger), "authKey": auth}
