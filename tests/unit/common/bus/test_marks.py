"""The marks of a consumer: there after a crash, small again, honest about a bad disk."""

import os
from pathlib import Path

import pytest

from common.append_log import DamagedLog, framed
from common.bus.marks import Marks
from common.bus.port import BusUnavailable
from common.ids import InvokerId
from common.message import topics
from tests.fakes.records import an_id

TOPIC = topics.invoker(InvokerId(0))
OTHER = topics.invoker(InvokerId(1))


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def test_what_was_started_or_settled_is_known_after_a_crash(tmp_path: Path) -> None:
    before = Marks.open(tmp_path)
    before.start(TOPIC, 5, an_id(5))
    before.start(TOPIC, 6, an_id(6))
    before.settle(TOPIC, 6, an_id(6))

    after = Marks.open(tmp_path)

    assert after.was_started(TOPIC, 5, an_id(5))
    assert not after.was_settled(TOPIC, 5, an_id(5))
    assert after.was_settled(TOPIC, 6, an_id(6))
    assert not after.was_started(OTHER, 5, an_id(5))
    await before.close()
    await after.close()


async def test_a_topic_made_anew_has_other_messages_at_the_same_offsets(tmp_path: Path) -> None:
    marks = Marks.open(tmp_path)
    marks.settle(TOPIC, 5, an_id(5))
    assert not marks.was_settled(TOPIC, 5, an_id(99))
    await marks.close()


async def test_what_the_broker_knows_is_forgotten_and_the_log_stays_small(tmp_path: Path) -> None:
    marks = Marks.open(tmp_path, compact_bytes=10_000)
    marks.start(OTHER, 1, an_id(1))
    for offset in range(1000):
        marks.start(TOPIC, offset, an_id(offset))
        marks.settle(TOPIC, offset, an_id(offset))
        marks.committed(TOPIC, offset)
    await marks.close()

    assert size_bytes(tmp_path) < 15_000
    after = Marks.open(tmp_path)
    assert after.was_settled(TOPIC, 999, an_id(999))
    assert not after.was_settled(TOPIC, 100, an_id(100))
    assert after.was_started(OTHER, 1, an_id(1))
    await after.close()


async def test_what_lies_below_the_beginning_is_forgotten(tmp_path: Path) -> None:
    marks = Marks.open(tmp_path)
    for offset in (3, 4, 5):
        marks.start(TOPIC, offset, an_id(offset))
    marks.began(TOPIC, 5)
    known = [offset for offset in (3, 4, 5) if marks.was_started(TOPIC, offset, an_id(offset))]
    assert known == [5]
    await marks.close()


async def test_a_full_disk_refuses_a_start_and_owes_a_settlement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = Marks.open(tmp_path)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        marks.settle(TOPIC, 1, an_id(1))
        with pytest.raises(BusUnavailable, match="No space left"):
            marks.start(TOPIC, 2, an_id(2))
    marks.start(TOPIC, 3, an_id(3))
    await marks.close()

    after = Marks.open(tmp_path)
    assert after.was_settled(TOPIC, 1, an_id(1))
    assert not after.was_started(TOPIC, 2, an_id(2))
    assert after.was_started(TOPIC, 3, an_id(3))
    await after.close()


@pytest.mark.parametrize(
    "entry", [b"forgotten invoker0 1 x", b"started invoker0", b"settled a b c"]
)
async def test_an_entry_that_is_none_names_the_file(tmp_path: Path, entry: bytes) -> None:
    (tmp_path / "marks-00000001.log").write_bytes(framed(entry))
    with pytest.raises(DamagedLog, match=r"marks-00000001\.log"):
        Marks.open(tmp_path)
