"""What providers answer to whoever calls them: feed actions, and in part 4 the world.

A request is a few values, and so is its answer: in one process it is a call, between two it comes
by HTTP (`controller.events.server`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from common.codec import MalformedJson, decode, encode
from common.errors import BriskError
from common.log import logger
from common.store.port import Conflict, StoreError
from controller.events.feed import Source
from controller.events.lifecycle import Lifecycle, NotAllowed, Unanswered
from controller.events.provider import NotKnown, Refused

MAX_BODY_BYTES: Final = 1 << 20
_STATUS: Final[Mapping[type[BriskError], int]] = {
    Refused: 400,
    NotAllowed: 401,
    NotKnown: 404,
    Conflict: 409,
    Unanswered: 503,
    StoreError: 503,
}
_BUSY: Final = "The store of feeds is away. Try again."
_FAULT: Final = "There was an internal error of the feed's provider."
_log: Final = logger(__name__)


class Answer(NamedTuple):
    """A status of HTTP, and JSON."""

    status: int
    body: bytes


class Face:
    """Answers calls."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def __repr__(self) -> str:
        return f"<Face {self._lifecycle!r}>"

    async def feed(self, package: str, feed: str, body: bytes) -> Answer:
        """Answer the feed action *feed* of a package of `whisk.system`."""
        try:
            if len(body) > MAX_BODY_BYTES:
                raise Refused(f"a feed takes {MAX_BODY_BYTES} bytes at most")
            given = _object(body)
            return Answer(200, encode(await self._lifecycle.told(Source(package, feed), given)))
        except BriskError as error:
            return _refusal(error)
        except Exception as error:
            _log.error("feed_failed", package=package, feed=feed, exc_info=error)
            return Answer(500, encode({"error": _FAULT}))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = decode(body or b"{}")
    except MalformedJson as error:
        raise Refused("the request is not JSON") from error
    if not isinstance(value, dict):
        raise Refused("the request is not a JSON object")
    return value


def _refusal(error: BriskError) -> Answer:
    for family, status in _STATUS.items():
        if isinstance(error, family):
            text = _BUSY if isinstance(error, StoreError) else str(error)
            return Answer(status, encode({"error": text}))
    raise error
