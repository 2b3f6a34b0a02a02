"""What a feed was given is found in what it tells, where the digest knows it."""

from typing import Any

import pytest

from cli.project.entity import Entity, Kind
from cli.project.feeding import FEED_DIGEST, digest_of, given_to, with_digest
from tests.unit.cli.project.entities import entity

FEED = "/whisk.system/alarms/interval"
MADE_UP: dict[str, Any] = {"name": "t", "namespace": "guest", "startDate": 1, "stopDate": None}
TOLD: dict[str, Any] = {**MADE_UP, "payload": {}, "minutes": 5}


def trigger(**inputs: Any) -> Entity:
    return with_digest(entity(Kind.TRIGGER, "t", feed=FEED, parameters=inputs))


@pytest.mark.parametrize(
    "inputs",
    [
        {"minutes": 5},
        {"minutes": 5, "trigger_payload": {}},
        {"minutes": 5, "startDate": 1},
        {},
        TOLD,
    ],
)
def test_what_was_given_is_told_from_what_was_made_up(inputs: dict[str, Any]) -> None:
    assert given_to(trigger(**inputs), TOLD) == inputs


def test_of_what_nobody_can_know_the_likely_is_taken() -> None:
    """The trigger was made by another tool, or the feed tells something else than it was given."""
    unmarked = entity(Kind.TRIGGER, "t", feed=FEED)
    assert given_to(unmarked, TOLD) == {"minutes": 5}
    assert given_to(trigger(minutes=6), TOLD) == {"minutes": 5}
    many = {f"k{at}": at for at in range(40)}
    assert given_to(unmarked, many) == many


def test_a_digest_knows_the_feed_and_not_the_order() -> None:
    assert digest_of("a", {"x": 1, "y": 2}) == digest_of("a", {"y": 2, "x": 1})
    assert digest_of("a", {}) != digest_of("b", {})
    assert FEED_DIGEST not in with_digest(entity(Kind.TRIGGER, "t")).table("annotations")
