"""Several calls at a time of code that is `async def`: tasks of one loop, each with its own log.

A frame `C` brings the number of a call and the body of /run; `l` and `a` carry that number back.
What is printed belongs to the call in whose context it is printed: tasks that the code makes, and
threads of `asyncio.to_thread`, have the context of who made them. What has none (bare threads) is
printed for the oldest call, as the platform does with the output of child processes.
"""

from __future__ import annotations

import asyncio
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brisk_runtime.channel import Channel
    from brisk_runtime.runner import Runner
    from brisk_runtime.streams import Streams

_LENGTH_BYTES = 4
_CALL_BYTES = 4
_call: ContextVar[int] = ContextVar("brisk_call", default=0)

_exit = os._exit


class SharedCalls:
    """The calls under way in this process, which has loaded its code."""

    def __init__(self, channel: Channel, runner: Runner, streams: Streams) -> None:
        self._channel = channel
        self._runner = runner
        self._streams = streams
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._pending = bytearray()

    def serve(self) -> None:
        """Serve calls until the other side closes the socket; then end the process."""
        self._channel.call_of_output = self._call_of_output
        self._streams.write_through()
        loop = self._runner.loop()
        loop.add_reader(self._channel.fileno(), self._on_readable, loop)
        while True:
            loop.run_forever()  # the code may stop it

    def _call_of_output(self) -> int:
        return _call.get() or next(iter(self._tasks), 0)

    def _on_readable(self, loop: asyncio.AbstractEventLoop) -> None:
        data = self._channel.read()
        if not data:
            _exit(0)
        self._pending += data
        while len(self._pending) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._pending[:_LENGTH_BYTES], "big")
            if len(self._pending) < end:
                return
            frame = bytes(self._pending[_LENGTH_BYTES:end])
            del self._pending[:end]
            self._take(loop, frame[:1], frame[1:])

    def _take(self, loop: asyncio.AbstractEventLoop, kind: bytes, payload: bytes) -> None:
        if kind == b"I":
            self._channel.answer(self._runner.init(payload), 0)
            return
        call = int.from_bytes(payload[:_CALL_BYTES], "big")
        self._tasks[call] = loop.create_task(self._serve(call, payload[_CALL_BYTES:]))

    async def _serve(self, call: int, body: bytes) -> None:
        _call.set(call)
        reply = await self._runner.run_beside(body)
        del self._tasks[call]
        if not self._tasks:
            self._runner.rest()
        self._channel.answer_beside(call, reply)
