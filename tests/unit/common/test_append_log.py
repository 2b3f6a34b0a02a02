"""A log that is only appended to: what a crash, a damage and a full disk leave of it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.append_log import AppendLog, DamagedLog, Segment, entries, framed


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def read(path: Path) -> list[bytes]:
    return list(entries(Segment(path, 1)))


def a_file(folder: Path, data: bytes) -> Path:
    path = folder / "log-00000001.log"
    path.write_bytes(data)
    return path


@given(st.lists(st.binary()))
def test_entries_come_back_whatever_they_hold(
    tmp_path_factory: pytest.TempPathFactory, given_entries: list[bytes]
) -> None:
    path = a_file(tmp_path_factory.mktemp("log"), b"".join(map(framed, given_entries)))

    assert read(path) == given_entries


@given(st.integers(0, 200))
def test_a_torn_end_is_left_out_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    lines = [framed(b'{"entry":\n%d}' % number) for number in range(6)]
    torn = b"".join(lines)[:length]
    path = a_file(tmp_path_factory.mktemp("log"), torn)

    whole = length // len(lines[0])
    assert read(path) == [b'{"entry":\n%d}' % number for number in range(min(whole, 6))]


def test_zeros_at_the_end_are_a_torn_end(tmp_path: Path) -> None:
    assert read(a_file(tmp_path, framed(b"a") + bytes(512))) == [b"a"]


def test_damage_in_the_middle_names_the_file_and_the_place(tmp_path: Path) -> None:
    data = framed(b"first") + framed(b"second").replace(b"second", b"sEcond") + framed(b"third")
    path = a_file(tmp_path, data)

    with pytest.raises(DamagedLog, match=f"{path.name} is damaged at byte {len(framed(b'first'))}"):
        read(path)


async def test_every_start_begins_a_new_file(tmp_path: Path) -> None:
    for number in range(3):
        log = AppendLog(tmp_path, "log")
        assert [list(entries(segment)) for segment in log.left_over] == [
            [b"%d" % earlier] for earlier in range(number)
        ]
        log.append(b"%d" % number)
        await log.sync()
        await log.close()


async def test_a_discarded_file_is_gone_after_the_next_sync(tmp_path: Path) -> None:
    log = AppendLog(tmp_path, "log")
    old = log.append(b"old")
    log.rotate()
    log.append(b"new")

    log.discard(old)
    await log.sync()

    assert [path.read_bytes() for path in files(tmp_path)] == [framed(b"new")]
    assert log.size_bytes == len(framed(b"new"))
    await log.close()


async def test_the_files_are_for_this_user_only(tmp_path: Path) -> None:
    log = AppendLog(tmp_path / "folder", "log")

    assert log.active.path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700
    await log.close()


async def test_an_entry_that_does_not_fit_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AppendLog(tmp_path, "log")
    log.append(b"first")
    write, room = os.write, [9]

    def write_on_a_full_disk(fd: int, data: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return write(fd, data[: room.pop()])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_on_a_full_disk)
        with pytest.raises(OSError, match="No space left"):
            log.append(b"second")
    log.append(b"third")
    await log.close()

    assert read(log.active.path) == [b"first", b"third"]


async def test_a_sync_that_fails_makes_the_file_suspect_until_a_new_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AppendLog(tmp_path, "log")

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            await log.sync()

    assert log.is_suspect
    log.rotate()
    assert not log.is_suspect
    await log.close()
    for use in (log.rotate, lambda: log.append(b"late")):
        with pytest.raises(OSError, match=r"closed|Bad file descriptor"):
            use()
    with pytest.raises(OSError, match="closed"):
        await log.sync()
    assert len(files(tmp_path)) == 2
