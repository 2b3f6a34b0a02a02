"""The drivers that the suites run against, and short words for what tests do with one.

A driver joins by an entry in `DRIVERS`. A test that needs an ability a driver does not report on
this host is decided by the report: then the test asserts that the report says so.
"""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from common.ids import ContainerId
from common.settings import DockerSettings, SandboxSettings
from invoker.driver.docker.driver import DockerDriver
from invoker.driver.port import (
    Ability,
    Answer,
    DriverReport,
    Network,
    Operation,
    Reply,
    Sandbox,
    SandboxDriver,
    SandboxSpec,
    Stream,
)
from invoker.driver.process.driver import ProcessDriver
from tests.contract import engine

KIND: Final = "python:3.11"
MEMORY_MB: Final = 256
LIMIT_BYTES: Final = 1 << 20

DRIVERS: Final[dict[str, Callable[[Path], SandboxDriver]]] = {
    "process": lambda state_dir: ProcessDriver(SandboxSettings(), [KIND], state_dir),
    "docker": lambda state_dir: DockerDriver(
        DockerSettings(socket=engine.socket()), SandboxSettings(), {KIND: KIND}, state_dir
    ),
}
MARKS: Final = {"docker": engine.needed}


class Lines:
    """Keeps what a sandbox prints."""

    def __init__(self) -> None:
        self.text = {Stream.STDOUT: b"", Stream.STDERR: b""}

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        self.text[stream] += text


class House:
    """A probed driver, and short words for what tests do with it."""

    def __init__(self, driver: SandboxDriver, report: DriverReport) -> None:
        self.driver = driver
        self.report = report
        self.logs = Lines()
        self._count = 0

    def can(self, ability: Ability) -> bool:
        return ability in self.report.abilities

    async def sandbox(
        self, source: str = "", memory_mb: int = MEMORY_MB, network: Network = Network.NONE
    ) -> Sandbox:
        """Return a sandbox, initialised with *source* if there is one."""
        self._count += 1
        container_id = ContainerId(f"test-{os.getpid()}-{self._count}")
        sandbox = await self.driver.create(
            SandboxSpec(container_id=container_id, kind=KIND, memory_mb=memory_mb, network=network)
        )
        if source:
            value = {"name": "t", "main": "main", "binary": False, "code": source, "env": {}}
            reply = await self.call(sandbox, "init", value)
            assert isinstance(reply, Answer)
            assert reply.status == 200, reply.body
        return sandbox

    async def call(
        self, sandbox: Sandbox, operation: Operation, value: Any, timeout_s: float = 20
    ) -> Reply:
        return await sandbox.call(
            operation,
            json.dumps({"value": value}).encode(),
            timeout_s=timeout_s,
            answer_limit_bytes=LIMIT_BYTES,
            logs=self.logs,
        )

    async def run(self, sandbox: Sandbox, timeout_s: float = 20, **value: Any) -> Any:
        """Return the result of a run that is answered with 200."""
        reply = await self.call(sandbox, "run", value, timeout_s)
        assert isinstance(reply, Answer), reply
        assert reply.status == 200, reply.body
        return json.loads(reply.body)


@pytest.fixture(params=[pytest.param(each, marks=MARKS.get(each, ())) for each in sorted(DRIVERS)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    driver = DRIVERS[request.param](tmp_path / "state")
    before = (own_descriptors(), own_children(), cgroups())
    house = House(driver, await driver.probe())
    try:
        yield house
    finally:
        await driver.close()
    assert (own_descriptors(), own_children(), cgroups()) == before


def own_descriptors() -> set[str]:
    """Return what this process has open, but for files that change with the test runner."""
    kinds = ("socket:", "pipe:", "/sys/")
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return {each for each in found if each.startswith(kinds)}


def own_children() -> set[str]:
    found: set[str] = set()
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # asyncio's watcher of a child is a thread that ends
            found.update((thread / "children").read_text().split())
    return found


def cgroups() -> set[str]:
    """Return those of sandboxes of this process; others run tests here, too."""
    mine = f"test-{os.getpid()}-"
    return {
        f"{folder}/{name}"
        for folder, names, _ in os.walk("/sys/fs/cgroup")  # passes over what goes meanwhile
        for name in names
        if name.startswith(mine) and "/brisk-" in folder
    }
