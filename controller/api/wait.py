"""A caller on the short way who waits for an activation, without a task of its own."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from common.entity.activation import ActivationRecord
from common.message.activation import ActivationMessage
from controller.edge.hot import Reply, Spawn


class Words(Protocol):
    """Has the words for how one call ended."""

    def ended(self, record: ActivationRecord) -> bytes:
        """Return the answer to who waited for the end. Raises nothing."""
        ...

    def promised(self, message: ActivationMessage) -> Coroutine[Any, Any, bytes]:
        """Make the activation last, and return the answer to a caller whose wait is over."""
        ...


class Wait:
    """Told the end of an activation, or that it goes on without the caller."""

    __slots__ = ("_message", "_reply", "_spawn", "_timer", "_words")

    def __init__(self, words: Words, reply: Reply, spawn: Spawn) -> None:
        self._words = words
        self._reply = reply
        self._spawn = spawn
        self._message: ActivationMessage | None = None
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, message: ActivationMessage, wait_s: float) -> None:
        """Wait no longer than *wait_s*."""
        self._message = message
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._over)

    def ended(self, record: ActivationRecord | None) -> None:
        """Answer with the record; None is looked for by the caller."""
        if self._timer is None:
            return  # the wait is over
        self._timer.cancel()
        if record is None:
            self._over()
            return
        self._timer = None
        self._reply(self._words.ended(record))

    def _over(self) -> None:
        self._timer = None
        self._spawn(self._promise())

    async def _promise(self) -> None:
        assert self._message, "it was begun"
        self._reply(await self._words.promised(self._message))
