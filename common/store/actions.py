"""Actions, read through a cache that never makes a warm call wait.

A document is fresh for a few seconds only, because another process may write it; who follows a feed
of changes may keep it for longer, and still learns of each within milliseconds. Who knows which
revision is wanted needs no feed: an invoker is told by each message.

Code longer than 16 KB lives in the blob store, under its digest, and is written before the document
that names it. It is not cached here: an invoker reads it once per sandbox.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, Final

from common.clock import Clock, SystemClock
from common.entity.action import Action, BlobRef, Exec
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
from common.store.cache import Cache, Lifetimes
from common.store.port import (
    BlobStore,
    Corrupted,
    Doc,
    DocStore,
    Gap,
    InvalidationBus,
    StoreUnavailable,
)

CACHED_ACTIONS: Final = 4096
"""At most 64 MB of inline code."""
LIFETIMES: Final = Lifetimes(fresh_s=5.0)
"""Where nobody tells what other processes write. Ours is seen at once."""


class ActionStore:
    """The actions of all namespaces. Belongs to one event loop; holds nothing to close."""

    def __init__(
        self,
        docs: DocStore,
        blobs: BlobStore,
        *,
        clock: Clock | None = None,
        lifetimes: Lifetimes = LIFETIMES,
        cached_actions: int = CACHED_ACTIONS,
    ) -> None:
        """Serve the actions in *docs*."""
        self._docs = docs
        self._blobs = blobs
        self._cache: Cache[DocId, Action] = Cache(
            self._read,
            clock or SystemClock(),
            capacity=cached_actions,
            lifetimes=lifetimes,
        )

    def __repr__(self) -> str:
        """Return how much is cached and under way."""
        return f"<ActionStore {self._cache!r}>"

    def cached(self, name: QualifiedName) -> Action | None:
        """Return the newest revision of *name* if it is at hand, else None."""
        return self._cache.fresh(name.doc_id)

    async def get(self, name: QualifiedName, *, rev: Rev | None = None) -> Action:
        """Return the newest revision of *name*; on a cache hit without yielding to the loop.

        rev: what the caller knows to be the newest, or to have been it: then that one will do,
            however long ago it was read.
        Raises `Missing`, `WrongCollection`, `Corrupted`, `StoreUnavailable`.
        """
        doc_id = name.doc_id
        if rev is None:
            return await self._cache.get(doc_id)
        action = self._cache.kept(doc_id) or await self._cache.get(doc_id)
        return action if action.rev == rev else await self._cache.reload(doc_id)

    async def newest(self, name: QualifiedName) -> Action:
        """Return what is stored, whatever is cached: who changes an action begins with that.

        Raises as `get` does.
        """
        return await self._cache.reload(name.doc_id)

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
        doc_id, body = action.name.doc_id, to_document(stored)
        with self._changing(doc_id):
            if over is None:
                rev = await self._docs.create(doc_id, body)
            else:
                rev = await self._docs.replace(doc_id, over, body)
        stored = replace(stored, rev=rev)
        self._cache.keep(doc_id, stored)
        return stored

    async def delete(self, action: Action) -> None:
        """Delete the revision *action*. Raises `Conflict`, `Missing`, `StoreUnavailable`."""
        with self._changing(action.name.doc_id):
            await self._docs.delete(action.name.doc_id, action.rev)

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

    async def follow(self, changes: InvalidationBus) -> None:
        """Forget what others change, as they change it, until cancelled; for a task of the root."""
        async with aclosing(changes.subscribe()) as told:
            async for change in told:
                if isinstance(change, Gap):
                    # Loads under way, too: they may have read what was old already.
                    self._cache.clear()
                else:
                    self._forget_other(change.doc_id, change.rev)

    def _forget_other(self, doc_id: DocId, rev: Rev) -> None:
        kept = self._cache.kept(doc_id)
        if kept is None or kept.rev != rev:
            self._cache.forget(doc_id)

    @contextmanager
    def _changing(self, doc_id: DocId) -> Iterator[None]:
        """Have nothing old in the cache after the block, however it ends."""
        try:
            yield
        except (StoreUnavailable, asyncio.CancelledError):
            # Perhaps nothing was changed: while nobody can say, what is at hand has to do.
            self._cache.expire(doc_id)
            raise
        except BaseException:
            self._cache.forget(doc_id)  # a conflict says that what is cached is old
            raise
        self._cache.forget(doc_id)

    async def _read(self, doc_id: DocId) -> Action:
        return _action(await self._docs.get(doc_id))

    async def _settled(self, code: Exec) -> Exec:
        """Return *code* with its text in the blob store, if it is long."""
        if code.code is None or len(code.code) <= MAX_INLINE_BYTES // 4:
            return code
        data = code.code.encode()
        if len(data) <= MAX_INLINE_BYTES:
            return code
        return replace(code, code=None, code_ref=await self._blobs.put(data))


def _action(doc: Doc) -> Action:
    if doc.body.get("entityType") != ENTITY_TYPE:
        raise WrongCollection
    try:
        return from_document(doc.body, doc.rev)
    except NotAnAction as error:
        raise Corrupted(f"The action {doc.id} cannot be read.") from error
