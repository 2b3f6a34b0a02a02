"""Actions as the invoker reads them: a store that is away for a moment costs no activation.

What was accepted was promised, and its action is needed only now. So who cannot read it waits for
the store, within a bound; meanwhile others, whose action is at hand, go on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from common.clock import Clock
from common.codec import decode
from common.entity.action import Action
from common.entity.names import QualifiedName
from common.ids import Rev
from common.log import logger
from common.message.activation import ActivationMessage
from common.store.actions import ActionStore
from common.store.port import StoreUnavailable

PAUSE_S: Final = 0.5
"""Between two attempts."""

Read = TypeVar("Read")

log = logger(__name__)


class PatientActions:
    """The actions of a store, for whoever can wait."""

    def __init__(self, store: ActionStore, clock: Clock, *, wait_s: float) -> None:
        """wait_s: how long a read is tried again while the store is away."""
        self._store = store
        self._clock = clock
        self._wait_s = wait_s

    async def get(self, name: QualifiedName, rev: Rev) -> Action:
        """Return revision *rev* of *name*, else the newest. Raises as `ActionStore.get` does."""
        return await self._read(lambda: self._store.get(name, rev=rev), name)

    async def code(self, action: Action) -> str | None:
        """Return the code of *action*, None when it has none. Raises `Corrupted` and others."""
        return await self._read(lambda: self._store.code(action), action.name)

    async def with_arguments(self, message: ActivationMessage) -> ActivationMessage:
        """Return *message* with what it hands on, wherever that lies.

        Raises `Missing`, `Corrupted`, `StoreUnavailable`.
        """
        ref, env_ref = message.payload_ref, message.init_env_ref
        if ref is not None:
            payload = await self._read(lambda: self._store.arguments(ref), message.action)
            message = replace(message, payload=payload, payload_ref=None)
        if env_ref is not None:
            data = await self._read(lambda: self._store.arguments(env_ref), message.action)
            message = replace(message, init_env=decode(data), init_env_ref=None)
        return message

    async def _read(self, ask: Callable[[], Awaitable[Read]], name: QualifiedName) -> Read:
        give_up_s: float | None = None
        while True:
            try:
                return await ask()
            except StoreUnavailable as error:
                now_s = self._clock.elapsed_s()
                if give_up_s is None:
                    give_up_s = now_s + self._wait_s
                    log.warning("action_waits_for_store", action=name.doc_id, why=str(error))
                if now_s >= give_up_s:
                    raise
                await asyncio.sleep(min(PAUSE_S, give_up_s - now_s))
