"""The real runtimes as plain child processes, behind either of their faces.

A face is driven the same way whichever it is: `init`, `run`, and what was logged meanwhile. In HTTP
the logs are what the process wrote to its descriptors, without the lines that end an activation,
which are counted.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

from invoker.driver.channel import Channel
from invoker.driver.port import Answer, Died, Reply, Stream

ROOT: Final = Path(__file__).parents[2]
MARKER: Final = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n"
LIMIT_BYTES: Final = 8 << 20
TIMEOUT_S: Final = 20.0

Language: TypeAlias = Literal["python", "nodejs", "actionloop", "skeleton"]
Face: TypeAlias = Literal["frames", "http"]

COMMANDS: Final[dict[Language, list[str]]] = {
    "python": [sys.executable, "-I", str(ROOT / "runtimes/python/proxy.py")],
    "nodejs": ["node", str(ROOT / "runtimes/nodejs/proxy.js")],
    "actionloop": [sys.executable, "-I", str(ROOT / "runtimes/native/proxy.py")],
    "skeleton": [sys.executable, "-I", str(ROOT / "runtimes/native/proxy.py"), "--skeleton"],
}

CHANNEL: Final = 3
"""Where a runtime finds its channel. Node keeps what is above 15 open for its children."""
_AS_CHANNEL: Final = (
    "import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); fd == 3 or os.close(fd); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


@dataclass
class Log:
    """What was printed during one call, in the order of its arrival."""

    pieces: list[tuple[Stream, bytes]] = field(default_factory=list)
    markers: tuple[int, int] = (0, 0)

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        assert time_ns > 0
        self.pieces.append((stream, text))

    def text(self, stream: Stream) -> str:
        return b"".join(text for each, text in self.pieces if each is stream).decode()

    @property
    def stdout(self) -> str:
        return self.text(Stream.STDOUT)

    @property
    def stderr(self) -> str:
        return self.text(Stream.STDERR)


@dataclass
class Outcome:
    """What one call came to."""

    reply: Reply
    log: Log

    @property
    def status(self) -> int:
        assert isinstance(self.reply, Answer), self.reply
        return self.reply.status

    @property
    def body(self) -> Any:
        assert isinstance(self.reply, Answer), self.reply
        return json.loads(self.reply.body)

    @property
    def error(self) -> Any:
        return self.body["error"]


class RuntimeProcess:
    """One runtime process. `folder` is its home, its working folder and its TMPDIR."""

    language: Language

    def __init__(
        self, language: Language, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.environment = dict(environment or {})
        self.language = language
        self.folder = folder

    async def init(self, code: str | None = None, **value: Any) -> Outcome:
        fields = {"name": "test", "main": "main", "binary": False, **value}
        if code is not None:
            fields["code"] = code
        return await self.send("init", {"value": fields})

    async def run(self, value: Any = None, **context: str) -> Outcome:
        return await self.send("run", {"value": {} if value is None else value, **context})

    async def send(self, operation: Literal["init", "run"], body: Any) -> Outcome:
        return await self.send_bytes(operation, json.dumps(body).encode())

    async def send_bytes(
        self, operation: Literal["init", "run"], body: bytes, timeout_s: float = TIMEOUT_S
    ) -> Outcome:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Give the process the time to end by itself, then end it."""
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:  # it is in the middle of an endless loop
            self.process.kill()
            self.process.wait(5)

    def _start(
        self, arguments: list[str], stdout: int, stderr: int, channel: int | None = None
    ) -> None:
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        command = [*COMMANDS[self.language], *arguments]
        if channel is not None:
            command = [sys.executable, "-I", "-S", "-c", _AS_CHANNEL, str(channel), *command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=self.folder,
            env={"HOME": str(self.folder), "TMPDIR": str(self.folder), "PATH": path}
            | self.environment,
            pass_fds=() if channel is None else (channel,),
        )


class FramesProcess(RuntimeProcess):
    """A runtime on a channel."""

    async def start(self) -> Self:
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self._start(["--channel", str(CHANNEL)], out_write, err_write, theirs.fileno())
        theirs.close()
        os.close(out_write)
        os.close(err_write)
        self.channel = await Channel.open(ours, out_read, err_read)
        await self.channel.hello(TIMEOUT_S)
        return self

    async def send_bytes(
        self, operation: Literal["init", "run"], body: bytes, timeout_s: float = TIMEOUT_S
    ) -> Outcome:
        log = Log()
        reply = await self.channel.call(
            operation, body, timeout_s=timeout_s, answer_limit_bytes=LIMIT_BYTES, logs=log
        )
        return Outcome(reply, log)

    async def stop(self) -> None:
        self.channel.close()
        self._end()


class HttpProcess(RuntimeProcess):
    """A runtime on a port."""

    async def start(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self._start(["--http", f"127.0.0.1:{self.port}"], out_write, err_write)
        os.close(out_write)
        os.close(err_write)
        self._pipes = {out_read: Stream.STDOUT, err_read: Stream.STDERR}
        self._log = Log()
        for fd in self._pipes:
            os.set_blocking(fd, False)
            asyncio.get_running_loop().add_reader(fd, self._drain, fd)
        async with asyncio.timeout(TIMEOUT_S):
            self._reader, self._writer = await self._connected()
        return self

    async def another(self) -> "HttpProcess":
        """Return a second connection to the same process, whose log stays that of the first."""
        other = HttpProcess(self.language, self.folder)
        other.port, other.process = self.port, self.process
        other._pipes, other._log = {}, Log()
        other._reader, other._writer = await other._connected()
        return other

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT_BYTES)
            except ConnectionRefusedError:
                assert self.process.poll() is None, "the runtime ended before it listened"
                await asyncio.sleep(0.02)  # as an invoker does: there is nothing else to ask

    async def send_bytes(
        self, operation: Literal["init", "run"], body: bytes, timeout_s: float = TIMEOUT_S
    ) -> Outcome:
        head = f"POST /{operation} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            async with asyncio.timeout(timeout_s):
                self._writer.write(head.encode() + body)
                await self._writer.drain()
                reply: Reply = await self._answer()
        except (asyncio.IncompleteReadError, ConnectionError):
            reply = Died("connection lost")
        for fd in list(self._pipes):
            self._drain(fd)
        log, self._log = self._log, Log()
        return Outcome(reply, _without_markers(log))

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(head[0].split()[1]), body, len(body))

    def _drain(self, fd: int) -> None:
        while True:
            try:
                text = os.read(fd, 65_536)
            except BlockingIOError:
                return
            if not text:
                self._close(fd)
                return
            self._log.write(self._pipes[fd], 1, text)

    def _close(self, fd: int) -> None:
        asyncio.get_running_loop().remove_reader(fd)
        del self._pipes[fd]
        os.close(fd)

    async def hang_up(self) -> None:
        """Close this connection, and leave the process to others."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def stop(self) -> None:
        await self.hang_up()
        self.process.terminate()
        self._end()
        for fd in list(self._pipes):
            self._close(fd)


def _without_markers(log: Log) -> Log:
    """Return *log* with its end markers counted and taken out; each begins a line."""
    result = Log()
    counts = []
    for stream in Stream:
        text = log.text(stream).encode()
        for line in text.splitlines(keepends=True):
            assert MARKER not in line or line == MARKER
        counts.append(text.count(MARKER))
        result.pieces.append((stream, text.replace(MARKER, b"")))
    result.markers = (counts[0], counts[1])
    return result


async def start(
    language: Language,
    face: Face,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> FramesProcess | HttpProcess:
    """Start a runtime; end it with `stop`."""
    process = FramesProcess if face == "frames" else HttpProcess
    return await process(language, folder, environment).start()
