"""Actions, read through a cache that never makes a warm call wait.

A document is cached under its id, for a few seconds only, because another process may write it;
who follows a feed of changes may cache for longer, and still learns of each within milliseconds.
Whoever misses, loads; whoever misses at the same time waits for that one load. A load that was
overtaken by a write is handed to those who wait for it, but not kept: else an old revision would
outlive the new one in the cache.

Code longer than 16 KB lives in the blob store, under its digest, and is written before the document
that names it. It is not cached here: an invoker reads it once per sandbox.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from common.clock import Clock, SystemClock
from common.entity.action import Action, Exec
from common.entity.action_document import (
    ENTITY_TYPE,
    MAX_INLINE_BYTES,
    NotAnAction,
    from_document,
    to_document,
    to_list_item,
)
from common.entity.names import QualifiedName
from common.errors import WrongCollection
from common.ids import DocId, Namespace, Rev
from common.store.port import BlobStore, Corrupted, Doc, DocStore, Gap, InvalidationBus

CACHED_ACTIONS: Final = 4096
"""At most 64 MB of inline code."""
FRESH_S: Final = 5.0
"""How long a write of another process may go unseen. Ours are seen at once."""


@dataclass(frozen=True, slots=True)
class _Cached:
    action: Action
    until_s: float


class ActionStore:
    """The actions of all namespaces. Belongs to one event loop; holds nothing to close."""

    def __init__(
        self,
        docs: DocStore,
        blobs: BlobStore,
        *,
        clock: Clock | None = None,
        fresh_s: float = FRESH_S,
        cached_actions: int = CACHED_ACTIONS,
    ) -> None:
        self._docs = docs
        self._blobs = blobs
        self._clock = clock or SystemClock()
        self._fresh_s = fresh_s
        self._capacity = cached_actions
        self._cache: OrderedDict[DocId, _Cached] = OrderedDict()
        self._loads: dict[DocId, asyncio.Future[Action]] = {}

    def __repr__(self) -> str:
        """Return how much is cached and under way."""
        return f"<ActionStore [{len(self._cache)} cached, {len(self._loads)} loading]>"

    def cached(self, name: QualifiedName) -> Action | None:
        """Return the newest revision of *name* if it is at hand, else None."""
        cached = self._cache.get(name.doc_id)
        if cached is None or self._clock.elapsed_s() >= cached.until_s:
            return None
        return cached.action

    async def get(self, name: QualifiedName) -> Action:
        """Return the newest revision of *name*; on a cache hit without yielding to the loop.

        Raises `Missing`, `WrongCollection`, `Corrupted`, `StoreUnavailable`.
        """
        doc_id = name.doc_id
        while True:
            cached = self._cache.get(doc_id)
            if cached is not None and self._clock.elapsed_s() < cached.until_s:
                self._cache.move_to_end(doc_id)
                return cached.action
            load = self._loads.get(doc_id)
            if load is None:
                return await self._lead(doc_id)
            # `wait`, not `await load`: who is cancelled here must not cancel the load.
            await asyncio.wait((load,))
            if not load.cancelled():
                return load.result()

    async def code(self, action: Action) -> str | None:
        """Return the code of *action*, wherever it lives; None when it has none.

        Raises `Corrupted`, `StoreUnavailable`.
        """
        ref = action.exec.code_ref
        if ref is None:
            return action.exec.code
        return (await self._blobs.get(ref)).decode()

    async def put(self, action: Action, over: Rev | None) -> Action:
        """Write *action* and return it as it is stored: with its revision, long code elsewhere.

        over: the revision that was read; None creates.
        Raises `Conflict`, `Missing`, `StoreUnavailable`.
        """
        stored = replace(action, exec=await self._settled(action.exec))
        doc_id, body = action.name.doc_id, to_document(stored)
        try:
            if over is None:
                rev = await self._docs.create(doc_id, body)
            else:
                rev = await self._docs.replace(doc_id, over, body)
        finally:
            # Also after a failure: a conflict says that what is cached is old.
            self._forget(doc_id)
        stored = replace(stored, rev=rev)
        self._keep(doc_id, stored)
        return stored

    async def delete(self, action: Action) -> None:
        """Delete the revision *action*. Raises `Conflict`, `Missing`, `StoreUnavailable`."""
        try:
            await self._docs.delete(action.name.doc_id, action.rev)
        finally:
            self._forget(action.name.doc_id)

    async def list(
        self, namespace: Namespace, *, package: str | None, limit: int, skip: int
    ) -> Sequence[dict[str, Any]]:
        """Return what a list shows of each action, newest first.

        package: None lists the whole namespace. Raises `StoreUnavailable`.
        """
        bodies = await self._docs.list(
            namespace, ENTITY_TYPE, package=package, limit=limit, skip=skip
        )
        return [to_list_item(body) for body in bodies]

    async def count(self, namespace: Namespace, *, package: str | None) -> int:
        """Return how many actions `list` would walk. Raises `StoreUnavailable`."""
        return await self._docs.count(namespace, ENTITY_TYPE, package=package)

    def forget(self, name: QualifiedName) -> None:
        """Read *name* anew at the next `get`: somebody else is known to have changed it."""
        self._forget(name.doc_id)

    async def follow(self, changes: InvalidationBus) -> None:
        """Forget what others change, as they change it, until cancelled; for a task of the root."""
        async with aclosing(changes.subscribe()) as told:
            async for change in told:
                if isinstance(change, Gap):
                    # Loads under way, too: they may have read what was old already.
                    self._cache.clear()
                    self._loads.clear()
                else:
                    self._forget_other(change.doc_id, change.rev)

    def _forget_other(self, doc_id: DocId, rev: Rev) -> None:
        cached = self._cache.get(doc_id)
        if cached is None or cached.action.rev != rev:
            self._forget(doc_id)

    async def _lead(self, doc_id: DocId) -> Action:
        """Load for all who ask meanwhile; they see the same outcome, but not a cancellation."""
        load: asyncio.Future[Action] = asyncio.get_running_loop().create_future()
        self._loads[doc_id] = load
        try:
            action = _action(await self._docs.get(doc_id))
        except asyncio.CancelledError:
            load.cancel()
            raise
        except Exception as error:
            load.set_exception(error)
            load.exception()  # Seen: nobody else may be waiting.
            raise
        else:
            load.set_result(action)
            if self._loads.get(doc_id) is load:
                self._keep(doc_id, action)
            return action
        finally:
            if self._loads.get(doc_id) is load:
                del self._loads[doc_id]

    async def _settled(self, code: Exec) -> Exec:
        """Return *code* with its text in the blob store, if it is long."""
        if code.code is None or len(code.code) <= MAX_INLINE_BYTES // 4:
            return code
        data = code.code.encode()
        if len(data) <= MAX_INLINE_BYTES:
            return code
        return replace(code, code=None, code_ref=await self._blobs.put(data))

    def _keep(self, doc_id: DocId, action: Action) -> None:
        self._cache[doc_id] = _Cached(action, self._clock.elapsed_s() + self._fresh_s)
        self._cache.move_to_end(doc_id)
        if len(self._cache) > self._capacity:
            self._cache.popitem(last=False)

    def _forget(self, doc_id: DocId) -> None:
        self._cache.pop(doc_id, None)
        self._loads.pop(doc_id, None)


def _action(doc: Doc) -> Action:
    if doc.body.get("entityType") != ENTITY_TYPE:
        raise WrongCollection
    try:
        return from_document(doc.body, doc.rev)
    except NotAnAction as error:
        raise Corrupted(f"The action {doc.id} cannot be read.") from error
