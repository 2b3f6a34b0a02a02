"""A program for each activation, as in OpenWhisk's `dockerskeleton`.

It gets the value as its first argument, where that is short enough, and on its standard input; the
context is in its environment. The last line that it prints is the result, the others are its log.
How it ends does not matter.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal

from brisk_runtime.loading import Undecodable, export, read_order
from brisk_runtime.replies import NO_OBJECT, ONCE, Reply, error_body, read_request, refusal
from brisk_runtime.streams import Streams

from brisk_native.actionloop import is_result
from brisk_native.placing import NOT_LOCATED, NotPlaced, place

# What the kernel takes as one argument, less its closing zero.
MOST_ARGUMENT_BYTES = 131_071

_CHUNK_BYTES = 65_536
_OK = Reply(200, b'{"ok":true}\n')
_STUB = b'{"error":"This is a stub action. Replace it with custom logic."}'
_NO_BINARY = "The action failed to locate a binary. See logs for details."
_NO_ARGUMENT = "The action did not receive a dictionary or array as an argument."


class SkeletonRunner:
    """Knows where the program is. One call at a time."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._path = ""
        self._is_initialised = False
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def init(self, body: bytes) -> Reply:
        """Place the program that the body of /init carries; without one there is the stub."""
        if self._is_initialised:
            self._streams.say(ONCE)
            return refusal(403, ONCE)
        try:
            order = read_order(read_request(body).get("value") or {}) if body else None
        except ValueError:
            order = None
        if order is not None:
            export(order.env)
            try:
                self._path = place(order)
            except (NotPlaced, Undecodable, OSError) as error:
                self._streams.say(str(error))
                return Reply(502, error_body(NOT_LOCATED))
            os.chdir(os.path.dirname(self._path))
        self._is_initialised = True
        return _OK

    def run(self, body: bytes) -> Reply:
        """Start the program with what the body of /run carries, and wait for its end."""
        if not self._path:
            return Reply(200, _STUB)
        try:
            request = read_request(body)
        except ValueError:
            request = {"value": None}
        value = request.pop("value", {})
        if not isinstance(value, (dict, list)):
            return Reply(404, error_body(_NO_ARGUMENT))
        for name in ("traceparent", "tracestate"):  # of this call, not of one before it
            os.environ.pop(f"__OW_{name.upper()}", None)
        export({f"__OW_{key.upper()}": text for key, text in request.items()})
        try:
            last = self._last_line(json.dumps(value, separators=(",", ":")).encode())
        except OSError as error:
            self._streams.say(f"exec: {error.strerror}")
            return Reply(502, error_body(_NO_BINARY))
        if last.strip() in (b"", b"null") or not is_result(last):
            self._print(last)
            return Reply(502, error_body(NO_OBJECT))
        return Reply(200, last.strip())

    def _last_line(self, value: bytes) -> bytes:
        """Return the last line that is printed; what comes before it is the log."""
        questions, output, pid = self._start(value)
        try:
            return self._exchange(memoryview(value), questions, output, pid)
        finally:
            os.close(output)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _start(self, value: bytes) -> tuple[int, int, int]:
        stdin, questions = os.pipe()
        output, stdout = os.pipe()
        argument = [value] if len(value) <= MOST_ARGUMENT_BYTES else []
        try:
            pid = os.posix_spawn(
                self._path,
                [self._path, *argument],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, stdin, 0),
                    (os.POSIX_SPAWN_DUP2, stdout, 1),
                ],
                setsigdef=[signal.SIGPIPE],
            )
        except OSError:
            os.close(questions)
            os.close(output)
            raise
        finally:
            os.close(stdin)
            os.close(stdout)
        for fd in (questions, output):
            os.set_blocking(fd, False)
        return questions, output, pid

    def _exchange(self, value: memoryview, questions: int, output: int, pid: int) -> bytes:
        death = os.pidfd_open(pid)
        poll = select.poll()
        for fd, event in ((questions, select.POLLOUT), (output, select.POLLIN)):
            poll.register(fd, event)
        poll.register(death, select.POLLIN)
        held, is_open = bytearray(), True
        while is_open:
            ready = dict(poll.poll())
            if questions in ready:
                value = _send(questions, value)
                if not value:
                    poll.unregister(questions)
                    os.close(questions)
                    questions = -1
            if output in ready or death in ready:
                is_open = self._receive(output, held) and death not in ready
        if questions >= 0:
            os.close(questions)
        # What it left running may hold the pipe open: its own end is what counts.
        os.waitpid(pid, 0)
        os.close(death)
        self._receive(output, held)
        return bytes(held)

    def _receive(self, output: int, held: bytearray) -> bool:
        """Take what is there; print all of it but the last line. Tell whether more may come."""
        while True:
            try:
                data = os.read(output, _CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            held += data
            end = held.rstrip(b"\n").rfind(b"\n") + 1
            if end:
                self._print(held[:end])
                del held[:end]

    def _print(self, text: bytes | bytearray) -> None:
        if text:
            whole = text if text.endswith(b"\n") else bytes(text) + b"\n"
            self._streams.stdout.write(whole)


def _send(fd: int, value: memoryview) -> memoryview:
    try:
        return value[os.write(fd, value[:_CHUNK_BYTES]) :]
    except BlockingIOError:
        return value
    except BrokenPipeError:  # it took the argument, and does not read
        return value[:0]
