"""A program that stays, by OpenWhisk's ActionLoop protocol.

It reads one JSON object a line on descriptor 0, and writes one JSON object a line to descriptor 3;
what it writes to 1 and 2 is its log. Texts and statuses are those of OpenWhisk's Go proxy. What it
does not do as that one: an answer that was written before its question belongs to nobody, a program
that died is noticed at once, and a program has a PATH and a HOME.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
from typing import NoReturn

from brisk_runtime.loading import Undecodable, export, read_order
from brisk_runtime.replies import (
    EXITED,
    INITIALISED,
    NO_CODE,
    NO_OBJECT,
    NOT_READY,
    ONCE,
    Reply,
    error_body,
    read_request,
    refusal,
)
from brisk_runtime.streams import Streams

from brisk_native.placing import NOT_LOCATED, NotPlaced, place

# What does not even live this long could not be started; OpenWhisk's proxy waits as long.
GRACE_MS = 5
# How long the end of a program may lag behind the end of its pipe.
LINGER_MS = 100

_RESULTS_FD = 3
# Above what is handed to the program, so that no descriptor has to be moved out of the way.
_FD_FLOOR = 10
_CHUNK_BYTES = 65_536
_ACKNOWLEDGES = "__OW_WAIT_FOR_ACK"
_START = "Cannot start action. Check logs for details."
_ABRUPT = "Command exited abruptly during initialization."
_NO_ACK = "The action did not initialize properly."


class Ended(Exception):
    """The program has ended, or has closed what it should answer on."""


class Program:
    """One process and the two pipes to it."""

    def __init__(self, path: str) -> None:
        """Start *path*. Raises OSError where the system cannot."""
        questions, self._questions = _pipe()
        self._results, results = _pipe()
        try:
            self.pid = os.posix_spawn(
                path,
                [path],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, questions, 0),
                    (os.POSIX_SPAWN_DUP2, results, _RESULTS_FD),
                ],
                setsigdef=[signal.SIGPIPE],
            )
        except OSError:
            os.close(self._questions)
            os.close(self._results)
            raise
        finally:
            os.close(questions)
            os.close(results)
        self._death = os.pidfd_open(self.pid)
        for fd in (self._questions, self._results):
            os.set_blocking(fd, False)

    def has_ended(self, within_ms: int) -> bool:
        """Tell whether it ends by itself in that time."""
        poll = select.poll()
        poll.register(self._death, select.POLLIN)
        return bool(poll.poll(within_ms))

    def ask(self, line: bytes) -> bytes:
        """Return the line that it answers to *line*. Raises `Ended`."""
        self._forget_stale()
        return self._exchange(line)

    def acknowledgement(self) -> bytes:
        """Return the line that it writes before it is asked anything. Raises `Ended`."""
        return self._exchange(b"")

    def _exchange(self, line: bytes) -> bytes:
        pending = memoryview(line)
        answer = bytearray()
        poll = select.poll()
        poll.register(self._results, select.POLLIN)
        poll.register(self._death, select.POLLIN)
        if pending:
            poll.register(self._questions, select.POLLOUT)
        while True:
            ready = dict(poll.poll())
            if self._questions in ready:
                pending = self._send(pending)
                if not pending:
                    poll.unregister(self._questions)
            if self._results in ready or self._death in ready:
                is_open = self._receive(answer)
                end = answer.find(b"\n")
                if end >= 0:
                    return bytes(answer[: end + 1])
                if not is_open or self._death in ready:
                    raise Ended

    def close(self) -> bool:
        """End it, if need be; tell whether it had been killed already."""
        has_ended = self.has_ended(LINGER_MS)
        if not has_ended:
            os.kill(self.pid, signal.SIGKILL)
        for fd in (self._questions, self._results, self._death):
            os.close(fd)
        status = os.waitpid(self.pid, 0)[1]
        return has_ended and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def _send(self, pending: memoryview) -> memoryview:
        try:
            return pending[os.write(self._questions, pending[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return pending
        except BrokenPipeError:  # it does not read, but may answer nevertheless
            return pending[:0]

    def _receive(self, answer: bytearray) -> bool:
        """Append what is there; tell whether more may come."""
        while True:
            try:
                data = os.read(self._results, _CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            answer += data
            if b"\n" in data:
                return True

    def _forget_stale(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._results, _CHUNK_BYTES):
                continue


class ActionLoopRunner:
    """Holds the program. One call at a time."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._program: Program | None = None
        self._is_initialised = False
        # The program may be gone when it is written to; that must not end the runtime as well.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def init(self, body: bytes) -> Reply:
        """Start the program that the body of /init carries."""
        if self._is_initialised:
            self._streams.say(ONCE)
            return refusal(403, ONCE)
        try:
            order = read_order(read_request(body).get("value") or {})
        except ValueError as error:
            return refusal(400, f"Error unmarshaling request: {error}")
        if order is None:
            return refusal(403, NO_CODE)
        export(order.env)
        try:
            path = place(order)
        except Undecodable as error:
            return refusal(400, str(error))
        except NotPlaced as error:
            return self._failed(NOT_LOCATED, str(error))
        except OSError as error:  # the folder is full, or can't be written to
            return self._failed(f"The code can't be stored: {error.strerror}", str(error))
        return self._start(path)

    def run(self, body: bytes) -> Reply:
        """Hand the body of /run to the program."""
        program = self._program
        if program is None:
            return refusal(500, NOT_READY)
        try:
            answer = program.ask(body.replace(b"\n", b"") + b"\n")
        except Ended:
            self._program = None
            if program.close():
                # As a rule by the kernel, for memory: dying alike has the platform look for that.
                os.kill(os.getpid(), signal.SIGKILL)
            return Reply(400, error_body(EXITED))
        return Reply(200, answer) if is_result(answer) else Reply(502, error_body(NO_OBJECT))

    def _start(self, path: str) -> Reply:
        os.chdir(os.path.dirname(path))
        try:
            program = Program(path)
        except OSError as error:
            return self._failed(_START, f"{os.path.basename(path)}: {_reason(path, error)}")
        if program.has_ended(GRACE_MS):
            program.close()
            return self._failed(_START, _ABRUPT)
        if os.environ.get(_ACKNOWLEDGES):
            try:
                is_ready = _is_acknowledgement(program.acknowledgement())
            except Ended:
                program.close()
                return self._failed(_START, _ABRUPT)
            if not is_ready:
                program.close()
                return self._failed(_START, _NO_ACK)
        self._program = program
        self._is_initialised = True
        return INITIALISED

    def _failed(self, text: str, log: str) -> Reply:
        self._streams.say(log)
        return Reply(502, error_body(text))


def is_result(answer: bytes) -> bool:
    """Tell whether *answer* is an object or an array; `null` passes, as in OpenWhisk's proxy."""
    try:
        result = json.loads(answer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return result is None or isinstance(result, (dict, list))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _is_acknowledgement(line: bytes) -> bool:
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("ok") is True


def _reason(path: str, error: OSError) -> str:
    """Return why *path* can't be executed: for a script, the culprit is its interpreter."""
    with open(path, "rb") as file:
        first = file.readline(256)
    if error.errno == errno.ENOENT and first.startswith(b"#!"):
        interpreter = first[2:].strip().decode(errors="replace")
        return f"there is no {interpreter!r} here"
    return error.strerror or str(error)


def _pipe() -> tuple[int, int]:
    """Return a pipe, both ends of which are out of the way of what a program is given."""
    ends = os.pipe()
    try:
        read_end, write_end = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FD_FLOOR) for fd in ends)
    finally:
        for fd in ends:
            os.close(fd)
    return read_end, write_end
