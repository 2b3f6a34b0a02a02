"""The journal: small again when it has grown, whole after a crash, honest about a bad disk."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.append_log import DamagedLog, framed
from common.bus.journal import Journal
from common.bus.memory import MemoryBus
from common.bus.port import BusUnavailable
from common.ids import InvokerId
from common.message import encoding, topics
from tests.fakes.records import a_message

INVOKER = topics.invoker(InvokerId(0))


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def fail(fd: int) -> None:
    raise OSError(5, "Input/output error")


async def numbers(folder: Path) -> list[int]:
    journal = await Journal.open(folder)
    found = [ticket.number for ticket in journal.unfinished]
    await journal.close()
    return found


async def test_a_journal_of_what_is_over_does_not_grow(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, compact_bytes=10_000)
    kept = journal.enter(INVOKER, a_message(0), was_started=False)
    journal.start(kept)
    sizes = []
    for number in range(1, 200):
        ticket = journal.enter(INVOKER, a_message(number), was_started=False)
        await journal.sync()
        await journal.tidy()
        journal.start(ticket)
        journal.settle(ticket)
        sizes.append(journal.size_bytes)

    assert max(sizes) < 25_000
    await journal.close()
    again = await Journal.open(tmp_path)
    [left] = again.unfinished
    assert (left.message, left.was_started) == (a_message(0), True)
    await again.close()


async def test_nothing_is_lost_while_it_is_made_small(tmp_path: Path) -> None:
    bus = MemoryBus(await Journal.open(tmp_path, compact_bytes=2_000), capacity=1000)

    async def send(number: int) -> None:
        await bus.send(INVOKER, a_message(number, payload=b'"%1000d"' % 0), durable=True)

    await asyncio.gather(*map(send, range(100)))
    deliveries = bus.receive(INVOKER)
    for _ in range(50):
        (await anext(deliveries)).settle()
    await asyncio.gather(*map(send, range(100, 150)))

    after = await Journal.open(tmp_path)
    ids = [encoding.key(ticket.message) for ticket in after.unfinished]
    assert ids == [a_message(number).activation_id for number in range(50, 150)]
    await after.close()
    await bus.close()


async def test_after_a_crash_while_it_was_made_small_every_promise_is_there_once(
    tmp_path: Path,
) -> None:
    journal = await Journal.open(tmp_path)
    for number in range(3):
        journal.enter(INVOKER, a_message(number), was_started=False)
    await journal.close()
    [path] = files(tmp_path)
    twice = path.with_name("journal-00000009.log")
    twice.write_bytes(path.read_bytes() + framed(b"settled 2"))

    assert await numbers(tmp_path) == [1, 3]


async def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path)
    for number in range(3):
        journal.enter(INVOKER, a_message(number), was_started=False)
    await journal.close()
    [path] = files(tmp_path)
    os.truncate(path, path.stat().st_size - 5)

    assert await numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    "entry", [b"forgotten 7", b"settled x", b"accepted 1 invoker0", b"accepted 1 invoker0 0 {}"]
)
async def test_an_entry_that_is_none_names_the_file(tmp_path: Path, entry: bytes) -> None:
    (tmp_path / "journal-00000001.log").write_bytes(framed(entry))

    with pytest.raises(DamagedLog, match=r"journal-00000001\.log"):
        await Journal.open(tmp_path)


async def test_a_full_journal_names_its_limit_and_delivers_nothing(tmp_path: Path) -> None:
    bus = MemoryBus(await Journal.open(tmp_path, max_bytes=1 << 20), capacity=10)
    message = a_message(payload=b'"%600000d"' % 0)
    await bus.send(INVOKER, message, durable=True)

    with pytest.raises(BusUnavailable, match=r"full \(1 MB\)"):
        await bus.send(INVOKER, message, durable=True)

    assert bus.depth(INVOKER) == 1
    await bus.close()


async def test_a_message_whose_sync_fails_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus(await Journal.open(tmp_path), capacity=10)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(BusUnavailable, match="Input/output error"):
            await bus.send(INVOKER, a_message(1), durable=True)
    assert bus.depth(INVOKER) == 0

    await bus.send(INVOKER, a_message(2), durable=True)

    after = await Journal.open(tmp_path)
    assert [ticket.message for ticket in after.unfinished] == [a_message(2)]
    await after.close()
    await bus.close()


async def test_after_a_failed_sync_older_promises_are_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await Journal.open(tmp_path)
    ticket = journal.enter(INVOKER, a_message(1), was_started=False)
    doubtful = ticket.segment
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(BusUnavailable):
            await journal.sync()

    await journal.sync()

    assert ticket.segment is not doubtful
    await journal.close()
    assert await numbers(tmp_path) == [1]


async def test_what_a_full_disk_did_not_take_is_settled_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await Journal.open(tmp_path)
    tickets = [journal.enter(INVOKER, a_message(n), was_started=False) for n in range(2)]

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        journal.settle(tickets[0])
        with pytest.raises(BusUnavailable, match="No space left"):
            journal.start(tickets[1])
        with pytest.raises(BusUnavailable, match="No space left"):
            journal.enter(INVOKER, a_message(3), was_started=False)
    journal.start(tickets[1])
    await journal.close()

    after = await Journal.open(tmp_path)
    assert [(t.message, t.was_started) for t in after.unfinished] == [(a_message(1), True)]
    await after.close()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from common.bus.journal import Journal
from common.bus.memory import MemoryBus
from common.bus.port import BusUnavailable
from common.message.topics import Topic
from tests.fakes.records import a_message

async def send_until_full():
    bus = MemoryBus(await Journal.open(Path(sys.argv[1])), capacity=1000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    for number in range(1000):
        try:
            await bus.send(Topic("invoker0"), a_message(number), durable=True)
        except BusUnavailable as error:
            print(number, bus.depth(Topic("invoker0")), error)
            return

asyncio.run(send_until_full())
"""


def test_a_disk_that_is_full_refuses_and_keeps_what_it_has_promised(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    sent, depth, cause = child.stdout.strip().split(" ", 2)
    assert cause == "The journal takes no message: File too large."
    assert int(sent) == int(depth) > 10
    assert asyncio.run(numbers(tmp_path)) == list(range(1, int(sent) + 1))


async def test_keys_are_for_this_user_only_and_go_with_their_file(tmp_path: Path) -> None:
    bus = MemoryBus(await Journal.open(tmp_path), capacity=10)
    await bus.send(INVOKER, a_message(api_key="uuid:secret"), durable=True)
    [path] = files(tmp_path)
    assert b"secret" in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0

    (await anext(bus.receive(INVOKER))).settle()
    await bus.close()

    assert files(tmp_path) == []
