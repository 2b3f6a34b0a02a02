"""The states of places in CouchDB: documents in `meta`, and the databases that they speak of.

A place is ready when `meta` says so: that document is written last, behind the database and its
indexes. Who writes makes the place, whichever process it is. A state changes only from the revision
that was read, so of several processes one goes on and the others learn of it.

Which places there are is read anew every five seconds, because others make and close them, too. So
a writer may take a place for open for so long after it was closed, and its last write may be under
way for some time more: who seals waits for that (`couchdb.settle_s`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from common import codec
from common.clock import Clock
from common.log import logger
from common.settings import CouchdbSettings
from common.store import couch_layout as layout
from common.store.couch_admin import CouchAdmin
from common.store.couch_faults import DatabaseMissing
from common.store.couch_http import CouchHttp
from common.store.port import Conflict, Corrupted, Missing, StoreUnavailable
from common.store.rollups import NOTHING, Sums
from common.store.shard import DAY_MS, Done, Shard, State, after

_FRESH_S: Final = 5.0
_DAY_RANGE: Final = {"startkey": "shard/", "endkey": "shard0", "include_docs": True}
_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What `meta` says of a place."""

    state: State
    rev: str = field(default="", compare=False)
    closed_ms: int = 0
    """When it was closed for writers."""
    runs: int = 0
    """How often it has been summed. Only sums of these runs are on the bill."""
    sums: Sums = NOTHING
    """Of all runs together."""


class States:
    """The places of records. Belongs to one event loop."""

    def __init__(
        self, http: CouchHttp, admin: CouchAdmin, settings: CouchdbSettings, clock: Clock
    ) -> None:
        self._http = http
        self._admin = admin
        self._settings = settings
        self._clock = clock
        self._known: dict[Shard, Known] = {}
        self._fresh_until_s = float("-inf")
        self._made: set[Shard] = set()
        self._missing: set[Shard] = set()
        self._to_make: set[Shard] = set()
        self._making = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<States {len(self._known)} places>"

    def database(self, shard: Shard) -> str:
        """Return the name of a place's database."""
        return self._plan(shard).name

    async def admit(self) -> None:
        """Let invokers into the places that were made before they had a user of their own.

        Raises `StoreUnavailable`, `Denied`.
        """
        places = await self.with_records()
        await self._admin.admit(map(self._plan, places))

    async def all(self, *, fresh: bool = False) -> Mapping[Shard, Known]:
        """Return every place, as it was some seconds ago or, *fresh*, as it is.

        Raises `StoreUnavailable`, `Denied`.
        """
        if fresh or self._clock.elapsed_s() >= self._fresh_until_s:
            # What others do while we read is not in the answer, perhaps.
            asked_s = self._clock.elapsed_s()
            try:
                answer = await self._http.read("GET", self._meta, "_all_docs", query=_DAY_RANGE)
                rows = answer.json()["rows"]
            except DatabaseMissing:
                rows = []
            found = ((layout.shard_of_id(row["id"]), row["doc"]) for row in rows)
            self._known = {shard: known_of(doc) for shard, doc in found if shard is not None}
            self._missing.clear()
            self._fresh_until_s = asked_s + _FRESH_S
        return dict(self._known)

    async def with_records(self) -> Mapping[Shard, Known]:
        """Return the places whose records can be read. Raises `StoreUnavailable`, `Denied`."""
        return {
            shard: known
            for shard, known in (await self.all()).items()
            if known.state.has_records and shard not in self._missing
        }

    async def read(self, shard: Shard) -> Known:
        """Return what `meta` says now. Raises `Missing`, `StoreUnavailable`, `Denied`."""
        doc_id = layout.shard_id(shard)
        try:
            known = known_of((await self._http.read("GET", self._meta, doc_id)).json())
        except Missing:
            self._known.pop(shard, None)
            raise Missing(f"There are no records of {shard.text}.") from None
        self._known[shard] = known
        return known

    async def move(self, shard: Shard, known: Known, done: Done, **changes: Any) -> Known:
        """Have `meta` say what was *done*, over what was read.

        Raises `Conflict` when somebody else was faster, `StoreUnavailable`, `Denied`.
        """
        wanted = replace(known, state=after(known.state, done), **changes)
        answer = await self._http.write(
            "PUT",
            self._meta,
            layout.shard_id(shard),
            query={"rev": known.rev},
            body=codec.encode(body_of(wanted)),
        )
        self._known[shard] = moved = replace(wanted, rev=answer.json()["rev"])
        return moved

    async def remove(self, shard: Shard, known: Known) -> None:
        """Let `meta` know nothing of a place. Raises `Conflict`, `StoreUnavailable`, `Denied`."""
        query = {"rev": known.rev}
        await self._http.write("DELETE", self._meta, layout.shard_id(shard), query=query)
        self._known.pop(shard, None)
        self._made.discard(shard)

    async def writable(self, shard: Shard) -> State:
        """Return the state of a place, as far as is known here; if it is open, it is there.

        Raises `StoreUnavailable`, `Denied`.
        """
        known = (await self.all()).get(shard)
        if known is not None and known.state is not State.OPEN:
            return known.state
        await self.ensure(shard)
        return State.OPEN

    async def late(self, day: int) -> Shard:
        """Return where goes what came too late for *day*. Raises as `writable` does."""
        late = Shard(max(day, self._clock.now_ms() // DAY_MS), is_late=True)
        known = await self.all()
        while late in known and known[late].state is not State.OPEN:  # a clock went back
            late = late._replace(day=late.day + 1)
        await self.ensure(late)
        return late

    async def ensure(self, shard: Shard) -> None:
        """Make a place, if there never was one. Raises `StoreUnavailable`, `Denied`."""
        if shard in self._made:
            return
        async with self._making:
            is_wanted = shard in self._to_make or shard not in await self.all()
            if is_wanted and shard not in self._made:
                await self._make(shard)
            self._to_make.discard(shard)
            self._missing.discard(shard)
            self._made.add(shard)

    def forget(self, shard: Shard) -> None:
        """Note that a database is gone: somebody has dropped it.

        If it is still meant to be there, it is made anew when it is written next.
        """
        self._made.discard(shard)
        self._fresh_until_s = float("-inf")
        self._missing.add(shard)
        self._to_make.add(shard)

    @property
    def _meta(self) -> str:
        return self._settings.prefix + layout.META

    def _plan(self, shard: Shard) -> layout.Plan:
        return layout.shard_plan(self._settings.prefix, shard, self._settings.member)

    async def _make(self, shard: Shard) -> None:
        if self._settings.is_member:
            raise StoreUnavailable(
                f"There is no database for {shard.text} yet. A controller makes it ahead of time; "
                "records wait for it on this disk."
            )
        plan = self._plan(shard)
        await self._admin.prepare([plan])
        known = Known(State.OPEN)
        try:
            answer = await self._http.write(
                "PUT", self._meta, layout.shard_id(shard), body=codec.encode(body_of(known))
            )
            self._known[shard] = replace(known, rev=answer.json()["rev"])
        except Conflict:
            _log.debug("day_is_made_already", database=plan.name)
            await self.read(shard)


def body_of(known: Known) -> dict[str, Any]:
    """Return the document of `meta` that says what is known of a place."""
    body: dict[str, Any] = {"state": known.state}
    if known.state is not State.OPEN:
        body |= {"closed_ms": known.closed_ms, "runs": known.runs, **known.sums._asdict()}
    return body


def known_of(doc: Mapping[str, Any]) -> Known:
    """Return what a document of `meta` says of its place. Raises `Corrupted`."""
    try:
        state = State(doc["state"])
        amounts = [int(doc.get(name, 0)) for name in Sums._fields]
        return Known(
            state,
            doc["_rev"],
            int(doc.get("closed_ms", 0)),
            int(doc.get("runs", 0)),
            Sums(*amounts),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupted(f"The document {doc.get('_id')} in `meta` cannot be read.") from error
