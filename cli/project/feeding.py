"""What feeds were given: told by a digest, and found again in what a feed tells of itself. Pure.

A trigger keeps nothing of what its feed was given: there may be keys of others in it. It keeps a
digest, which says whether a feed would be given something else now. And it says, when a project is
written down, which of the things that a feed tells were given to it, and which it made up.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import combinations
from typing import Final

from cli.jsontext import Json, encode, sorted_keys
from cli.project.entity import Entity, Kind
from cli.shapes import FEED

FEED_DIGEST: Final = "feed-digest"
"""The annotation that holds the digest."""
MOST_GUESSED: Final = 12
"""Of so many values, each choice is tried; 4096 digests take some milliseconds."""
_ALIASES: Final = {"payload": "trigger_payload"}
"""What feeds call something when they tell it, and what when they are given it."""
_MADE_UP: Final = frozenset({"name", "namespace", "startDate"})
"""What feeds tell and nobody gave them, as far as one can know; wskdeploy leaves out the last."""


def digest_of(feed: str, inputs: Mapping[str, Json]) -> str:
    """Return what tells whether a feed was given other inputs: nobody reads these out of it."""
    return sha256(encode([feed, sorted_keys(dict(inputs))])).hexdigest()


def with_digest(entity: Entity) -> Entity:
    """Return a trigger with the digest of what its feed is given; anything else as it is."""
    feed = entity.fields.get(FEED)
    if entity.kind is not Kind.TRIGGER or feed is None:
        return entity
    digest = digest_of(feed, entity.table("parameters"))
    annotations = {**entity.table("annotations"), FEED_DIGEST: digest}
    return Entity(
        entity.kind, entity.name, {**entity.fields, "annotations": annotations}, entity.place
    )


def given_to(trigger: Entity, told: Mapping[str, Json]) -> dict[str, Json]:
    """Return what the feed of *trigger* was given, of all that it *told*."""
    feed, digest = str(trigger.fields[FEED]), trigger.table("annotations").get(FEED_DIGEST)
    known = {_ALIASES.get(key, key): value for key, value in told.items() if value is not None}
    for some in (dict(told), known, *_choices(known)):
        if digest_of(feed, some) == digest:
            return some
    return {key: value for key, value in known.items() if key not in _MADE_UP and value != {}}


def _choices(known: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield each part of *known*, the larger first."""
    if len(known) > MOST_GUESSED:
        return
    for size in range(len(known) - 1, -1, -1):
        for keys in combinations(known, size):
            yield {key: known[key] for key in keys}
