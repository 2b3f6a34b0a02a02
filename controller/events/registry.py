"""All feeds, durable: one document for each, beside the entities, found again after a restart.

The key with which a trigger is fired is kept encrypted under the installation's secret, and
together with the name of its feed, so that it is of no use in the document of another.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from common.ids import DocId
from common.log import logger
from common.store.port import Conflict, DocStore, Missing
from controller.events.feed import ENTITY_TYPE, Feed, from_document, place, to_document
from controller.events.provider import NotKnown

_PAGE: Final = 200
_ATTEMPTS: Final = 10
_UID_BYTES: Final = 8
_log: Final = logger(__name__)


class Sealing(Protocol):
    """Encrypts under the secret of the installation."""

    def encrypt(self, text: str, *, owner: str) -> str:
        """Return *text* encrypted; it can be read again only together with *owner*."""
        ...

    def decrypt(self, sealed: str, *, owner: str) -> str:
        """Return what was encrypted for *owner*. Raises `Corrupted`."""
        ...


class Registry:
    """The feeds of all namespaces. Holds nothing between calls."""

    def __init__(self, docs: DocStore, seal: Sealing) -> None:
        self._docs = docs
        self._seal = seal

    def __repr__(self) -> str:
        return f"<Registry {self._docs!r}>"

    def sealed(self, name: DocId, auth: str) -> str:
        """Return the key of a trigger as it is kept in the feed of this *name*."""
        return self._seal.encrypt(auth, owner=name)

    def auth(self, feed: Feed) -> str:
        """Return the key with which *feed* fires. Raises `Corrupted`."""
        return self._seal.decrypt(feed.sealed_key, owner=feed.doc_id)

    @staticmethod
    def new_uid() -> str:
        """Return what no other feed is known by."""
        return secrets.token_hex(_UID_BYTES)

    async def put(self, feed: Feed) -> None:
        """Write *feed* in place of whatever feed the trigger had. Raises `StoreUnavailable`."""
        body = to_document(feed)
        for _ in range(_ATTEMPTS):
            with suppress(Conflict, Missing):  # somebody else has changed it meanwhile
                try:
                    there = await self._docs.get(feed.doc_id)
                except Missing:
                    await self._docs.create(feed.doc_id, body)
                else:
                    await self._docs.replace(feed.doc_id, there.rev, body)
                return
        raise Conflict(f"The feed of {feed.address} is being changed by others.")

    async def get(self, name: DocId) -> Feed:
        """Return the newest revision of a feed. Raises `NotKnown`, `StoreUnavailable`."""
        try:
            doc = await self._docs.get(name)
        except Missing as error:
            raise NotKnown from error
        return from_document(doc.body, doc.rev)

    async def change(
        self, name: DocId, uid: str | None, changed: Callable[[Feed], Feed | None]
    ) -> Feed | None:
        """Write what *changed* makes of a feed, and return that; None deletes it.

        uid: of the feed that is meant; None is whichever has the name.
        changed: may be asked several times; what it returns unchanged is not written.
        Raises `NotKnown`, `StoreUnavailable`, `Conflict`, and what *changed* raises.
        """
        for _ in range(_ATTEMPTS):
            feed = await self.get(name)
            if uid is not None and feed.uid != uid:
                raise NotKnown
            wanted = changed(feed)
            try:
                if wanted is None:
                    await self._docs.delete(name, feed.rev)
                    return None
                if wanted == feed:
                    return feed
                rev = await self._docs.replace(name, feed.rev, to_document(wanted))
            except (Conflict, Missing):
                continue  # somebody else has changed it: read that, then change it
            return replace(wanted, rev=rev)
        raise Conflict(f"The feed {name} is being changed by others.")

    async def newest(self) -> AsyncIterator[Feed]:
        """Yield all feeds, those that were changed last first. Raises `StoreUnavailable`.

        One that changes meanwhile may come twice, or not at all: it comes with the next walk.
        """
        root, _ = place(0)
        seen = 0
        while True:
            page = await self._docs.list(root, ENTITY_TYPE, package=None, limit=_PAGE, skip=seen)
            for body in page:
                try:
                    yield from_document(body)
                except ValueError as error:
                    _log.error("feed_cannot_be_read", why=str(error))
            seen += len(page)
            if len(page) < _PAGE:
                return
