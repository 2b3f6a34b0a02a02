"""The platform's end of a sandbox: a socket of frames, and the pipes of its stdout and stderr.

What the language itself prints comes as log frames; what child processes and C code write comes
through the pipes. The pipes are drained before frames are taken and once more when the answer is
there, so nothing that was written before the answer is missed, and nothing that comes between two
calls is ever in a log. A process that outlives its activation keeps the old pipes: the next call
goes out with fresh ones, and the old are drained into nothing.

The channel works on the bare socket with `add_reader`, not with a transport: descriptors have to
travel along (SCM_RIGHTS), and a warm call costs one timer, one future and no task. It runs on any
event loop of asyncio. Everything a sandbox can do to it ends in `Died`, never in an exception.
"""

import array
import asyncio
import contextlib
import fcntl
import os
import select
import socket
import termios
import time
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Self, TypeAlias

from common.codec import MalformedJson, decode
from invoker.driver import frames
from invoker.driver.calls import STREAMS, Call, Calls, answer_of
from invoker.driver.port import (
    CannotStart,
    Died,
    Expired,
    LogSink,
    Operation,
    Reply,
    Stream,
)
from invoker.driver.readers import Readers

Said: TypeAlias = Operation | Literal["template", "wake"]
"""What a runtime is told; those two only where a driver has templates."""

_KINDS: Final[dict[Said, bytes]] = {
    "init": frames.INIT,
    "run": frames.RUN,
    "template": frames.TEMPLATE,
    "wake": frames.WAKE,
}
# 16 KB: some hundred lines of a log, which take half a millisecond.
_RECEIVE_BYTES: Final = 16_384
# 256 KB in the middle of a large answer: few turns of the loop, none of them long.
_BULK_BYTES: Final = 262_144
_PIPE_BYTES: Final = 16_384
# Below this, one copy is cheaper than a second buffer for the kernel to gather.
_GATHER_BYTES: Final = 16_384
# Pipes of former activations that are still held by somebody; beyond that the present pair stays.
_MAX_OLD_PIPES: Final = 32
_OPEN: Final = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a runtime says of itself when it is up."""

    runtime: str
    version: str
    takes_descriptors: bool


class Channel:
    """One channel. Owns the socket and the read ends of the pipes from `open` to `close`.

    `call` is never entered twice at a time, unless the runtime has said that it `shares`. When it
    was cancelled, or returned `Expired` or `Died`, only `wait_closed` and `close` are of use; a
    further `call` returns `Died`. Calls beside others leave those in peace.
    """

    def __init__(self, sock: socket.socket, stdout_fd: int, stderr_fd: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._readers = Readers(self._loop)
        self._socket = sock
        self._reader = frames.FrameReader(frames.MAX_HELLO_BYTES)
        self._pipes = {stdout_fd: Stream.STDOUT, stderr_fd: Stream.STDERR}
        self._old_pipes: set[int] = set()
        self._readable = select.poll()
        self._call: Call | None = None
        self._calls: Calls | None = None
        self._outgoing: list[memoryview] = []
        self._outgoing_fds: tuple[int, ...] = ()
        self._others_alive = False
        self._takes_descriptors = False
        self._how = _OPEN
        self._is_spent = False
        self._hello: asyncio.Future[frames.HelloFrame | None] = self._loop.create_future()
        self._closed: asyncio.Future[str] = self._loop.create_future()

    @classmethod
    async def open(cls, sock: socket.socket, stdout_fd: int, stderr_fd: int) -> Self:
        """Take over *sock* and the read ends of the sandbox's two pipes."""
        channel = cls(sock, stdout_fd, stderr_fd)
        sock.setblocking(False)
        channel._readers.watch(sock.fileno(), channel._on_frames)
        channel._readable.register(sock.fileno(), select.POLLIN)
        for fd in (stdout_fd, stderr_fd):
            channel._watch_pipe(fd)
        return channel

    def __repr__(self) -> str:
        """Return what a log may show."""
        state = self._how or ("calling" if self._call else "idle")
        return f"<Channel {state}, {len(self._old_pipes)} old pipes>"

    async def hello(self, timeout_s: float) -> Hello:
        """Return what the runtime says when it is up. Raises `CannotStart`."""
        timer = self._loop.call_later(timeout_s, self._give_up_hello)
        try:
            frame = await asyncio.shield(self._hello)
        finally:
            timer.cancel()
        if frame is None:
            raise CannotStart(f"the runtime did not come up: {self._how or 'it said nothing'}")
        try:
            told = decode(frame.body)
            hello = Hello(told["runtime"], told["version"], told.get("takes_descriptors") is True)
        except (MalformedJson, KeyError, TypeError, AttributeError) as error:
            raise CannotStart("the runtime's first words make no sense") from error
        self._takes_descriptors = hello.takes_descriptors
        return hello

    async def call(
        self,
        operation: Said,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Send the body of /init or /run and return what came of it; see `port.Sandbox.call`."""
        if self._calls is not None and operation == "run":
            self._reader.limit_bytes = answer_limit_bytes
            return await self._call_beside(self._calls, payload, timeout_s, logs)
        if not self._is_spent:
            self._drop_stale()
        if self._how or self._is_spent:
            return Died(self._how or "an earlier call was given up")
        call = self._call = Call(self._loop.create_future(), logs)
        self._reader.limit_bytes = answer_limit_bytes
        timer = self._loop.call_later(timeout_s, self._expire, call)
        self._is_spent = True  # until there is an answer
        try:
            self._send(_KINDS[operation], payload)
            return await call.answer
        finally:
            timer.cancel()
            self._call = None
            self._reader.limit_bytes = 0

    async def _call_beside(
        self, calls: Calls, payload: bytes, timeout_s: float, logs: LogSink
    ) -> Reply:
        """Send the body of /run beside others."""
        if self._how:
            return Died(self._how)
        call = Call(self._loop.create_future(), logs)
        number = calls.begin(call)
        timer = self._loop.call_later(timeout_s, self._expire, call)
        try:
            self._send(frames.RUN_BESIDE, number.to_bytes(4, "big") + payload)
            return await call.answer
        finally:
            timer.cancel()
            calls.end(number)

    async def wait_closed(self) -> str:
        """Return how the channel ended, once it has."""
        return await asyncio.shield(self._closed)

    def close(self) -> None:
        """Let go of everything; a call under way returns `Died`. Idempotent, never raises."""
        self._end("closed")

    # Sending.

    def _send(self, kind: bytes, payload: bytes) -> None:
        header = (len(payload) + 1).to_bytes(4, "big") + kind
        is_sending = bool(self._outgoing)
        if len(payload) < _GATHER_BYTES:
            self._outgoing.append(memoryview(header + payload))
        else:
            self._outgoing += [memoryview(header), memoryview(payload)]
        if is_sending:  # a call before this one; the socket takes both when it takes more
            return
        if self._others_alive and self._takes_descriptors and kind == frames.RUN:
            self._renew_pipes()
        self._flush()

    def _flush(self) -> None:
        """Send as much as the socket takes; the rest when it takes more."""
        try:
            sent = self._send_some()
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._end(f"it can't be written to: {error.strerror}")
            return
        while self._outgoing and sent >= len(self._outgoing[0]):
            sent -= len(self._outgoing.pop(0))
        if self._outgoing:
            self._outgoing[0] = self._outgoing[0][sent:]
            self._loop.add_writer(self._socket.fileno(), self._on_writable)

    def _send_some(self) -> int:
        if self._outgoing_fds:
            rights = array.array("i", self._outgoing_fds)
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            sent = self._socket.sendmsg(self._outgoing, ancillary, socket.MSG_NOSIGNAL)
            self._drop_outgoing_fds()
            return sent
        if len(self._outgoing) == 1:
            return self._socket.send(self._outgoing[0], socket.MSG_NOSIGNAL)
        return self._socket.sendmsg(self._outgoing, [], socket.MSG_NOSIGNAL)

    def _on_writable(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        self._flush()

    def _renew_pipes(self) -> None:
        """Make fresh pipes for the next activation; whoever holds the old ones writes to nobody."""
        if len(self._old_pipes) + len(self._pipes) > _MAX_OLD_PIPES:
            return
        self._old_pipes.update(self._pipes)
        owner = (-1, -1)
        for fd in self._pipes:
            # The sandbox's user owns its pipes, so that it can open them again as /dev/stdout.
            owner = os.fstat(fd).st_uid, os.fstat(fd).st_gid
            self._readable.unregister(fd)
        self._pipes = {}
        write_ends = []
        for stream in Stream:
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            if owner != (os.geteuid(), os.getegid()):
                os.fchown(write_end, *owner)
            self._pipes[read_end] = stream
            self._watch_pipe(read_end)
            write_ends.append(write_end)
        self._outgoing_fds = tuple(write_ends)

    def _drop_outgoing_fds(self) -> None:
        for fd in self._outgoing_fds:
            os.close(fd)
        self._outgoing_fds = ()

    # Receiving.

    def _on_frames(self) -> bool:
        """Take what has come; tell whether more has than is taken at once, and no answer."""
        size = _BULK_BYTES if self._reader.is_inside_answer else _RECEIVE_BYTES
        try:
            data = self._socket.recv(size)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._end(f"it can't be read from: {error.strerror}")
            return False
        if not data:
            self._end("broken frame: it ends early" if self._reader.is_inside_frame else "it ended")
            return False
        try:
            received = self._reader.feed(data)
            if received:
                self._drain(self._listener)
            for frame in received:
                self._take(frame)
        except frames.BrokenFrame as error:
            self._end(f"broken frame {error}")
        return len(data) == size and not self._reader.is_keeping_answer

    def _take(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.AnswerFrame):
            if self._calls is not None and frame.call:
                self._calls.answer(frame)
            else:
                self._take_answer(frame)
        elif isinstance(frame, frames.LogFrame):
            if self._calls is not None and frame.call:
                self._calls.log(frame)
            elif self._call is not None and not frame.call:
                self._call.logs.write(STREAMS[frame.stream], frame.time_ns, frame.text)
        elif self._hello.done():
            raise frames.BrokenFrame("of type H, not expected")
        else:
            self._hello.set_result(frame)

    def _take_answer(self, frame: frames.AnswerFrame) -> None:
        call, self._call = self._call, None
        if call is None or self._outgoing or frame.call:
            self._call = call
            raise frames.BrokenFrame("of type A, not expected")
        self._others_alive = bool(frame.flags & frames.OTHERS_ALIVE)
        self._is_spent = False
        self._reader.limit_bytes = 0
        if frame.flags & frames.SHARES and self._calls is None:
            self._calls = Calls()
        call.settle(answer_of(frame))

    @property
    def _listener(self) -> Call | None:
        """Whose log the pipes are read for."""
        return self._call if self._calls is None or self._call else self._calls.oldest

    def _drop_stale(self) -> None:
        """Take what came since the last answer: it belongs to nobody."""
        if not self._how and self._readable.poll(0):
            self._on_frames()
            self._drain(None)

    # The pipes.

    def _watch_pipe(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._readable.register(fd, select.POLLIN)
        self._readers.watch(fd, partial(self._on_pipe, fd))

    def _on_pipe(self, fd: int) -> bool:
        return self._read_pipe(fd, _PIPE_BYTES, self._listener)

    def _drain(self, call: Call | None) -> None:
        """Take what is in the pipes at this moment; a writer that never stops gets no more."""
        for fd, _ in self._readable.poll(0):
            if fd not in self._pipes:
                continue
            size = array.array("i", [0])
            fcntl.ioctl(fd, termios.FIONREAD, size)
            self._read_pipe(fd, size[0], call)

    def _read_pipe(self, fd: int, size_bytes: int, call: Call | None) -> bool:
        """Take up to *size_bytes*; tell whether that many were there."""
        left_bytes = size_bytes
        while True:
            try:
                text = os.read(fd, min(max(left_bytes, 1), _PIPE_BYTES))
            except (BlockingIOError, InterruptedError):
                return False
            if not text:
                self._forget_pipe(fd)
                return False
            stream = self._pipes.get(fd)
            if call is not None and stream is not None:
                call.logs.write(stream, time.time_ns(), text)
            left_bytes -= len(text)
            if left_bytes <= 0:
                return True

    def _forget_pipe(self, fd: int) -> None:
        self._readers.forget(fd)
        if self._pipes.pop(fd, None) is not None:
            self._readable.unregister(fd)
        self._old_pipes.discard(fd)
        os.close(fd)

    # Ending.

    def _expire(self, call: Call) -> None:
        """The time is up: take what was printed so far, then give up."""
        self._on_frames()
        self._drain(self._listener)
        call.settle(Expired())

    def _give_up_hello(self) -> None:
        if not self._hello.done():
            self._hello.set_result(None)

    def _end(self, how: str) -> None:
        if self._how:
            return
        self._how = how
        self._drain(self._listener)
        self._readers.forget(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._readable.unregister(self._socket.fileno())
        self._socket.close()
        self._outgoing = []
        self._drop_outgoing_fds()
        for fd in [*self._pipes, *self._old_pipes]:
            with contextlib.suppress(OSError):  # a pipe can't fail to close in a way that matters
                self._forget_pipe(fd)
        self._give_up_hello()
        if self._call is not None:
            self._call.settle(Died(how))
        if self._calls is not None:
            self._calls.settle_all(how)
        if not self._closed.done():
            self._closed.set_result(how)
