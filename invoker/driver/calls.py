"""The calls that a channel has under way: the only one, or several that were given numbers.

A call is settled once; what comes for it afterwards (its time was up, it was cancelled) is dropped,
as is what comes for a number that was never given.
"""

import asyncio
import itertools
from typing import Final

from invoker.driver import frames
from invoker.driver.port import Answer, Died, LogSink, Reply, Stream

STREAMS: Final = {stream.value: stream for stream in Stream}
"""By the number that a frame has; to ask the enum takes four times as long."""
_MOST_NUMBERS: Final = 1 << 32


class Call:
    """One call that is under way."""

    __slots__ = ("answer", "logs")

    def __init__(self, answer: asyncio.Future[Reply], logs: LogSink) -> None:
        self.answer = answer
        self.logs = logs

    def settle(self, reply: Reply) -> None:
        """Note how it ended; the first word counts."""
        if not self.answer.done():
            self.answer.set_result(reply)


class Calls:
    """Several calls at a time, by number."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._by_number: dict[int, Call] = {}

    @property
    def oldest(self) -> Call | None:
        """Whose the output is that names no call: children and threads do not know theirs."""
        return next(iter(self._by_number.values()), None)

    def begin(self, call: Call) -> int:
        """Return the number of *call* from now on, until `end`."""
        number = next(self._numbers) % _MOST_NUMBERS
        self._by_number[number] = call
        return number

    def end(self, number: int) -> None:
        """Forget the call."""
        del self._by_number[number]

    def log(self, frame: frames.LogFrame) -> None:
        """Give *frame* to the call that it names."""
        if (call := self._by_number.get(frame.call)) is not None:
            call.logs.write(STREAMS[frame.stream], frame.time_ns, frame.text)

    def answer(self, frame: frames.AnswerFrame) -> None:
        """Settle the call that *frame* names."""
        if (call := self._by_number.get(frame.call)) is not None:
            call.settle(answer_of(frame))

    def settle_all(self, how: str) -> None:
        """Settle all with the death of their sandbox."""
        for call in self._by_number.values():
            call.settle(Died(how))


def answer_of(frame: frames.AnswerFrame) -> Answer:
    """Return *frame* in the words of the port."""
    exhausted = bool(frame.flags & frames.MEMORY_EXHAUSTED)
    shares = bool(frame.flags & frames.SHARES)
    return Answer(frame.status, frame.body, frame.size, exhausted, shares)
