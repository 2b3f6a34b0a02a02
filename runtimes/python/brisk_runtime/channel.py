"""The frames face: one connected socket, one call at a time, or several by number.

A frame is a 4-byte big-endian length (of type and payload), one byte of type, and the payload.
Down come `I` (body of /init) and `R` (body of /run, perhaps with two descriptors: fresh write ends
for 1 and 2); `T` and `W` make a template of a sandbox and wake its copies (`template`). Up go `H`
(hello, once), `L` (a stream's number, Unix nanoseconds, text) and `A` (HTTP status, flags, body).
The end of the socket is the end of this process.
"""

from __future__ import annotations

import array
import json
import os
import platform
import socket
import struct
import threading
import time
from typing import Callable

from brisk_runtime.habitat import Habitat
from brisk_runtime.overlapping import SharedCalls
from brisk_runtime.processes import Processes
from brisk_runtime.replies import AnyRunner, Reply
from brisk_runtime.runner import Runner
from brisk_runtime.streams import Streams, write_all
from brisk_runtime.template import Template

OTHERS_ALIVE = 1
MEMORY_EXHAUSTED = 2
SHARES = 4

_LOG = struct.Struct(">IcBQ")
_ANSWER = struct.Struct(">IcHB")
_LOG_BESIDE = struct.Struct(">IcIBQ")
_ANSWER_BESIDE = struct.Struct(">IcIHB")
_DOWN = struct.Struct(">Ic")
_FRESH_DESCRIPTORS = 2
_RECEIVE_BYTES = 65_536

_now_ns, _get_ident, _exit = time.time_ns, threading.get_ident, os._exit


class Channel:
    """This end of the socket. Only the process that made it may use it: a fork lets go of it."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.settimeout(None)
        self._socket.set_inheritable(False)
        self._lock = threading.Lock()
        self._sender = 0
        self._is_foreign = False
        self.is_held = False
        """Whether a fork keeps hold of it: a copy of a template has one of its own in its place."""
        self.call_of_output: Callable[[], int] = _the_only_one
        """Returns the number of the call that what is printed now belongs to; 0 if there is one."""
        os.register_at_fork(after_in_child=self._let_go)

    def log(self, stream: int, text: bytes) -> None:
        """Ship *text*; in a forked child, write it to the descriptor instead."""
        # A signal handler that prints while this thread is inside a send must not cut the frame.
        if self._is_foreign or self._sender == _get_ident():
            write_all(stream, text)
        else:
            call = self.call_of_output()
            if call:
                head = _LOG_BESIDE.pack(len(text) + 14, b"l", call, stream, _now_ns())
            else:
                head = _LOG.pack(len(text) + 10, b"L", stream, _now_ns())
            self._send(head + text)

    def answer(self, reply: Reply, flags: int) -> None:
        """Answer the call."""
        self._send(_ANSWER.pack(len(reply.body) + 4, b"A", reply.status, flags) + reply.body)

    def answer_beside(self, call: int, reply: Reply) -> None:
        """Answer the call of that number."""
        flags = MEMORY_EXHAUSTED if reply.memory_exhausted else 0
        head = _ANSWER_BESIDE.pack(len(reply.body) + 8, b"a", call, reply.status, flags)
        self._send(head + reply.body)

    def sleep(self) -> bool:
        """Wait for what only copies of a template hear; False when the other side is gone."""
        return bool(self.read())

    def read(self) -> bytes:
        """Return what has come, without regard to frames; nothing when the other side is gone."""
        try:
            return self._socket.recv(_RECEIVE_BYTES)
        except OSError:
            return b""

    def fileno(self) -> int:
        """Return the descriptor on which calls come."""
        return self._socket.fileno()

    def hello(self, runtime: str, *, takes_descriptors: bool) -> None:
        """Say that the runtime is up, and whether it can be sent descriptors."""
        version = platform.python_version()
        told = {"runtime": runtime, "version": version, "takes_descriptors": takes_descriptors}
        payload = json.dumps(told).encode()
        self._send(_DOWN.pack(len(payload) + 1, b"H") + payload)

    def receive(self) -> tuple[bytes, bytes, list[int]]:
        """Wait for the next call; return its type, its payload and the descriptors sent along."""
        head, ancillary, _, _ = self._socket.recvmsg(
            _RECEIVE_BYTES, socket.CMSG_SPACE(8), socket.MSG_CMSG_CLOEXEC
        )
        while 0 < len(head) < _DOWN.size:
            more = self._socket.recv(_RECEIVE_BYTES)
            head = head + more if more else b""
        if not head:
            raise EOFError
        length, kind = _DOWN.unpack_from(head)
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        return kind, self._rest(head[_DOWN.size :], length - 1), list(fds)

    def _rest(self, begun: bytes, size: int) -> bytes:
        if len(begun) == size:
            return begun
        payload = bytearray(size)
        payload[: len(begun)] = begun
        with memoryview(payload) as view:
            done = len(begun)
            while done < size:
                count = self._socket.recv_into(view[done:])
                if not count:
                    raise EOFError
                done += count
        return bytes(payload)

    def _send(self, frame: bytes) -> None:
        with self._lock:
            self._sender = _get_ident()
            try:
                self._socket.sendall(frame)
            except OSError:  # nobody is left to work for
                _exit(1)
            finally:
                self._sender = 0

    def _let_go(self) -> None:
        if self.is_held:
            return
        self._is_foreign = True
        self._socket.close()


def _the_only_one() -> int:
    return 0


def serve(fd: int) -> None:
    """Serve calls of Python code on *fd* until the other side closes it; then end the process."""
    channel = Channel(fd)
    streams = Streams(channel.log)
    habitat = Habitat()
    runner = Runner(streams, habitat)
    channel.hello("python", takes_descriptors=True)
    _rehearse(habitat)
    streams.install()
    serve_calls(channel, runner, habitat, Processes(), Template(channel, runner, habitat))
    SharedCalls(channel, runner, streams).serve()


def serve_calls(
    channel: Channel,
    runner: AnyRunner,
    habitat: Habitat,
    processes: Processes | None,
    template: Template | None = None,
) -> None:
    """Have *runner* answer one call after the other, until it says that it shares.

    processes: looked at after each call; None where one that stays is part of the runtime.
    template: what makes this one, where that can be.
    """
    if processes is not None:
        processes.others_alive()
    while True:
        try:
            kind, payload, fds = channel.receive()
        except (EOFError, OSError):
            _exit(0)
        if len(fds) == _FRESH_DESCRIPTORS:
            habitat.adopt_descriptors(fds)
        if kind == b"T" and template is not None:
            if template.be():
                processes = Processes()
                processes.others_alive()
            continue
        if kind == b"W" and template is not None:
            reply = template.wake(payload)
        else:
            reply = runner.init(payload) if kind == b"I" else runner.run(payload)
        flags = OTHERS_ALIVE if processes is not None and processes.others_alive() else 0
        if reply.shares:
            channel.answer(reply, flags | SHARES)
            return
        channel.answer(reply, flags | (MEMORY_EXHAUSTED if reply.memory_exhausted else 0))


def _rehearse(habitat: Habitat) -> None:
    """Go through a first activation, unheard.

    A fresh fork shares its pages with its parent, and each is copied when it is first written to.
    That costs a millisecond; here it is spent while the sandbox waits for its first call.
    """
    Runner(Streams(lambda stream, text: None), habitat).rehearse()
