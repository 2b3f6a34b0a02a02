"""What the embedded bus has promised, on disk: accepted, started, settled.

The bus passes objects; this journal is what remains of them after a crash. A message that is
promised is entered and synced, and callers that come together share the sync. That its work begins
and ends is only appended: this survives `kill -9`, and after a power cut "it may have run" is the
honest answer. At the next start what was not settled is delivered again.

Entries (one line each, see `common.append_log`; the number is of the message, not of the line;
what they make of a message is the table in `common.bus.promise`):

    accepted <number> <topic> <0|1: started> <message>
    started <number>
    settled <number>

The log is made small again at the start and when it has grown: a new file is begun, what is
not settled is written into it, and only when that is synced the older files go. A crash in between
leaves entries twice, which is harmless because a number says the same everywhere.

A message may hold the API key its action asked for. The files can be read by the platform's user
only, and a key is gone with the file that held it.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.append_log import AppendLog, DamagedLog, Segment, entries
from common.bus.port import BusFull, BusUnavailable, Message
from common.bus.promise import Entry, Phase, after
from common.message import encoding
from common.message.topics import Topic

# 250 usual payloads of the largest size, or a quarter of a million small ones.
MAX_BYTES: Final = 256 << 20
COMPACT_BYTES: Final = 8 << 20
# What is written at once while the loop has other work: about a millisecond.
_SLICE_BYTES: Final = 1 << 20


@dataclass(slots=True, eq=False)
class Ticket:
    """One promised message. Owned by its delivery; changed by the journal only."""

    number: int
    topic: Topic
    message: Message
    phase: Phase
    segment: Segment

    @property
    def was_started(self) -> bool:
        """Whether it may have run."""
        return self.phase is Phase.STARTED


class Journal:
    """Belongs to one event loop; made by `open`."""

    def __init__(self, log: AppendLog, *, max_bytes: int, compact_bytes: int) -> None:
        """Take over what *log* holds. Raises `DamagedLog`, `OSError`."""
        self._log = log
        self._max_bytes = max_bytes
        self._compact_bytes = compact_bytes
        self._grown_bytes = compact_bytes
        self._open: dict[int, Ticket] = {}
        self._owed: list[bytes] = []
        self._next = 1
        self._compacting = asyncio.Lock()
        self._is_doubtful = False
        for segment in log.left_over:
            self._take_over(segment)

    def __repr__(self) -> str:
        return f"<Journal promised={len(self._open)} bytes={self._log.size_bytes}>"

    @classmethod
    async def open(
        cls, folder: Path, *, max_bytes: int = MAX_BYTES, compact_bytes: int = COMPACT_BYTES
    ) -> "Journal":
        """Open the journal of *folder*, which is made if need be.

        max_bytes: of all files; beyond that nothing is promised.
        compact_bytes: growth after which the log is made small again.

        Raises `DamagedLog`, which names the file; `BusUnavailable`.
        """
        try:
            journal = cls(
                AppendLog(folder, "journal"), max_bytes=max_bytes, compact_bytes=compact_bytes
            )
        except OSError as error:
            raise BusUnavailable(f"The journal cannot be opened: {error.strerror}.") from error
        # On a full disk the older files stay as they are, and the platform starts.
        with contextlib.suppress(OSError):
            await journal._compact()
        return journal

    @property
    def unfinished(self) -> list[Ticket]:
        """What is promised and not settled, in the order of its acceptance."""
        return [self._open[number] for number in sorted(self._open)]

    @property
    def pending(self) -> int:
        """How many messages are promised and not settled."""
        return len(self._open)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return self._log.size_bytes

    def enter(self, topic: Topic, message: Message, *, was_started: bool) -> Ticket:
        """Append the promise of *message*; it holds once `sync` has returned.

        Raises `BusUnavailable`, which names the cause.
        """
        line = _accepted(self._next, topic, message, was_started)
        if self._log.size_bytes + len(line) > self._max_bytes:
            text = f"The journal is full ({self._max_bytes >> 20} MB)."
            raise BusFull(text, limit="journal")
        try:
            if self._log.is_suspect:
                self._is_doubtful = True
                self._log.rotate()
            segment = self._append(line)
        except OSError as error:
            raise BusUnavailable(f"The journal takes no message: {error.strerror}.") from error
        ticket = Ticket(self._next, topic, message, _promised(was_started), segment)
        self._open[ticket.number] = ticket
        self._next += 1
        return ticket

    async def sync(self) -> None:
        """Return when all promises entered so far would survive a power cut.

        Raises `BusUnavailable`.
        """
        try:
            if self._is_doubtful or self._log.is_suspect:
                await self._renew()
            await self._log.sync()
        except OSError as error:
            raise BusUnavailable(f"The journal was not synced: {error.strerror}.") from error

    async def tidy(self) -> None:
        """Make the log small again if it has grown; who has kept a promise calls it afterwards."""
        if self.has_grown and not self._compacting.locked():
            # If there is no room, the next caller tries again.
            with contextlib.suppress(OSError):
                await self._compact()

    def start(self, ticket: Ticket) -> None:
        """Note that the work of *ticket* begins. Raises `BusUnavailable`."""
        try:
            self._append(_entry(Entry.STARTED, ticket.number))
        except OSError as error:
            raise BusUnavailable(f"The journal takes no start: {error.strerror}.") from error
        ticket.phase = after(ticket.phase, Entry.STARTED)

    def settle(self, ticket: Ticket) -> None:
        """Note that *ticket* is done for good. Idempotent, and never fails.

        What cannot be written now is written with the next entry that can.
        """
        if self._open.pop(ticket.number, None) is None:
            return
        line = _entry(Entry.SETTLED, ticket.number)
        try:
            self._append(line)
        except OSError:
            self._owed.append(line)

    async def close(self) -> None:
        """Sync and close. What is not settled is delivered at the next start. Idempotent."""
        with contextlib.suppress(OSError):  # as much as a full disk allows
            await self._log.sync()
        await self._log.close()
        if not self._open:
            self._log.delete_all()

    @property
    def has_grown(self) -> bool:
        """Whether `tidy` has something to do."""
        log = self._log
        return len(log.files) > 1 or log.active.size_bytes > self._grown_bytes

    def _append(self, line: bytes) -> Segment:
        segment = self._log.append(*self._owed, line)
        self._owed.clear()
        return segment

    async def _renew(self) -> None:
        """Write every promise anew: after a sync that failed, a later one proves nothing."""
        self._is_doubtful = True
        while self._is_doubtful:
            await self._compact()

    async def _compact(self) -> None:
        """Write what is not settled into a new file, then let the older ones go."""
        log = self._log
        async with self._compacting:
            if log.active.size_bytes or log.is_suspect:
                log.rotate()
            older = [segment for segment in log.files if segment is not log.active]
            await self._carry_over()
            await log.sync()
            for segment in older:
                log.discard(segment)
            self._is_doubtful = False
            # Twice as much is written at most, however much of it is unsettled.
            self._grown_bytes = self._compact_bytes + 2 * log.active.size_bytes

    async def _carry_over(self) -> None:
        written_bytes = 0
        for ticket in self.unfinished:
            # It may have been settled while others were written.
            if ticket.number not in self._open or ticket.segment is self._log.active:
                continue
            line = _accepted(ticket.number, ticket.topic, ticket.message, ticket.was_started)
            ticket.segment = self._append(line)
            written_bytes += len(line)
            if written_bytes > _SLICE_BYTES:
                written_bytes = 0
                await asyncio.sleep(0)  # Lets the loop have its turn; waits for nothing.

    def _take_over(self, segment: Segment) -> None:
        for entry in entries(segment):
            try:
                self._take_over_entry(segment, entry)
            except ValueError as error:
                raise DamagedLog(
                    f"The journal {segment.path} holds an entry that is none: {error}"
                ) from error

    def _take_over_entry(self, segment: Segment, entry: bytes) -> None:
        word, _, rest = entry.partition(b" ")
        kind = Entry(word.decode())
        digits, _, rest = rest.partition(b" ")
        number = int(digits)
        ticket = self._open.get(number)
        if kind is Entry.ACCEPTED:
            topic, started, message = rest.split(b" ", 2)
            phase = _promised(started == b"1")
            self._open[number] = Ticket(
                number, Topic(topic.decode()), encoding.decode(message), phase, segment
            )
        elif ticket is not None:
            ticket.phase = after(ticket.phase, kind)
            if ticket.phase is Phase.SETTLED:
                del self._open[number]
        self._next = max(self._next, number + 1)


def _promised(was_started: bool) -> Phase:
    """Return how far a message is whose promise is written; it may run already."""
    phase = after(Phase.UNHEARD, Entry.ACCEPTED)
    return after(phase, Entry.STARTED) if was_started else phase


def _entry(word: Entry, number: int) -> bytes:
    return b"%b %d" % (word.encode(), number)


def _accepted(number: int, topic: Topic, message: Message, was_started: bool) -> bytes:
    head = b"%b %d %b %d " % (Entry.ACCEPTED.encode(), number, topic.encode(), was_started)
    return head + encoding.encode(message)
