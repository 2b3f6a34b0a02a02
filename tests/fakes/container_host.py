"""A docker driver on a host of a test's own: a program that takes orders, and who gives them.

The engine is the one that is there; the driver runs where the test wants it, in a network that is
not this machine's, so bridges and rules are made there. Beside it serves what stands for the API.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from common.ids import ContainerId, Namespace
from common.settings import DockerSettings, SandboxSettings
from invoker.driver.docker.driver import DockerDriver
from invoker.driver.port import Answer, Network, OwnImage, Sandbox, SandboxSpec, Stream
from tests.contract import engine
from tests.fakes.images import STRANGER
from tests.fakes.small_internet import SmallInternet

KIND: Final = "python:3.11"


class ContainerHost:
    """Such a program, and short words for what tests ask of it."""

    def __init__(self, internet: SmallInternet, data: Path, **settings: str) -> None:
        self._process = subprocess.Popen(
            [*internet.prefix, sys.executable, "-m", __name__, str(data), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.began: dict[str, Any] = self._answer()

    def do(self, name: str, code: str, **args: Any) -> Any:
        """Return what *code* answers in the container *name*, which is made if need be."""
        return self.ask(do="run", name=name, code=code, args=args)

    def ask(self, **order: Any) -> Any:
        """Return what the program answers to *order*."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._gone()

    def stop(self) -> None:
        """Have it close its driver."""
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(60) == 0
        self._gone()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the program has ended"
        return json.loads(line)

    def _gone(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class _Silence:
    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        """Take nothing."""


class _Program:
    def __init__(self, driver: DockerDriver, api: str) -> None:
        self._driver = driver
        self._api = api
        self._sandboxes: dict[str, Sandbox] = {}

    async def obey(self, order: dict[str, Any]) -> Any:
        sandbox = self._sandboxes.get(order["name"])
        if order["do"] == "destroy":
            assert sandbox is not None
            await sandbox.destroy()
            return None
        if sandbox is None:
            sandbox = await self._made(order)
        return await self._call(sandbox, "run", order["args"])

    async def _made(self, order: dict[str, Any]) -> Sandbox:
        image = OwnImage(STRANGER, Namespace("guest")) if order["name"].startswith("http") else None
        is_closed = order["name"].endswith("closed")
        sandbox = await self._driver.create(
            SandboxSpec(
                container_id=ContainerId(order["name"]),
                kind="blackbox" if image else KIND,
                memory_mb=128,
                image=image,
                network=Network.NONE if is_closed else Network.EGRESS,
                env={"__OW_API_HOST": self._api},
            )
        )
        self._sandboxes[order["name"]] = sandbox
        code = {"name": "t", "main": "main", "binary": False, "code": order["code"], "env": {}}
        assert await self._call(sandbox, "init", code) == {"ok": True}
        return sandbox

    async def _call(self, sandbox: Sandbox, operation: Any, value: Any) -> Any:
        reply = await sandbox.call(
            operation,
            json.dumps({"value": value}).encode(),
            timeout_s=30,
            answer_limit_bytes=1 << 20,
            logs=_Silence(),
        )
        assert isinstance(reply, Answer), reply
        return json.loads(reply.body)


async def _serve_api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\nthe api")
    await writer.drain()
    writer.close()


async def _main(data: Path, settings: dict[str, str]) -> None:
    driver = DockerDriver(
        DockerSettings(socket=engine.socket()),
        SandboxSettings.model_validate(settings),
        {KIND: KIND},
        data,
        natives=[STRANGER],
    )
    report = await driver.probe()
    removed = await driver.reconcile()
    api = await asyncio.start_server(_serve_api, "127.0.0.1", 0)
    program = _Program(driver, f"http://127.0.0.1:{api.sockets[0].getsockname()[1]}")
    loop = asyncio.get_running_loop()
    said: Any = {
        "abilities": sorted(report.abilities),
        "why": [each.why for each in report.degradations],
        "removed": removed,
    }
    while True:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        said = await program.obey(json.loads(line))
    api.close()
    await driver.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), json.loads(sys.argv[2])))
