"""What happens around sandboxes: deaths of the platform and of a zygote, hosts that allow less."""

import asyncio
import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

import pytest

from common.ids import ContainerId
from common.settings import SandboxSettings
from invoker.driver.port import Ability, Answer, CannotStart, Died, Level, Operation, SandboxSpec
from invoker.driver.process import report
from invoker.driver.process.cgroup import Hierarchy
from invoker.driver.process.driver import ProcessDriver
from invoker.driver.process.host import Host
from invoker.driver.process.sandbox import ZYGOTE, ProcessSandbox
from tests.fakes.traces import children_of

KIND = "python:{}.{}".format(*sys.version_info)
ROOT = Path(__file__).resolve().parents[5]


SLEEPS = "import time\ntime.sleep(10)\ndef main(args): return args"


class NoLogs:
    def write(self, stream: int, time_ns: int, text: bytes) -> None:
        pass


async def make(driver: ProcessDriver, name: str = "one") -> ProcessSandbox:
    return await driver.create(
        SandboxSpec(container_id=ContainerId(name), kind=KIND, memory_mb=128)
    )


async def answer(sandbox: ProcessSandbox, source: str) -> bytes:
    value = {"name": "t", "main": "main", "binary": False, "code": source}
    await call(sandbox, "init", value)
    return await call(sandbox, "run", {})


async def call(sandbox: ProcessSandbox, operation: Operation, value: object) -> bytes:
    reply = await sandbox.call(
        operation,
        json.dumps({"value": value}).encode(),
        timeout_s=10,
        answer_limit_bytes=1 << 20,
        logs=NoLogs(),
    )
    assert isinstance(reply, Answer)
    return reply.body


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[ProcessDriver]:
    driver = ProcessDriver(SandboxSettings(), [KIND], tmp_path)
    await driver.probe()
    facts = driver._host
    yield driver
    driver._host = facts
    await driver.close()


def forbid(driver: ProcessDriver, **facts: object) -> None:
    """Let the host allow less than it does."""
    assert driver._host is not None
    driver._host = dataclasses.replace(driver._host, **facts)  # type: ignore[arg-type]


def is_running(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def all_end(pids: list[int]) -> bool:
    """Tell whether all of *pids* have ended within 5 s; a descriptor of a process tells when."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            ended, _, _ = select.select([process], [], [], 5)
            os.close(process)
            if not ended:
                return False
    return True


async def test_a_dead_zygote_is_replaced(driver: ProcessDriver) -> None:
    sandbox = await make(driver)
    (zygote,) = driver._zygotes.values()

    os.kill(zygote.pid, signal.SIGKILL)

    async with asyncio.timeout(5):
        assert isinstance(await sandbox.wait_death(), Died)
    await sandbox.destroy()
    another = await make(driver, "two")
    assert await answer(another, "def main(args):\n    return {'a': 1}") == b'{"a": 1}'.replace(
        b" ", b""
    )


async def test_a_call_whose_zygote_dies_is_lost_by_the_platform(driver: ProcessDriver) -> None:
    sandbox = await make(driver)
    (zygote,) = driver._zygotes.values()
    init = {"value": {"name": "t", "main": "main", "binary": False, "code": SLEEPS}}
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(
            sandbox.call(
                "init", json.dumps(init).encode(),
                timeout_s=10, answer_limit_bytes=100, logs=NoLogs(),
            )
        )  # fmt: skip
        await asyncio.sleep(0)  # it has begun
        os.kill(zygote.pid, signal.SIGKILL)
    died = calling.result()
    assert died == Died("the zygote ended", lost_with=ZYGOTE)
    await sandbox.destroy()


@pytest.mark.parametrize("victim", ["zygote", "sandbox"])
async def test_a_start_that_is_cut_off_is_made_again(driver: ProcessDriver, victim: str) -> None:
    for turn in range(3):
        await driver.warm(KIND)
        (zygote,) = driver._zygotes.values()
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            making = tasks.create_task(make(driver, f"no{turn}"))
            while not (pids := children_of(zygote.pid)):  # noqa: ASYNC110 - the kernel's news
                await asyncio.sleep(0)
            os.kill(zygote.pid if victim == "zygote" else pids[0], signal.SIGKILL)
        # No start fails. Where this host is busy, the kill may have come when all was ready.
        sandbox = making.result()
        init = {"value": {"name": "t", "main": "main", "binary": False, "code": "def main(a): 0"}}
        reply = await sandbox.call(
            "init", json.dumps(init).encode(), timeout_s=10, answer_limit_bytes=99, logs=NoLogs()
        )
        assert isinstance(reply, Answer | Died)
        await sandbox.destroy()


async def test_a_zygote_that_comes_up_after_close_is_ended(driver: ProcessDriver) -> None:
    async with asyncio.TaskGroup() as tasks:
        warming = tasks.create_task(refused(driver.warm(KIND)))
        await asyncio.sleep(0)  # it has begun
        await driver.close()

    assert warming.result()
    assert driver._zygotes == {}


async def refused(start: Coroutine[object, object, None]) -> bool:
    try:
        await start
    except CannotStart:
        return True
    return False


PLATFORM = """
import asyncio, sys
from pathlib import Path
from common.ids import ContainerId
from common.settings import SandboxSettings
from invoker.driver.port import SandboxSpec
from invoker.driver.process import report
from invoker.driver.process.cgroup import Hierarchy
from invoker.driver.process.driver import ProcessDriver
async def main():
    kind = sys.argv[2]
    driver = ProcessDriver(SandboxSettings(), [kind], Path(sys.argv[1]))
    await driver.probe()
    spec = SandboxSpec(container_id=ContainerId("left"), kind=kind, memory_mb=128)
    sandbox = await driver.create(spec)
    if sys.argv[3] == "paused":
        await sandbox.pause()
    (zygote,) = driver._zygotes.values()
    print(zygote.pid, sandbox._lease.clone.started.result(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def kill_a_platform(state_dir: Path, state: str) -> list[int]:
    """Run a platform with one sandbox, kill it, and return the pids of what it had started."""
    with subprocess.Popen(
        [sys.executable, "-c", PLATFORM, str(state_dir), KIND, state],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as platform:
        assert platform.stdout is not None
        pids = [int(pid) for pid in platform.stdout.readline().split()]
        assert all(is_running(pid) for pid in pids)

        platform.kill()
    return pids


@pytest.mark.parametrize("state", ["blank", "paused"])
async def test_nothing_survives_a_platform_that_is_killed(tmp_path: Path, state: str) -> None:
    pids = kill_a_platform(tmp_path, state)
    assert state == "paused" or all_end(pids)

    successor = ProcessDriver(SandboxSettings(), [KIND], tmp_path)
    try:
        facts = await successor.probe()
        left = ["left"] if Ability.MEMORY in facts.abilities else []
        assert await successor.reconcile() == left
        assert await successor.reconcile() == []
    finally:
        await successor.close()
    assert all_end(pids)


async def test_without_namespaces_nothing_starts_and_the_remedy_is_named(
    driver: ProcessDriver,
) -> None:
    forbid(driver, no_namespaces="unshare: Operation not permitted")

    with pytest.raises(CannotStart) as refusal:
        await make(driver)

    assert "BRISK_SANDBOX__ALLOW_UNISOLATED=true" in str(refusal.value.__cause__)


async def test_trusted_code_runs_without_namespaces(tmp_path: Path) -> None:
    """As the sandbox's own user it needs an interpreter that others may execute."""
    driver = ProcessDriver(SandboxSettings(allow_unisolated=True), [KIND], tmp_path)
    await driver.probe()
    facts = driver._host
    forbid(driver, no_namespaces="unshare: Operation not permitted", cgroups=None, is_root=False)
    try:
        sandbox = await make(driver)
        source = """
import os, subprocess
def main(args):
    child = subprocess.Popen(["setsid", "sleep", "60"])
    status = open("/proc/self/status").read()
    confined = "NoNewPrivs:\\t1" in status and "Seccomp:\\t2" in status
    return {"child": child.pid, "confined": confined}
"""
        seen = json.loads(await answer(sandbox, source))
        assert seen["confined"]
        assert is_running(seen["child"])

        await sandbox.destroy()

        assert not is_running(seen["child"])
    finally:
        driver._host = facts
        await driver.close()


def test_every_missing_level_is_reported_with_its_remedy() -> None:
    bare = Host(
        is_root=False,
        has_uid_range=True,
        no_namespaces="no",
        no_templates="no",
        cgroups=None,
        no_cgroups="no",
    )

    said = report.describe(bare, {}, SandboxSettings(), None)

    assert said.level == Level.PROCESS
    assert said.abilities == {Ability.EXACT_LOGS}
    assert len(said.degradations) == 3
    assert all(each.what and each.why and each.remedy for each in said.degradations)


async def test_a_failed_start_says_why_and_leaves_nothing(driver: ProcessDriver) -> None:
    forbid(driver, cgroups=Hierarchy("v1", dict.fromkeys(("memory", "freezer"), Path("/nowhere"))))

    with pytest.raises(CannotStart) as refusal:
        await make(driver)

    assert isinstance(refusal.value.__cause__, FileNotFoundError)
    assert driver._slots.taken == 0
