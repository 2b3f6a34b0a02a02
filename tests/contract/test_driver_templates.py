"""What sandboxes of processes promise of templates, and what hostile templates try.

That copies are sandboxes like any other is what the suites of drivers say when they run against
`copies`; that a driver without templates says so is in `test_driver.py`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from invoker.driver.port import Ability, CannotCast, NotCopied, Stream
from tests.contract.drivers import House, opened

HEAVY: Final = """
import os, random, time, uuid
begun = time.monotonic_ns()
with open("/tmp/note", "w") as file:
    file.write("kept")
os.symlink("note", "/tmp/link")
os.makedirs("/tmp/folder/inner")
print("loading")
calls = 0
def main(args):
    global calls
    calls += 1
    return {
        "begun": begun,
        "calls": calls,
        "variable": os.environ.get("VARIABLE"),
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "note": open("/tmp/link").read(),
        "folder": os.path.isdir("/tmp/folder/inner"),
        "code": os.listdir("."),
    }
"""
ECHO: Final = "def main(args):\n    return args\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened("process", tmp_path) as house:
        assert house.can(Ability.TEMPLATES), house.report.degradations
        yield house


async def copies(house: House, source: str, count: int) -> list[Any]:
    """Return that many sandboxes that are copies of one template."""
    template = await house.template(source)
    sandboxes = [await house.driver.create(house.spec()) for _ in range(count)]
    for number, sandbox in enumerate(sandboxes):
        await house.copy(template, sandbox, VARIABLE=str(number))
    await template.destroy()
    return sandboxes


async def test_copies_begin_alike_and_go_apart(house: House) -> None:
    one, two = await copies(house, HEAVY, 2)

    first, second, again = await house.run(one), await house.run(two), await house.run(one)

    assert first["begun"] == second["begun"], "the code was loaded once"
    assert (first["calls"], second["calls"], again["calls"]) == (1, 1, 2)
    assert (first["variable"], second["variable"]) == ("0", "1")
    assert first["random"] != second["random"]
    assert first["uuid"] != second["uuid"]
    assert first["note"] == second["note"] == "kept"
    assert first["folder"]
    assert first["code"] == ["main__.py"]
    assert house.logs.text[Stream.STDOUT] == b"", "what it printed while it was loaded is nobody's"


async def test_what_a_copy_writes_no_other_reads(house: House) -> None:
    source = """
import os
state = bytearray(1 << 20)
def main(args):
    seen = [bytes(state[:1]).decode(), sorted(os.listdir("/tmp"))]
    state[:1] = b"x"
    open("/tmp/mine", "w").close()
    return {"seen": seen}
"""
    one, two = await copies(house, source, 2)

    first, second = await house.run(one), await house.run(two)

    assert first == second
    assert first["seen"][0] == "\0"


async def test_many_copies_are_made_at_the_same_time(house: House) -> None:
    template = await house.template(HEAVY)
    sandboxes = await asyncio.gather(*(house.driver.create(house.spec()) for _ in range(8)))

    await asyncio.gather(*(house.copy(template, each) for each in sandboxes))

    results = await asyncio.gather(*(house.run(each) for each in sandboxes))
    assert len({each["random"] for each in results}) == len(sandboxes)
    assert {each["calls"] for each in results} == {1}


LEFT_BEHIND: Final = {
    "a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=[60]).start()",
    "open socket:": "import socket\nkept = socket.socket()",
    "open /tmp/data": "kept = open('/tmp/data', 'w')",
    "a process": "import subprocess\nsubprocess.Popen(['sleep', '60'])",
    "a timer": "import signal\nsignal.signal(14, print)\nsignal.setitimer(signal.ITIMER_REAL, 60)",
    "shares memory": "import mmap\nkept = mmap.mmap(-1, 4096)",
    "bytes to files": "open('/tmp/large', 'wb').write(bytes(40 << 20))",
    "neither file": "import os\nos.mkfifo('/tmp/fifo')",
}


@pytest.mark.parametrize("left", sorted(LEFT_BEHIND))
async def test_code_that_has_more_than_memory_is_refused(house: House, left: str) -> None:
    with pytest.raises(CannotCast, match=left):
        await house.template(f"{LEFT_BEHIND[left]}\n{ECHO}")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise ValueError", "Cannot start action"),
        ("import os\nos._exit(3)", "exit 3"),
        ("while True: pass", "too long"),
        ("kept = bytearray(b'x' * (700 << 20))", "signal 9|memory"),
    ],
)
async def test_code_that_cannot_be_loaded_makes_no_template(
    house: House, source: str, why: str
) -> None:
    body = b'{"value": {"code": "%s"}}' % source.replace("\n", "\\n").encode()
    with pytest.raises(CannotCast, match=why):
        await house.driver.cast(house.spec(), body, timeout_s=1)


async def test_the_end_of_a_template_is_noticed_and_its_copies_live_on(house: House) -> None:
    template = await house.template(ECHO)
    sandbox, late = await house.driver.create(house.spec()), await house.driver.create(house.spec())
    await house.copy(template, sandbox)
    async with asyncio.TaskGroup() as tasks:
        death = tasks.create_task(template.wait_death())
        await template.destroy()
    assert death.done()

    assert await house.run(sandbox, a=1) == {"a": 1}
    with pytest.raises(NotCopied):
        await house.copy(template, late)


async def test_a_cancelled_cast_leaves_nothing_behind(house: House) -> None:
    """At many moments of the time that it takes; the fixture looks for what is left."""
    await (await house.sandbox()).destroy()
    for step in range(40):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(step / 1000):
                await (await house.template(ECHO)).destroy()


async def test_a_cancelled_copy_leaves_nothing_behind(house: House) -> None:
    template = await house.template(ECHO)
    for step in range(24):
        sandbox = await house.driver.create(house.spec())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(step / 2000):
                await house.copy(template, sandbox)
        await sandbox.destroy()
    await house.copy(template, await house.driver.create(house.spec()))


# `syscall` of the C library is what the twin stands in: its instructions are replaced, in memory
# that template and twin share, before the template is stopped.
POISON: Final = """
import ctypes
libc = ctypes.CDLL(None)
entry = ctypes.cast(libc.syscall, ctypes.c_void_p).value
page = entry & ~4095
assert libc.mprotect(ctypes.c_void_p(page), 8192, 7) == 0
code = (ctypes.c_char * 64).from_address(entry)
at = code.raw.index(bytes.fromhex("0f05"))
code[at : at + 2] = bytes.fromhex("{instruction}")
def main(args):
    return {{}}
"""
POISONS: Final = {
    "runs in circles": "ebfe",
    "asks by the numbers of another machine": "cd80",
    "breaks": "0f0b",
    "traps": "cccc",
}


@pytest.mark.parametrize("poison", sorted(POISONS))
async def test_a_template_that_changes_its_twins_memory_gains_nothing(
    house: House, poison: str
) -> None:
    bad = await house.template(POISON.format(instruction=POISONS[poison]))
    good = await house.template(ECHO)
    sandbox, other = (
        await house.driver.create(house.spec()),
        await house.driver.create(house.spec()),
    )

    async with asyncio.TaskGroup() as tasks:
        refused = tasks.create_task(_refused(house, bad, sandbox))
        await house.copy(good, other)
        assert await house.run(other, a=1) == {"a": 1}, "nobody else waits for it"

    assert refused.result()
    async with asyncio.timeout(10):
        await bad.wait_death()


async def _refused(house: House, template: Any, sandbox: Any) -> bool:
    with pytest.raises(NotCopied):
        await house.copy(template, sandbox)
    return True


@pytest.mark.parametrize("left", ["a thread", "a process", "shares memory"])
async def test_what_a_template_does_not_tell_is_found(house: House, left: str) -> None:
    """Code can replace what looks at it from inside; from outside it is looked at once more."""
    blind = "from brisk_runtime import template\ntemplate._demand_solitude = lambda _: None\n"
    if left == "shares memory":
        template = await house.template(f"{blind}{LEFT_BEHIND[left]}\n{ECHO}")
        with pytest.raises(NotCopied, match="ended"):
            await house.copy(template, await house.driver.create(house.spec()))
        return
    with pytest.raises(CannotCast, match="not alone"):
        await house.template(f"{blind}{LEFT_BEHIND[left]}\n{ECHO}")


async def test_a_template_that_becomes_another_program_is_none(house: House) -> None:
    source = "import os\nos.execv('/bin/sleep', ['sleep', '60'])"
    with pytest.raises(CannotCast):
        await house.template(source)
