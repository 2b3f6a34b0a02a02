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
    Template,
)
from invoker.driver.process.driver import ProcessDriver
from tests.contract import engine

KIND: Final = "python:3.11"
MEMORY_MB: Final = 256
LIMIT_BYTES: Final = 1 << 20

COPIES: Final = "copies"
"""Sandboxes of processes, each of which is a copy of a template: they promise nothing less."""

DRIVERS: Final[dict[str, Callable[[Path], SandboxDriver]]] = {
    "process": lambda state_dir: ProcessDriver(SandboxSettings(), [KIND], state_dir),
    COPIES: lambda state_dir: ProcessDriver(SandboxSettings(), [KIND], state_dir),
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

    def __init__(
        self, driver: SandboxDriver, report: DriverReport, *, makes_copies: bool = False
    ) -> None:
        self.driver = driver
        self.makes_copies = makes_copies
        self.report = report
        self.logs = Lines()
        self._count = 0

    def can(self, ability: Ability) -> bool:
        return ability in self.report.abilities

    async def sandbox(
        self, source: str = "", memory_mb: int = MEMORY_MB, network: Network = Network.NONE
    ) -> Sandbox:
        """Return a sandbox, initialised with *source* if there is one."""
        sandbox = await self.driver.create(self.spec(memory_mb, network))
        if source and self.makes_copies:
            template = await self.template(source, memory_mb, network)
            await self.copy(template, sandbox)
            await template.destroy()
        elif source:
            reply = await self.call(sandbox, "init", init_of(source))
            assert isinstance(reply, Answer)
            assert reply.status == 200, reply.body
        return sandbox

    def spec(self, memory_mb: int = MEMORY_MB, network: Network = Network.NONE) -> SandboxSpec:
        """Return what sandbox to make, under a name of its own."""
        self._count += 1
        container_id = ContainerId(f"test-{os.getpid()}-{self._count}")
        return SandboxSpec(
            container_id=container_id, kind=KIND, memory_mb=memory_mb, network=network
        )

    async def template(
        self, source: str, memory_mb: int = MEMORY_MB, network: Network = Network.NONE
    ) -> Template:
        """Return a template that has loaded *source*."""
        body = json.dumps({"value": init_of(source)}).encode()
        return await self.driver.cast(self.spec(memory_mb, network), body, timeout_s=20)

    async def copy(self, template: Template, sandbox: Sandbox, **env: str) -> None:
        """Have *sandbox* become a copy of *template*."""
        reply = await template.copy_into(
            sandbox,
            json.dumps({"value": {"env": env}}).encode(),
            timeout_s=20,
            answer_limit_bytes=LIMIT_BYTES,
            logs=self.logs,
        )
        assert isinstance(reply, Answer), reply
        assert reply.status == 200, reply.body

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


def init_of(source: str) -> dict[str, Any]:
    """Return what an init carries that loads *source*."""
    return {"name": "t", "main": "main", "binary": False, "code": source, "env": {}}


@pytest.fixture(params=[pytest.param(each, marks=MARKS.get(each, ())) for each in sorted(DRIVERS)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(request.param, tmp_path) as house:
        yield house


@contextlib.asynccontextmanager
async def opened(name: str, tmp_path: Path) -> AsyncIterator[House]:
    """Yield the driver of that name, and see that it leaves nothing behind."""
    driver = DRIVERS[name](tmp_path / "state")
    before = (own_descriptors(), own_children(), cgroups())
    report = await driver.probe()
    # Where there are no templates, the report has said so, and the suite has nothing to add.
    makes_copies = name == COPIES and Ability.TEMPLATES in report.abilities
    try:
        yield House(driver, report, makes_copies=makes_copies)
    finally:
        await driver.close()
    after = (own_descriptors(), own_children(), cgroups())
    assert [now - then for now, then in zip(after, before, strict=True)] == [set()] * 3


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
