"""What a provider is told of a feed, and what it says to that. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from common.errors import BriskError


class Refused(BriskError):
    """What was asked of a feed is wrong, and the text says how."""


class NotKnown(BriskError):
    """There is no feed for this trigger. Delete the trigger, and create it anew."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a feed is to do: what was asked for, what events carry, where it begins."""

    config: Mapping[str, Any]
    payload: Mapping[str, Any]
    progress: Mapping[str, Any]


class Answer(NamedTuple):
    """What a provider answers a call with: a status of HTTP, and JSON."""

    status: int
    body: bytes
