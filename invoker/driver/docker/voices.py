"""The two ways of talking to a container: our frames, and OpenWhisk's HTTP with its logs."""

import asyncio
import time
from dataclasses import replace
from typing import Final

from invoker.driver.channel import Channel
from invoker.driver.docker.attach import Attachment
from invoker.driver.docker.sentinel import FAILURE_TEXT, MarkedLog
from invoker.driver.http_channel import HttpChannel
from invoker.driver.port import Answer, LogSink, Operation, Reply, Stream

QUIET_S: Final = 2.0
"""A log whose end has not come and that is quiet for this long has none. Source: OpenWhisk."""
LOG_S: Final = 20.0
"""The longest that is waited for the end of a log: 10 MB at OpenWhisk's 2 s a megabyte."""
SETTLE_S: Final = 0.02
"""How long what was printed takes to get here: for logs that have no end mark."""
MAX_HELD_BYTES: Final = 1 << 20
"""What is kept of the output between loading the code and its first run."""
_OK: Final = 200


class FramesVoice:
    """A runtime of ours: the channel does it all."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def call(
        self,
        operation: Operation,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Send the body of `/init` or `/run` and return what came of it."""
        return await self._channel.call(
            operation,
            payload,
            timeout_s=timeout_s,
            answer_limit_bytes=answer_limit_bytes,
            logs=logs,
        )

    async def wait_closed(self) -> str:
        """Return how it stopped talking, once it has."""
        return await self._channel.wait_closed()

    def rest(self) -> None:
        """Do nothing: a frozen socket is a socket."""

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        self._channel.close()


class HttpVoice:
    """A runtime of somebody else: calls by HTTP, logs from the attached stream.

    What comes between a run and the next call belongs to nobody. What comes after the code was
    loaded belongs to the first run, as it does in OpenWhisk.
    """

    def __init__(self, http: HttpChannel, output: Attachment, *, is_sentinelled: bool) -> None:
        """Talk through *http*. *is_sentinelled*: whether the runtime marks the ends of its logs."""
        self._http = http
        self._output = output
        self._is_sentinelled = is_sentinelled
        self._held: list[tuple[Stream, int, bytes]] = []
        self._held_bytes = 0
        self._log_lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        output.take = self._hold

    async def call(
        self,
        operation: Operation,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Send the body of `/init` or `/run`; return what came of it when its log is complete."""
        log = _Collector(logs)
        for stream, time_ns, text in self._held:
            logs.write(stream, time_ns, text)
        self._forget()
        self._output.take = log.take
        try:
            reply = await self._http.call(
                operation, payload, timeout_s=timeout_s, answer_limit_bytes=answer_limit_bytes
            )
            answered_ns = time.monotonic_ns()
            is_marked = operation == "run" and self._is_sentinelled
            if not (is_marked and isinstance(reply, Answer) and reply.status == _OK):
                await asyncio.sleep(SETTLE_S)
            elif not await log.is_complete():
                logs.write(Stream.STDERR, time.time_ns(), FAILURE_TEXT.encode() + b"\n")
                if not self._log_lost.done():
                    # Its end may yet come, inside the log of another activation.
                    self._log_lost.set_result("the end of a log did not come")
            log.finish()
            if isinstance(reply, Answer):
                return replace(reply, extra_ns=time.monotonic_ns() - answered_ns)
            return reply
        finally:
            self._output.take = self._hold if operation == "init" else _drop

    async def wait_closed(self) -> str:
        """Return how it stopped talking, once it has; or that its logs can't be told apart."""
        await asyncio.wait(
            {self._output.ended, self._log_lost}, return_when=asyncio.FIRST_COMPLETED
        )
        return self._log_lost.result() if self._log_lost.done() else self._output.ended.result()

    def rest(self) -> None:
        """Drop the connection: it may not outlive a pause."""
        self._http.disconnect()

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        self._http.close()
        self._output.close()
        self._forget()

    def _hold(self, stream: Stream, text: bytes) -> None:
        room_bytes = MAX_HELD_BYTES - self._held_bytes
        if room_bytes > 0:
            self._held.append((stream, time.time_ns(), text[:room_bytes]))
            self._held_bytes += min(len(text), room_bytes)

    def _forget(self) -> None:
        self._held.clear()
        self._held_bytes = 0


class _Collector:
    """The log of one call."""

    def __init__(self, logs: LogSink) -> None:
        self._logs = logs
        self._log = MarkedLog()
        self._news = asyncio.Event()

    def take(self, stream: Stream, text: bytes) -> None:
        kept = self._log.feed(stream, text)
        if kept:
            self._logs.write(stream, time.time_ns(), kept)
        self._news.set()

    async def is_complete(self) -> bool:
        """Wait for both ends; tell whether they came."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + LOG_S
        while not self._log.is_over:
            self._news.clear()
            try:
                async with asyncio.timeout(min(QUIET_S, give_up_s - loop.time())):
                    await self._news.wait()
            except TimeoutError:
                return False
        return True

    def finish(self) -> None:
        """Pass on what was held back in the hope of a mark."""
        for stream, text in self._log.rest():
            self._logs.write(stream, time.time_ns(), text)


def _drop(stream: Stream, text: bytes) -> None:
    """Take what belongs to no activation."""
