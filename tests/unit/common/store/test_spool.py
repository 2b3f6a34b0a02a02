"""The spool: bounded, and a file of it lives as long as one of its records is needed."""

import errno
import os
from pathlib import Path

import pytest

from common.store.port import Corrupted, StoreUnavailable
from common.store.spool import Spool


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_what_is_not_committed_is_left_over(tmp_path: Path) -> None:
    before = Spool(tmp_path)
    segments = [before.add(b"%d" % number) for number in range(3)]
    before.done(segments[0])
    await before.close(empty=False)

    after = Spool(tmp_path)
    left = list(after.left_over())
    assert [document for _, document in left] == [b"0", b"1", b"2"]
    for segment, _ in left:
        after.done(segment)
    await after.sync()
    await after.close(empty=False)

    third = Spool(tmp_path)
    assert list(third.left_over()) == []
    await third.close(empty=True)


async def test_a_file_goes_when_its_last_record_is_committed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, rotate_bytes=60)
    segments = [spool.add(b"x" * 40) for _ in range(3)]
    assert segments[0] is segments[1] is not segments[2]

    spool.done(segments[0])
    await spool.sync()
    assert len(files(tmp_path)) == 2
    spool.done(segments[1])
    await spool.sync()
    assert [path.name for path in files(tmp_path)] == ["spool-00000002.log"]

    spool.done(segments[2])
    assert spool.size_bytes == sum(path.stat().st_size for path in files(tmp_path))
    await spool.close(empty=True)
    assert files(tmp_path) == []


async def test_a_full_spool_names_its_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1 << 20)
    segment = spool.add(b"x" * (1 << 19))

    with pytest.raises(StoreUnavailable, match=r"full \(1 MB\)"):
        spool.add(b"x" * (1 << 19))

    spool.add(b"y")
    assert segment.entries == 2
    await spool.close(empty=True)


async def test_after_a_failed_sync_only_the_database_can_vouch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    doubtful = spool.add(b"1")

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            await spool.sync()

    sound = spool.add(b"2")
    assert sound is not doubtful
    with pytest.raises(StoreUnavailable, match="the database has not taken it"):
        await spool.sync()
    spool.done(doubtful)
    await spool.sync()
    await spool.close(empty=True)


async def test_a_damaged_spool_is_named(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for _ in range(3):
        spool.add(b"document")
    await spool.close(empty=False)
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"document", b"dOcument", 1))

    broken = Spool(tmp_path)
    with pytest.raises(Corrupted, match=path.name):
        list(broken.left_over())
    await broken.close(empty=False)


async def test_a_spool_that_refused_knows_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, max_bytes=1 << 10)
    segment = spool.add(b"x" * 900)
    spool.check()
    with pytest.raises(StoreUnavailable, match="full"):
        spool.add(b"x" * 900)
    spool.check()  # a smaller one would be taken

    with monkeypatch.context() as full:
        full.setattr(os, "write", _no_space)
        full.setattr(Path, "write_bytes", _no_space)
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            spool.add(b"y")
        with pytest.raises(StoreUnavailable, match="takes no record: No space left on device"):
            spool.check()

    spool.check()
    assert [path.name for path in files(tmp_path)] == ["spool-00000001.log"]
    spool.done(segment)
    await spool.close(empty=True)


def _no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
