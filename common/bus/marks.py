"""Which messages this consumer has begun and done, on disk: a broker keeps one number, not this.

A message that a broker delivers again may have been started, or even settled, moments before the
process was killed; the commit that would have told the broker never left. So each start and each
settlement is appended here first. An entry survives `kill -9`, and after a power cut "it may have
run" is the honest answer.

Entries (one line each, see `common.append_log`; what they make of a message is the table in
`common.bus.promise`):

    started <topic> <offset> <id>
    settled <topic> <offset> <id>

The id is of the activation: should a topic be deleted and made anew, its offsets begin again, and
only the ids tell the new messages from the old. Marks below a committed offset are not needed any
more. When the log has grown, a new file is begun with the marks that still are.
"""

import contextlib
from pathlib import Path
from typing import Final, TypeAlias

from common.append_log import AppendLog, DamagedLog, Segment, entries
from common.bus.port import BusUnavailable
from common.bus.promise import Entry, Phase, after
from common.ids import ActivationId
from common.message.topics import Topic

_COMPACT_BYTES: Final = 4 << 20

_Place: TypeAlias = tuple[Topic, int]


class Marks:
    """Belongs to one event loop; made by `open`."""

    def __init__(self, log: AppendLog, *, compact_bytes: int) -> None:
        """Take over what *log* holds. Raises `DamagedLog`, `OSError`."""
        self._log = log
        self._compact_bytes = compact_bytes
        self._marks: dict[_Place, tuple[Phase, ActivationId]] = {}
        self._low: dict[Topic, int] = {}
        self._owed: list[bytes] = []
        for segment in log.left_over:
            self._take_over(segment)

    def __repr__(self) -> str:
        return f"<Marks kept={len(self._marks)} bytes={self._log.size_bytes}>"

    @classmethod
    def open(cls, folder: Path, *, compact_bytes: int = _COMPACT_BYTES) -> "Marks":
        """Open the marks of *folder*, which is made if need be.

        Raises `DamagedLog`, which names the file; `BusUnavailable`.
        """
        try:
            marks = cls(AppendLog(folder, "marks"), compact_bytes=compact_bytes)
        except OSError as error:
            raise BusUnavailable(f"The marks cannot be opened: {error.strerror}.") from error
        # On a full disk the older files stay as they are.
        with contextlib.suppress(OSError):
            marks._compact()
        return marks

    def was_started(self, topic: Topic, offset: int, activation: ActivationId) -> bool:
        """Tell whether the work of that message had begun."""
        return self._marks.get((topic, offset)) == (Phase.STARTED, activation)

    def was_settled(self, topic: Topic, offset: int, activation: ActivationId) -> bool:
        """Tell whether that message was done for good."""
        return self._marks.get((topic, offset)) == (Phase.SETTLED, activation)

    def start(self, topic: Topic, offset: int, activation: ActivationId) -> None:
        """Note that its work begins. Raises `BusUnavailable`; then it must not."""
        try:
            self._append(_entry(Entry.STARTED, topic, offset, activation))
        except OSError as error:
            raise BusUnavailable(f"The marks take no start: {error.strerror}.") from error
        self._enter((topic, offset), Entry.STARTED, activation)

    def settle(self, topic: Topic, offset: int, activation: ActivationId) -> None:
        """Note that it is done. Never fails: what cannot be written now is written later."""
        line = _entry(Entry.SETTLED, topic, offset, activation)
        self._enter((topic, offset), Entry.SETTLED, activation)
        try:
            self._append(line)
        except OSError:
            self._owed.append(line)

    def committed(self, topic: Topic, low: int) -> None:
        """Forget what lies below *low*: the broker does not deliver it again."""
        for offset in range(self._low.get(topic, low), low):
            self._marks.pop((topic, offset), None)
        self._low[topic] = low
        if self._log.size_bytes > self._compact_bytes:
            # If there is no room, the next commit tries again.
            with contextlib.suppress(OSError):
                self._compact()

    def began(self, topic: Topic, low: int) -> None:
        """Forget what lies below *low*, where this consumer begins."""
        for place in [each for each in self._marks if each[0] == topic and each[1] < low]:
            del self._marks[place]
        self._low[topic] = low

    async def close(self) -> None:
        """Close the files; they stay on disk. Idempotent."""
        await self._log.close()

    def _append(self, line: bytes) -> None:
        if self._log.is_suspect:
            self._log.rotate()
        self._log.append(*self._owed, line)
        self._owed.clear()

    def _compact(self) -> None:
        """Begin a new file with what is still needed, then let the older ones go."""
        log = self._log
        if log.active.size_bytes or log.is_suspect:
            log.rotate()
        lines = [
            _entry(_ENTRY[phase], *place, mark) for place, (phase, mark) in self._marks.items()
        ]
        if lines:
            log.append(*lines)
        self._owed.clear()
        for segment in log.files:
            if segment is not log.active:
                log.discard(segment)

    def _take_over(self, segment: Segment) -> None:
        for entry in entries(segment):
            try:
                word, topic, offset, activation = entry.split(b" ")
                kind = Entry(word.decode())
                place = Topic(topic.decode()), int(offset)
            except ValueError as error:
                raise DamagedLog(
                    f"The file {segment.path.name} holds a mark that is none: {error}"
                ) from error
            self._enter(place, kind, ActivationId(activation.decode()))

    def _enter(self, place: _Place, entry: Entry, activation: ActivationId) -> None:
        phase, known = self._marks.get(place, (Phase.UNHEARD, activation))
        # Where offsets have begun again, what is known is of another message.
        before = phase if known == activation else Phase.UNHEARD
        self._marks[place] = after(before, entry), activation


_ENTRY: Final = {Phase.STARTED: Entry.STARTED, Phase.SETTLED: Entry.SETTLED}
"""The entry that says all about a message."""


def _entry(word: Entry, topic: Topic, offset: int, activation: ActivationId) -> bytes:
    return b"%b %b %d %b" % (word.encode(), topic.encode(), offset, activation.encode())
