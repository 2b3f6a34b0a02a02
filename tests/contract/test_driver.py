"""What every sandbox driver promises, whatever its sandboxes are made of.

A driver joins by an entry in `DRIVERS`. A test that needs an ability a driver does not report on
this host is decided by the report: then the test asserts that the report says so.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from common.ids import ContainerId
from common.settings import SandboxSettings
from invoker.driver.port import (
    Ability,
    Answer,
    CannotStart,
    Died,
    DriverReport,
    Expired,
    Operation,
    Reply,
    Sandbox,
    SandboxDriver,
    SandboxSpec,
    Stream,
)
from invoker.driver.process.driver import ProcessDriver

KIND: Final = "python:3.11"
MEMORY_MB: Final = 256
LIMIT_BYTES: Final = 1 << 20
PROBES: Final = Path(__file__).with_name("probes.py")
SECRET: Final = "BRISK_TEST_SECRET"
ORDINARY_USER: Final = 65_534

DRIVERS: Final[dict[str, Callable[[Path], SandboxDriver]]] = {
    "process": lambda state_dir: ProcessDriver(SandboxSettings(), [KIND], state_dir),
}

# What may succeed where a driver lacks an ability; everything else is contained.
OPEN_WITHOUT: Final = {Ability.CPU: {"hog_processors"}, Ability.PIDS: {"fork_bomb"}}


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

    async def sandbox(self, source: str = "", memory_mb: int = MEMORY_MB) -> Sandbox:
        """Return a sandbox, initialised with *source* if there is one."""
        self._count += 1
        container_id = ContainerId(f"test-{os.getpid()}-{self._count}")
        sandbox = await self.driver.create(
            SandboxSpec(container_id=container_id, kind=KIND, memory_mb=memory_mb)
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


@pytest.fixture(params=sorted(DRIVERS))
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
    return {str(path) for path in Path("/sys/fs/cgroup").glob("**/brisk-*/test-*")}


ECHO: Final = "def main(args):\n    return args\n"


async def test_a_sandbox_runs_code_and_hands_over_what_it_prints(house: House) -> None:
    source = """
import os
def main(args):
    print("out")
    os.system("echo err >&2")
    return args
"""
    sandbox = await house.sandbox(source)

    assert await house.run(sandbox, name="Ada") == {"name": "Ada"}
    assert await house.run(sandbox, name="Bob") == {"name": "Bob"}

    assert house.logs.text == {Stream.STDOUT: b"out\n" * 2, Stream.STDERR: b"err\n" * 2}


async def test_code_has_what_ordinary_code_expects(house: House) -> None:
    source = """
import os, socket, ssl, subprocess, multiprocessing, tempfile, threading, time, zoneinfo
def main(args):
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
    client = socket.create_connection(server.getsockname(), 2)
    tempfile.NamedTemporaryFile().write(b"x")
    multiprocessing.Semaphore(1)
    return {
        "shell": subprocess.run(["sh", "-c", "echo hi | cat"], capture_output=True).stdout.decode(),
        "loopback": client.recv(5).decode(),
        "certificates": len(ssl.create_default_context().get_ca_certs()) > 0,
        "zone": str(zoneinfo.ZoneInfo("Europe/Berlin")),
        "localhost": socket.gethostbyname("localhost"),
        "home": os.access(os.environ["HOME"], os.W_OK),
        "random": len(open("/dev/urandom", "rb").read(4)),
        "stdout": os.system("echo reopened > /dev/stdout"),
        "user": __import__("getpass").getuser(),
    }
"""
    assert await house.run(await house.sandbox(source)) == {
        "shell": "hi\n",
        "loopback": "hello",
        "certificates": True,
        "zone": "Europe/Berlin",
        "localhost": "127.0.0.1",
        "home": True,
        "random": 4,
        "stdout": 0,
        "user": "action",
    }


async def test_a_call_that_takes_too_long_expires(house: House) -> None:
    sandbox = await house.sandbox("import time\ndef main(args):\n    time.sleep(60)\n")

    assert isinstance(await house.call(sandbox, "run", {}, timeout_s=0.3), Expired)

    await sandbox.destroy()
    assert isinstance(await house.call(sandbox, "run", {}), Died)


@pytest.mark.parametrize(
    ("how", "statement"),
    [("exit 3", "os._exit(3)"), ("signal 9", "os.kill(os.getpid(), 9)"), ("exit 0", "os._exit(0)")],
)
async def test_a_death_says_how(house: House, how: str, statement: str) -> None:
    sandbox = await house.sandbox(f"import os\ndef main(args):\n    {statement}\n")

    assert await house.call(sandbox, "run", {}) == Died(how)


async def test_an_idle_sandbox_that_dies_is_noticed(house: House) -> None:
    source = """
import os, threading
def main(args):
    threading.Timer(0.1, os._exit, [4]).start()
    return {}
"""
    sandbox = await house.sandbox(source)
    await house.run(sandbox)

    async with asyncio.timeout(5):
        assert await sandbox.wait_death() == Died("exit 4")


async def test_nonsense_on_the_channel_is_a_death(house: House) -> None:
    source = "import os\ndef main(args):\n    os.write(3, b'\\xff' * 64)\n    return {}"
    sandbox = await house.sandbox(source)

    reply = await house.call(sandbox, "run", {}, timeout_s=5)

    assert isinstance(reply, Died)


async def test_lack_of_memory_is_told_apart(house: House) -> None:
    source = "def main(args):\n    return {'n': len(bytearray(b'x' * (700 << 20)))}"
    sandbox = await house.sandbox(source, memory_mb=128)

    reply = await house.call(sandbox, "run", {})

    if house.can(Ability.OOM_REPORT):
        assert reply == Died("signal 9", memory_exhausted=True)
    else:  # each process has its limit, and Python says what it ran into
        assert isinstance(reply, Answer)
        assert reply.memory_exhausted or b"MemoryError" in reply.body or b"error" in reply.body


async def test_memory_of_all_processes_counts_together(house: House) -> None:
    source = """
import os, time
def main(args):
    for _ in range(4):
        if os.fork() == 0:
            block = bytearray(b"x" * (50 << 20))
            time.sleep(60)
    while True:
        os.wait()
        time.sleep(60)
"""
    sandbox = await house.sandbox(source, memory_mb=128)

    reply = await house.call(sandbox, "run", {}, timeout_s=3)

    if house.can(Ability.MEMORY):
        assert isinstance(reply, Died)
        assert reply.memory_exhausted
    else:
        assert isinstance(reply, Expired)


async def test_a_flood_of_output_does_not_stop_the_platform(house: House) -> None:
    source = """
import os
def main(args):
    for _ in range(160):
        os.write(1, b"x" * (1 << 16))
    return {}
"""
    sandbox = await house.sandbox(source)

    assert await house.run(sandbox) == {}

    assert len(house.logs.text[Stream.STDOUT]) == 160 << 16


async def test_a_fork_bomb_hurts_only_itself(house: House) -> None:
    assert house.can(Ability.PIDS)
    source = """
import contextlib, os
def main(args):
    while True:
        with contextlib.suppress(OSError):
            os.fork()
"""
    sandbox, other = await house.sandbox(source), await house.sandbox(ECHO)

    assert isinstance(await house.call(sandbox, "run", {}, timeout_s=0.5), Expired)

    assert await house.run(other, a=1) == {"a": 1}
    await sandbox.destroy()


async def test_a_paused_sandbox_does_nothing_until_it_is_resumed(house: House) -> None:
    assert house.can(Ability.FREEZE)
    source = """
import subprocess
def main(args):
    subprocess.Popen(["sh", "-c", "while :; do echo . >> /tmp/ticks; sleep 0.01; done"])
    return {}
"""
    sandbox = await house.sandbox(source)
    await house.run(sandbox)
    await sandbox.pause()
    assert isinstance(await house.call(sandbox, "run", {}, timeout_s=0.3), Expired)
    await sandbox.destroy()


async def test_a_resumed_sandbox_works_on(house: House) -> None:
    sandbox = await house.sandbox(ECHO)

    for turn in range(3):
        await sandbox.pause()
        await sandbox.resume()
        assert await house.run(sandbox, turn=turn) == {"turn": turn}


async def test_destroy_ends_whatever_state_a_sandbox_is_in(house: House) -> None:
    idle, paused, busy = [await house.sandbox("def main(a):\n    while True: pass") for _ in "ipb"]
    await paused.pause()

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        call = tasks.create_task(house.call(busy, "run", {}, timeout_s=30))
        await asyncio.sleep(0)  # the call goes out
        await asyncio.gather(*(each.destroy() for each in (idle, paused, busy, idle, busy)))

    assert isinstance(call.result(), Died)


async def test_two_sandboxes_do_not_see_each_other(house: House) -> None:
    source = """
import os
def main(args):
    seen = os.listdir("/tmp")
    open("/tmp/mine", "w").write("x")
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return {"seen": seen, "pids": pids, "device": os.stat("/tmp/mine").st_dev}
"""
    one, two = await house.sandbox(source), await house.sandbox(source)

    first, second = await house.run(one), await house.run(two)

    assert len(first["seen"]) == len(second["seen"])
    assert "mine" not in second["seen"]
    assert first["pids"] == second["pids"] == ["1", "2"]
    assert first["device"] != second["device"]


async def test_a_cancelled_start_leaves_nothing_behind(house: House) -> None:
    """At each turn of the loop that a start takes; the fixture looks for what is left."""
    await (await house.sandbox()).destroy()
    for turns in range(0, 40, 2):
        async with asyncio.TaskGroup() as tasks:
            start = tasks.create_task(house.sandbox())
            for _ in range(turns):
                await asyncio.sleep(0)
            start.cancel()
        if not start.cancelled():
            await start.result().destroy()
    await (await house.sandbox()).destroy()


async def test_many_start_at_the_same_time(house: House) -> None:
    sandboxes = await asyncio.gather(*(house.sandbox(ECHO) for _ in range(12)))

    results = await asyncio.gather(*(house.run(each, n=n) for n, each in enumerate(sandboxes)))

    assert results == [{"n": n} for n in range(12)]


async def test_an_unknown_kind_cannot_start(house: House) -> None:
    with pytest.raises(CannotStart):
        await house.driver.create(
            SandboxSpec(container_id=ContainerId("x"), kind="cobol:60", memory_mb=MEMORY_MB)
        )


async def test_close_ends_everything_twice(house: House) -> None:
    busy = await house.sandbox("def main(a):\n    while True: pass")

    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(house.call(busy, "run", {}, timeout_s=30))
        await asyncio.sleep(0)
        await house.driver.close()
        await house.driver.close()

    assert isinstance(call.result(), Died)
    with pytest.raises(CannotStart):
        await house.sandbox()


@contextlib.contextmanager
def host_targets(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Make what the probes look for on this host."""
    secret_file = tmp_path / "secret"
    secret_file.write_text("secret")
    secret_file.chmod(0o600)
    marker, abstract = f"marker-{os.getpid()}", f"brisk-test-{os.getpid()}"
    with (
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener,
        contextlib.closing(socket.socket(socket.AF_UNIX)) as unix,
        subprocess.Popen([marker, "60"], executable=shutil.which("sleep")) as process,
    ):
        unix.bind("\0" + abstract)
        unix.listen()
        yield {
            "pid": process.pid,
            "marker": marker,
            "port": listener.getsockname()[1],
            "abstract": abstract,
            "secret_file": str(secret_file),
            "secret": SECRET,
            "neighbour": "/tmp/neighbour",
        }
        process.kill()


async def test_no_attempt_to_escape_succeeds(house: House, tmp_path: Path) -> None:
    neighbour = await house.sandbox("def main(a):\n    open('/tmp/neighbour', 'w')\n    return {}")
    await house.run(neighbour)
    sandbox = await house.sandbox(PROBES.read_text())

    with host_targets(tmp_path) as host:
        verdicts = await house.run(sandbox, host=host)

    missing = {ability for ability in OPEN_WITHOUT if not house.can(ability)}
    possible = {attempt for ability in missing for attempt in OPEN_WITHOUT[ability]}
    succeeded = {name: each for name, each in verdicts.items() if each["contained"] is not True}
    assert len(verdicts) == 30
    assert set(succeeded) <= possible, succeeded


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_is_given_the_same(tmp_path: Path) -> None:
    """This very file, run by a user who may nothing, from a copy that the user may read."""
    copy = Path("/var/tmp") / f"brisk-test-{os.getpid()}"
    root = Path(__file__).resolve().parents[2]
    try:
        for name in ("common", "invoker", "runtimes", "tests/contract"):
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(root / "pyproject.toml", copy)
        (copy / "state").mkdir()
        os.chown(copy / "state", ORDINARY_USER, ORDINARY_USER)
        run = subprocess.run(
            [
                *(
                    python_for_everybody(),
                    "-B",
                    "-m",
                    "pytest",
                    "-q",
                    "tests/contract/test_driver.py",
                ),
                *("-p", "no:cacheprovider", "--basetemp", str(copy / "state" / "tmp")),
            ],
            cwd=copy,
            env={"PATH": "/usr/bin:/bin", "HOME": str(copy / "state"), "PYTHONPATH": packages()},
            user=ORDINARY_USER,
            group=ORDINARY_USER,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=50,
        )
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]


def python_for_everybody() -> str:
    """Return this Python's version where others may execute it."""
    name = "python{}.{}".format(*sys.version_info)
    for candidate in (
        os.path.realpath(sys.executable),
        f"/usr/bin/{name}",
        f"/usr/local/bin/{name}",
    ):
        if subprocess.run(["test", "-x", candidate], user=ORDINARY_USER).returncode == 0:
            return candidate
    pytest.skip(f"no {name} that every user may execute")


def packages() -> str:
    """Return the folder of the packages that tests need."""
    return str(Path(pytest.__file__).parents[1])
