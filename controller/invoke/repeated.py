"""Who keeps the names of firings, so that none is done twice, by whichever controller.

A name is written down before anything is started, on a document that is changed from the revision
that was read: of two that bring it at once, one is first. What that one started is not known if it
dies before its record is kept; then it is not started again, and the record says so.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from common.entity.names import QualifiedName
from common.errors import BriskError
from common.ids import ActivationId
from common.store.port import Conflict, Doc, DocStore, Missing
from controller.invoke import repeats

UNDER_WAY_MS: Final = 30_000
"""A firing that has no record after that was cut off."""
_KIND: Final = "fired"
_ATTEMPTS: Final = 20


class FiringUnderWay(BriskError):
    """A firing of this name is under way. Ask again, to learn what became of it."""

    retry_after_s = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """The activation of a name, and whether it came for the first time."""

    activation_id: ActivationId
    is_first: bool


class RepeatedFirings:
    """The names of all triggers. Holds nothing between calls."""

    def __init__(self, docs: DocStore) -> None:
        self._docs = docs

    def __repr__(self) -> str:
        return f"<RepeatedFirings {self._docs!r}>"

    async def claim(self, trigger: QualifiedName, key: str, now_ms: int) -> Claim:
        """Return the activation of the firing *key*. Raises `StoreUnavailable`, `Conflict`."""
        digest = repeats.digest_of(trigger, key)
        doc_id = repeats.shelf_of(trigger, digest)
        fired = repeats.activation_of(digest, now_ms)
        for _ in range(_ATTEMPTS):
            shelf = await self._shelf(trigger, digest)
            known = {} if shelf is None else shelf.body["keys"]
            if digest in known:
                return Claim(ActivationId(known[digest]), is_first=False)
            body: dict[str, Any] = {
                "entityType": _KIND,
                "namespace": f"~{_KIND}",
                "name": doc_id,
                "updated": now_ms,
                "keys": repeats.with_new(known, digest, fired, now_ms),
            }
            with suppress(Conflict, Missing):  # somebody has changed it meanwhile: read that
                if shelf is None:
                    await self._docs.create(doc_id, body)
                else:
                    await self._docs.replace(doc_id, shelf.rev, body)
                return Claim(fired, is_first=True)
        raise Conflict(f"The firings of {trigger.doc_id} are being named by too many at once.")

    async def forget(self, trigger: QualifiedName) -> None:
        """Forget the names of a trigger that is gone. Raises `StoreUnavailable`."""
        for doc_id in repeats.shelves(trigger):
            with suppress(Missing, Conflict):  # a firing that was under way: it leaves one shelf
                doc = await self._docs.get(doc_id)
                await self._docs.delete(doc_id, doc.rev)

    async def _shelf(self, trigger: QualifiedName, digest: str) -> Doc | None:
        try:
            return await self._docs.get(repeats.shelf_of(trigger, digest))
        except Missing:
            return None
