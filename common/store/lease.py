"""Who may do what only one process should: whoever holds the lease, until it ends.

It is a document in `meta`, changed from the revision that was read, so of two that reach for it one
gets it. A process that dies leaves a lease that ends by itself. The clocks of two processes may
differ, and one may be held up behind its lease: what is done under it has to be harmless when two
do it at once. The lease saves them the work, it does not keep the data right.
"""

from collections.abc import Mapping
from typing import Any, Final

from common.clock import Clock
from common.ids import DocId
from common.log import logger
from common.store.port import Conflict, DocStore, Missing

_log: Final = logger(__name__)


def is_free(lease: Mapping[str, Any] | None, holder: str, now_ms: int) -> bool:
    """Tell whether *holder* may take what *lease* says; None is a lease that nobody ever held."""
    if lease is None or lease.get("holder") == holder:
        return True
    until_ms = lease.get("until_ms")
    return not isinstance(until_ms, int) or until_ms <= now_ms


class Lease:
    """One lease, as one process sees it."""

    def __init__(
        self, docs: DocStore, name: str, *, holder: str, lasts_ms: int, clock: Clock
    ) -> None:
        self._docs = docs
        self._doc_id = DocId(f"lease/{name}")
        self._holder = holder
        self._lasts_ms = lasts_ms
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Lease {self._doc_id} of {self._holder}>"

    async def take(self) -> bool:
        """Hold it from now on, or for longer; False when somebody else does.

        Raises `StoreUnavailable`, `Denied`, `Corrupted`.
        """
        now_ms = self._clock.now_ms()
        body = {"holder": self._holder, "until_ms": now_ms + self._lasts_ms}
        try:
            there = await self._docs.get(self._doc_id)
        except Missing:
            there = None
        before = None if there is None else there.body
        if not is_free(before, self._holder, now_ms):
            return False
        try:
            if there is None:
                await self._docs.create(self._doc_id, body)
            else:
                await self._docs.replace(self._doc_id, there.rev, body)
        except (Conflict, Missing):
            return False  # somebody was faster
        if before is not None and before.get("holder") != self._holder:
            _log.info("lease_taken", lease=self._doc_id, before=before.get("holder"))
        return True

    async def is_held(self) -> bool:
        """Tell whether somebody holds it, whoever that is. Raises as `take` does."""
        try:
            there = await self._docs.get(self._doc_id)
        except Missing:
            return False
        return not is_free(there.body, "", self._clock.now_ms())

    async def give_back(self) -> None:
        """Let others take it at once, if it is ours. Raises as `take` does."""
        try:
            there = await self._docs.get(self._doc_id)
            if there.body.get("holder") == self._holder:
                body = {"holder": self._holder, "until_ms": 0}
                await self._docs.replace(self._doc_id, there.rev, body)
        except (Conflict, Missing):
            return
