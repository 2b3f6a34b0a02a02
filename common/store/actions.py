"""Actions: entities whose code may be longer than their document.

Code longer than 16 KB lives in the blob store, under its digest, and is written before the document
that names it. It is not cached here: an invoker reads it once per sandbox.
"""

from dataclasses import replace
from typing import Final

from common.clock import Clock
from common.entity.action import Action, BlobRef, Exec
from common.entity.action_document import (
    ENTITY_TYPE,
    MAX_INLINE_BYTES,
    from_document,
    to_document,
    to_list_item,
)
from common.ids import Rev
from common.store.cache import Lifetimes
from common.store.entities import LIFETIMES, EntityStore, Form
from common.store.port import BlobStore, DocStore

CACHED_ACTIONS: Final = 4096
"""At most 64 MB of inline code."""
FORM: Final = Form(
    entity_type=ENTITY_TYPE,
    to_document=to_document,
    from_document=from_document,
    to_list_item=to_list_item,
)


class ActionStore(EntityStore[Action]):
    """The actions of all namespaces."""

    def __init__(
        self,
        docs: DocStore,
        blobs: BlobStore,
        *,
        clock: Clock | None = None,
        lifetimes: Lifetimes = LIFETIMES,
        cached_actions: int = CACHED_ACTIONS,
    ) -> None:
        """Serve the actions in *docs*, their long code from *blobs*."""
        super().__init__(docs, FORM, clock=clock, lifetimes=lifetimes, capacity=cached_actions)
        self._blobs = blobs

    async def code(self, action: Action) -> str | None:
        """Return the code of *action*, wherever it lives; None when it has none.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        ref = action.exec.code_ref
        if ref is None:
            return action.exec.code
        return (await self._blobs.get(ref)).decode()

    async def arguments(self, ref: BlobRef) -> bytes:
        """Return the arguments of a call that were left here because they are so large.

        Raises `Missing`, `Corrupted`, `StoreUnavailable`.
        """
        return await self._blobs.get(ref)

    async def put(self, action: Action, over: Rev | None) -> Action:
        """Write *action* and return it as it is stored: with its revision, long code elsewhere.

        over: the revision that was read; None creates.
        Raises `Conflict`, `Missing`, `StoreUnavailable`.
        """
        stored = replace(action, exec=await self._settled(action.exec))
        stored = replace(stored, rev=await self.write(stored, over))
        self.keep(stored)
        return stored

    async def _settled(self, code: Exec) -> Exec:
        """Return *code* with its text in the blob store, if it is long."""
        if code.code is None or len(code.code) <= MAX_INLINE_BYTES // 4:
            return code
        data = code.code.encode()
        if len(data) <= MAX_INLINE_BYTES:
            return code
        return replace(code, code=None, code_ref=await self._blobs.put(data))
