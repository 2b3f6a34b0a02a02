"""What every sandbox driver promises, whatever its sandboxes are made of."""

import asyncio
from typing import Final

import pytest

from common.ids import ContainerId
from invoker.driver.port import (
    Ability,
    Answer,
    CannotCast,
    CannotStart,
    Died,
    Expired,
    SandboxSpec,
    Stream,
)
from tests.contract.drivers import MEMORY_MB, House

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
    assert len(first["pids"]) == len(second["pids"]) == 2
    assert first["pids"][0] == second["pids"][0] == "1"
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


async def test_code_is_loaded_once_for_all_copies_or_the_driver_refuses(house: House) -> None:
    source = (
        "import time\nbegun = time.monotonic_ns()\ndef main(args):\n    return {'begun': begun}"
    )
    if not house.can(Ability.TEMPLATES):
        with pytest.raises(CannotCast):
            await house.template(source)
        return
    template = await house.template(source)
    one, two = [await house.driver.create(house.spec()) for _ in range(2)]

    for sandbox in (one, two):
        await house.copy(template, sandbox)

    assert await house.run(one) == await house.run(two)


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
