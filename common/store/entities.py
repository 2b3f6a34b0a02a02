"""Entities of one kind, read through a cache that never makes a warm call wait.

A document is fresh for a few seconds only, because another process may write it; who follows a feed
of changes may keep it for longer, and still learns of each within milliseconds. All kinds of a
namespace share one space of names: what is there under a name, but of another kind, is told apart
from what is not there.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from common.clock import Clock, SystemClock
from common.entity.names import QualifiedName
from common.errors import WrongCollection
from common.ids import DocId, Namespace, Rev
from common.store.cache import Cache, Lifetimes
from common.store.port import (
    Corrupted,
    Doc,
    DocStore,
    Gap,
    Invalidation,
    InvalidationBus,
    Missing,
    StoreUnavailable,
)

LIFETIMES: Final = Lifetimes(fresh_s=5.0)
"""Where nobody tells what other processes write. Ours is seen at once."""
CACHED: Final = 4096


class Entity(Protocol):
    """What has a name and a revision."""

    @property
    def name(self) -> QualifiedName:
        """Under which it is stored."""
        ...

    @property
    def rev(self) -> Rev:
        """The revision of the stored document."""
        ...


Stored = TypeVar("Stored", bound=Entity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Generic[Stored]):
    """How one kind of entity is written down."""

    entity_type: str
    to_document: Callable[[Stored], dict[str, Any]]
    from_document: Callable[[Mapping[str, Any], Rev], Stored]
    """Raises `ValueError` when the document is not one of this kind."""
    to_list_item: Callable[[Mapping[str, Any]], dict[str, Any]]
    """Of a stored body: a list decodes no entity."""


class EntityStore(Generic[Stored]):
    """All entities of one kind. Belongs to one event loop; holds nothing to close."""

    def __init__(
        self,
        docs: DocStore,
        form: Form[Stored],
        *,
        clock: Clock | None = None,
        lifetimes: Lifetimes = LIFETIMES,
        capacity: int = CACHED,
    ) -> None:
        """Serve what of *form* is in *docs*, and keep at most *capacity* at hand."""
        self._docs = docs
        self._form = form
        self._cache: Cache[DocId, Stored] = Cache(
            self._read, clock or SystemClock(), capacity=capacity, lifetimes=lifetimes
        )

    def __repr__(self) -> str:
        """Return how much is cached and under way."""
        return f"<{type(self).__name__} {self._cache!r}>"

    def cached(self, name: QualifiedName) -> Stored | None:
        """Return the newest revision of *name* if it is at hand, else None."""
        return self._cache.fresh(name.doc_id)

    async def get(self, name: QualifiedName, *, rev: Rev | None = None) -> Stored:
        """Return the newest revision of *name*; on a cache hit without yielding to the loop.

        rev: what the caller knows to be the newest, or to have been it: then that one will do,
            however long ago it was read.
        Raises `Missing`, `WrongCollection`, `Corrupted`, `StoreUnavailable`.
        """
        doc_id = name.doc_id
        if rev is None:
            return await self._cache.get(doc_id)
        entity = self._cache.kept(doc_id) or await self._cache.get(doc_id)
        return entity if entity.rev == rev else await self._cache.reload(doc_id)

    async def newest(self, name: QualifiedName) -> Stored:
        """Return what is stored, whatever is cached: who changes an entity begins with that.

        Raises as `get` does.
        """
        return await self._cache.reload(name.doc_id)

    async def existing(self, name: QualifiedName) -> Stored | None:
        """Return what is stored, None when there is nothing. Raises as `get` does otherwise."""
        try:
            return await self.newest(name)
        except Missing:
            return None

    async def write(self, entity: Stored, over: Rev | None) -> Rev:
        """Write *entity*, and return its revision now. Raises `Conflict`, `Missing`.

        over: the revision that was read; None creates.
        """
        doc_id, body = entity.name.doc_id, self._form.to_document(entity)
        with self._changing(doc_id):
            if over is None:
                return await self._docs.create(doc_id, body)
            return await self._docs.replace(doc_id, over, body)

    def keep(self, entity: Stored) -> None:
        """Have *entity* at hand, as it was just written."""
        self._cache.keep(entity.name.doc_id, entity)

    async def delete(self, entity: Stored) -> None:
        """Delete the revision *entity*. Raises `Conflict`, `Missing`, `StoreUnavailable`."""
        with self._changing(entity.name.doc_id):
            await self._docs.delete(entity.name.doc_id, entity.rev)

    async def list(
        self, namespace: Namespace, *, package: str | None = None, limit: int, skip: int
    ) -> Sequence[dict[str, Any]]:
        """Return what a list shows of each entity, newest first.

        package: None lists the whole namespace. Raises `StoreUnavailable`.
        """
        bodies = await self._docs.list(
            namespace, self._form.entity_type, package=package, limit=limit, skip=skip
        )
        return [self._form.to_list_item(body) for body in bodies]

    async def count(self, namespace: Namespace, *, package: str | None = None) -> int:
        """Return how many entities `list` would walk. Raises `StoreUnavailable`."""
        return await self._docs.count(namespace, self._form.entity_type, package=package)

    def forget(self, change: Invalidation | Gap) -> None:
        """Forget what somebody else has changed."""
        if isinstance(change, Gap):
            # Loads under way, too: they may have read what was old already.
            self._cache.clear()
            return
        kept = self._cache.kept(change.doc_id)
        if kept is None or kept.rev != change.rev:
            self._cache.forget(change.doc_id)

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

    async def _read(self, doc_id: DocId) -> Stored:
        return self._decoded(await self._docs.get(doc_id))

    def _decoded(self, doc: Doc) -> Stored:
        kind = self._form.entity_type
        if doc.body.get("entityType") != kind:
            raise WrongCollection
        try:
            return self._form.from_document(doc.body, doc.rev)
        except ValueError as error:
            raise Corrupted(f"The {kind} {doc.id} cannot be read.") from error


async def follow(changes: InvalidationBus, *stores: EntityStore[Any]) -> None:
    """Have *stores* forget what others change, as they change it, until cancelled.

    For a task of the root; one for all stores of a database, which has one feed.
    """
    async with aclosing(changes.subscribe()) as told:
        async for change in told:
            for store in stores:
                store.forget(change)
