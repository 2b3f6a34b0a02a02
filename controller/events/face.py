"""What providers answer to whoever calls them: feed actions, and whoever has the address of a hook.

A request is a few values, and so is its answer: in one process it is a call, between two it comes
by HTTP (`controller.events.server`).
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from common.codec import MalformedJson, decode, encode
from common.errors import BriskError
from common.log import logger
from common.store.port import Conflict, StoreError
from controller.events.feed import Source
from controller.events.lifecycle import Lifecycle, NotAllowed, Unanswered
from controller.events.provider import Answer, NotKnown, Refused

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
_TOO_LARGE: Final = f"An event has {MAX_BODY_BYTES} bytes at most."
_FAULT: Final = "There was an internal error of the feed's provider."
_log: Final = logger(__name__)


class Hooks(Protocol):
    """What answers calls of hooks."""

    async def called(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer a call. *path*: namespace, trigger and token. Raises `StoreUnavailable`."""
        ...


class Face:
    """Answers calls."""

    def __init__(self, lifecycle: Lifecycle, hooks: Hooks) -> None:
        self._lifecycle = lifecycle
        self._hooks = hooks

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

    async def hook(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer who calls a hook. *path*: namespace, trigger and token."""
        try:
            if len(body) > MAX_BODY_BYTES:
                return Answer(413, encode({"error": _TOO_LARGE}))
            return await self._hooks.called(path, headers, body)
        except StoreError as error:
            return _refusal(error)
        except Exception as error:
            _log.error("hook_failed", hook="/".join(path[:2])[:300], exc_info=error)
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
