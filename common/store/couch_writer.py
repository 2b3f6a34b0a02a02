"""Records on their way into CouchDB, in bulks: a few under way, never without a bound.

A bulk has records of one day: at most 200, or 1 MB, or what came within 20 ms; at most four are
under way. While the database is away, one bulk at a time tries it, after pauses that double up to
two seconds, for as long as it takes: the spool has the records. What comes of a failure:

| failure | then |
|---|---|
| reset, time-out, 5xx (a full disk), 429 | the same again: what was stored answers "conflict" |
| 400 for the whole bulk | halves, until the culprit is alone; it goes into the folder `refused` |
| 413 for the whole bulk | the named record goes apart, as an attachment; the others again |
| a row is forbidden | that record goes into `refused` |
| the database of the day is gone | it is made anew, unless its day is closed |
| the day is closed | to the late, if it is in no closed place yet; refused if the day is dropped |
| 401, 403 | again after 90 s, not sooner: asking locks the account for everybody |
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from common import metrics
from common.ids import DocId
from common.log import logger
from common.settings import CouchdbSettings
from common.store.couch_bulk import named, sorted_rows
from common.store.couch_faults import (
    DatabaseMissing,
    Invalid,
    TooLarge,
    pause_s,
)
from common.store.couch_gate import Gate
from common.store.couch_http import CouchHttp
from common.store.couch_records import ATTACHMENT, Wire, apart_id, to_wire
from common.store.couch_shards import Shards
from common.store.couch_states import States
from common.store.port import Conflict, Denied, StoreError, StoreUnavailable, Unbalanced
from common.store.shard import Shard, State
from common.store.waiting import Pending

_log: Final = logger(__name__)
# A bulk is `{"docs":[` and `]}` and its records; one of them must fit however it is escaped.
_LARGEST_SHARE: Final = 4


class BulkWriter:
    """Owned by the store of activations, which hears what became of each record.

    done: a record is in the database for good. refuse: it never will be.
    """

    def __init__(
        self,
        http: CouchHttp,
        states: States,
        shards: Shards,
        gate: Gate,
        settings: CouchdbSettings,
        *,
        done: Callable[[Pending], None],
        refuse: Callable[[Pending, StoreError], None],
    ) -> None:
        self._http = http
        self._states = states
        self._shards = shards
        self._gate = gate
        self._settings = settings
        self._done = done
        self._refuse = refuse
        self._queues: dict[int, deque[Wire]] = {}
        self._queued = 0
        self._queued_bytes = 0
        self._is_large = asyncio.Event()
        self._has_work = asyncio.Event()
        self._closing = asyncio.Event()
        self._slots = asyncio.Semaphore(settings.bulks_in_flight)
        self._failures = 0
        self._pause_s = 0.0
        self.fault: StoreError | None = None
        """Why the last bulk failed; None while bulks succeed."""

    def __repr__(self) -> str:
        return f"<BulkWriter queued={self._queued} fault={self.fault}>"

    def add(self, entry: Pending) -> None:
        """Take a record over; it is written soon."""
        self._queue(to_wire(entry, self._settings.bulk_bytes // _LARGEST_SHARE))

    async def run(self) -> None:
        """Write until `close` is called and nothing is queued, or until a bulk fails after that."""
        async with asyncio.TaskGroup() as bulks:
            while await self._work():
                if self._failures:
                    await self._write(self._taken())
                    continue
                await self._slots.acquire()
                task = bulks.create_task(self._write(self._taken()))
                task.add_done_callback(lambda _: self._slots.release())

    def close(self) -> None:
        """Let `run` end when everything is written, or cannot be. Idempotent."""
        self._failures = 0
        self._pause_s = 0.0
        self._closing.set()
        self._has_work.set()

    async def _work(self) -> bool:
        """Wait until a bulk should be sent; False when there is an end."""
        if not self._queued and not self._closing.is_set():
            self._has_work.clear()
            await self._has_work.wait()
        if self._pause_s:
            await self._until(self._closing, self._pause_s)
        elif not self._closing.is_set():
            await self._until(self._is_large, self._settings.bulk_wait_ms / 1000)
        if not self._closing.is_set():
            return True
        if not self._queued or self._failures:
            # Whoever is under way may still come back with a part of its records.
            for _ in range(self._settings.bulks_in_flight):
                await self._slots.acquire()
            for _ in range(self._settings.bulks_in_flight):
                self._slots.release()
        return bool(self._queued) and not self._failures

    async def _until(self, event: asyncio.Event, longest_s: float) -> None:
        try:
            async with asyncio.timeout(longest_s):
                await event.wait()
        except TimeoutError:
            return

    def _queue(self, wire: Wire, *, first: bool = False) -> None:
        queue = self._queues.setdefault(wire.entry.day, deque())
        if first:
            queue.appendleft(wire)
        else:
            queue.append(wire)
        self._queued += 1
        self._queued_bytes += len(wire.body)
        self._has_work.set()
        if (
            self._queued >= self._settings.bulk_records
            or self._queued_bytes >= self._settings.bulk_bytes
        ):
            self._is_large.set()

    def _taken(self) -> list[Wire]:
        """Take the next bulk: of the day whose turn it is, so that no day waits for another."""
        if not self._queues:
            return []
        day = next(iter(self._queues))
        queue = self._queues.pop(day)
        batch: list[Wire] = []
        size_bytes = 0
        while queue and len(batch) < self._settings.bulk_records:
            size_bytes += len(queue[0].body)
            if batch and size_bytes > self._settings.bulk_bytes:
                break
            batch.append(queue.popleft())
        if queue:
            self._queues[day] = queue
        self._queued -= len(batch)
        self._queued_bytes -= sum(len(wire.body) for wire in batch)
        if self._queued < self._settings.bulk_records:
            self._is_large.clear()
        return batch

    async def _write(self, batch: list[Wire]) -> None:
        """Send *batch* until each of its records is done, refused or queued again."""
        todo = deque([batch] if batch else [])
        while todo:
            wires = todo.popleft()
            try:
                await self._send(wires)
            except TooLarge as error:
                todo.extend(self._without(wires, error))
            except Invalid as error:
                todo.extend(self._halves(wires, error))
            except StoreError as error:
                self._failed(wires, error)
            except Exception as error:  # a mistake of ours must not end the writing of the rest
                _log.exception("bulk_failed_oddly")
                self._failed(wires, StoreError(f"A bulk was not written: {error!r}"))
            else:
                self._settled()

    async def _send(self, wires: list[Wire]) -> None:
        """Send one bulk. Raises when not all of it was taken.

        What is done with leaves *wires*, so that a failure concerns the others only.
        """
        own = Shard(wires[0].entry.day)
        state = await self._states.writable(own)
        if state is State.SEALING and any(wire.is_tried for wire in wires):
            # What was sent before may still arrive; sent there again, it is stored once.
            for wire in [wire for wire in wires if not wire.is_tried]:
                wires.remove(wire)
                self._queue(wire, first=True)
        elif state is not State.OPEN:
            wires[:] = await self._without_counted(own, wires)
            if not wires:
                return
            metrics.LATE_RECORDS.inc(sum(not wire.is_tried for wire in wires))
            await self._send_to(await self._states.late(own.day), State.OPEN, wires)
            return
        await self._send_to(own, state, wires)

    async def _send_to(self, shard: Shard, state: State, wires: list[Wire]) -> None:
        """Send to a place, if it is in that *state* still."""
        database = self._states.database(shard)
        try:
            for wire in wires:
                if wire.apart is not None:
                    await self._put_apart(database, wire.apart)
            body = b'{"docs":[' + b",".join(wire.body for wire in wires) + b"]}"
            is_again = any(wire.is_tried for wire in wires)
            # Until what is stored is not pending any more: a question must not find it in both.
            async with self._gate.enter("write"):
                if await self._states.writable(shard) is not state:
                    raise StoreUnavailable(f"The day {shard.text} was closed just now.")
                for wire in wires:
                    wire.is_tried = True
                if is_again:
                    metrics.COUCHDB_RETRIES.inc()
                answer = await self._http.bulk(database, body)
                self._answered(wires, answer.json(), is_again=is_again)
        except DatabaseMissing:
            self._states.forget(shard)
            raise

    def _answered(self, wires: list[Wire], rows: Any, *, is_again: bool) -> None:
        found = sorted_rows(wires, rows)
        metrics.COUCHDB_CONFLICTS["again" if is_again else "first"].inc(len(found.there))
        metrics.RECORDS_WRITTEN.inc(len(found.stored))
        for wire in (*found.stored, *found.there):
            self._done(wire.entry)
        for wire in found.never:
            self._refuse(wire.entry, Invalid("The database forbids this record."))
        wires[:] = found.again
        if found.again:
            raise StoreError(f"The database did not take some records of a bulk: {found.why}.")

    async def _without_counted(self, own: Shard, wires: list[Wire]) -> list[Wire]:
        """Return those of *wires* that came too late for their day, and are in no closed place.

        A crash may have kept us from hearing that one was stored. Of a day that was dropped nobody
        can tell any more, so what is not among the late is refused: nothing is ever billed twice.
        """
        stored = await self._states.with_records()
        left = {wire.doc_id: wire for wire in wires}
        for shard in stored:
            if left and (shard.is_late or shard == own):
                for doc_id in await self._shards.present(shard, list(left)):
                    self._done(left.pop(DocId(doc_id)).entry)
        if own in stored:
            return list(left.values())
        for wire in left.values():
            self._refuse(wire.entry, Unbalanced("Its day has been dropped."))
        return []

    def _settled(self) -> None:
        self._failures = 0
        self._pause_s = 0.0
        self.fault = None

    def _failed(self, wires: list[Wire], error: StoreError) -> None:
        for wire in reversed(wires):
            self._queue(wire, first=True)
        if self.fault is None:
            _log.warning("couchdb_takes_no_records", why=str(error))
        self.fault = error
        self._failures += 1
        self._pause_s = pause_s(self._failures, self._http.jitter())
        if isinstance(error, Denied):
            self._pause_s = error.pause_s

    def _halves(self, wires: list[Wire], error: StoreError) -> list[list[Wire]]:
        if len(wires) == 1:
            self._refuse(wires[0].entry, error)
            return []
        middle = len(wires) // 2
        return [wires[:middle], wires[middle:]]

    def _without(self, wires: list[Wire], error: TooLarge) -> list[list[Wire]]:
        """Return what to send instead: the record that is too large apart, the others together."""
        at = 0 if len(wires) == 1 else named(wires, error.doc_id)
        if at is None:
            return self._halves(wires, error)
        rest = [wires[:at] + wires[at + 1 :]] if len(wires) > 1 else []
        if wires[at].apart is not None:
            self._refuse(wires[at].entry, error)
            return rest
        return [*rest, [to_wire(wires[at].entry, 0)]]

    async def _put_apart(self, database: str, document: bytes) -> None:
        digest = sha256(document).hexdigest()
        # A conflict: it is there already, and under its digest it is the same.
        with contextlib.suppress(Conflict):
            await self._http.write(
                "PUT",
                database,
                apart_id(digest),
                ATTACHMENT,
                body=document,
                content_type="application/octet-stream",
            )
