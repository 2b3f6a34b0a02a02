"""The file of a backup is whole or is not there, and what is not whole is noticed."""

import errno
import gzip
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.upkeep import archive
from cli.upkeep.archive import BackupUnreadable, Closed, Code, Document, Head, Item, Record, Secret
from cli.upkeep.archive_file import (
    ArchiveWriter,
    BackupExists,
    BackupNotWritten,
    examined,
    reading,
    writing,
)
from common.entity import activation_document
from common.ids import DocId, Namespace
from common.store.ledger import used
from common.store.rollups import rolled
from common.store.shard import Shard, State
from tests.fakes.records import RECORDS, a_record

DAY = Shard(20413)
HEAD = Head("sqlite", "Brisk 0.1.0", 1, 1_763_726_400_000, "5ec2e7")
ITEMS: list[Item] = [
    Document("subjects", DocId("ns/guest"), {"name": "guest", "n": 1 << 70, "x": 1.5}),
    Document("entities", DocId("guest/a ☃"), {"a": ["\n", None]}),
    Code(b"\x00\xff" * 3000),
    Record(DAY, activation_document.encode(a_record(7))),
    Closed(DAY, State.SEALED, tuple(rolled([(Namespace("guest"), used(a_record(7)))]))),
    Closed(Shard(20411, is_late=True), State.DROPPED, ()),
]
FULL = """
import resource, sys
from pathlib import Path
from tests.unit.cli.upkeep.test_archive_file import HEAD
from cli.upkeep.archive import Code
from cli.upkeep.archive_file import BackupNotWritten, writing
import os
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with writing(Path(sys.argv[1]), force=True) as writer:
        writer.begin(HEAD)
        for _ in range(100):
            writer.add(Code(os.urandom(5000)))
        writer.end()
except BackupNotWritten as error:
    print(error)
"""


def fill(writer: ArchiveWriter, items: list[Item]) -> None:
    writer.begin(HEAD)
    for item in items:
        writer.add(item)
    writer.end()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with writing(tmp_path / "b.gz", force=False) as writer:
        fill(writer, ITEMS)
    return tmp_path / "b.gz"


def read(path: Path, known_layout: int = 1) -> list[Item]:
    with reading(path, known_layout) as backup:
        assert backup.head == HEAD
        return list(backup.items())


def test_what_was_written_is_read(file: Path) -> None:
    assert read(file) == ITEMS


def test_its_owner_alone_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_is_json_lines_in_gzip_for_whoever_has_only_that(file: Path) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert lines[0].startswith(b'{"brisk_backup":1,"layout":1,"written_by":"Brisk 0.1.0"')
    assert lines[-1].startswith(b'{"end":{"lines":7,"sha256":"')


@given(st.lists(RECORDS, max_size=5))
def test_every_record_comes_back_letter_for_letter(records: list[object]) -> None:
    for record in records:
        document = activation_document.encode(record)  # type: ignore[arg-type]
        assert archive.read_item(archive.line_of(Record(DAY, document))) == Record(DAY, document)


def test_a_file_that_was_cut_off_anywhere_is_noticed(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    for length in range(len(data)):
        cut = tmp_path / "cut.gz"
        cut.write_bytes(data[:length])
        with pytest.raises(BackupUnreadable):
            read(cut)


def test_lines_that_are_missing_doubled_or_swapped_are_noticed(file: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    others = [
        lines[:-1],
        [lines[0], *lines[2:]],
        [lines[0], lines[1], *lines[1:]],
        [lines[0], lines[2], lines[1], *lines[3:]],
        [*lines, lines[1]],
        [*lines, b"\n"],
        [lines[0], lines[1].replace(b"guest", b"gueST"), *lines[2:]],
    ]
    for other in others:
        changed = tmp_path / "changed.gz"
        changed.write_bytes(gzip.compress(b"".join(other)))
        with pytest.raises(BackupUnreadable):
            read(changed)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", gzip.compress(b""), gzip.compress(b"[]\n"), gzip.compress(b"{}\n")],
    ids=["empty", "text", "nothing", "list", "object"],
)
def test_what_is_no_backup_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BackupUnreadable):
        read(tmp_path / "x")


def test_a_file_that_is_absent_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackupUnreadable, match="No such file"):
        read(tmp_path / "nosuch")


def test_a_backup_of_a_newer_layout_is_refused_by_name(tmp_path: Path) -> None:
    newer = Head("sqlite", "Brisk 7.0", 7, 0, None)
    with pytest.raises(BackupUnreadable, match=r"layout 7 of Brisk 7\.0"):
        archive.read_head(archive.head_line(newer), 1)
    assert archive.read_head(archive.head_line(newer), 7) == newer


def test_no_file_is_replaced_unless_that_is_said(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(BackupExists, match="--force"), writing(file, force=False):
        raise AssertionError("it must not begin")
    assert file.read_bytes() == before
    with writing(file, force=True) as writer:
        fill(writer, ITEMS[:1])
    assert read(file) == ITEMS[:1]


def test_a_file_that_came_there_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "b.gz"
    with pytest.raises(BackupExists), writing(path, force=False) as writer:
        path.write_text("somebody else's")
        fill(writer, ITEMS)
    assert path.read_text() == "somebody else's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_backup_that_breaks_off_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), writing(tmp_path / "b.gz", force=False) as writer:
        writer.begin(HEAD)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(file)],
        cwd=Path(__file__).parents[4], capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    assert "cannot be written: File too large. Nothing is left of it." in done.stdout
    assert (list(tmp_path.iterdir()), file.read_bytes()) == ([file], before)


def test_a_disk_that_is_full_at_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(BackupNotWritten, match="No space left on device"),
        writing(tmp_path / "b.gz", force=False) as writer,
    ):
        fill(writer, ITEMS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_absent_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(BackupNotWritten, match="No such file or directory"),
        writing(tmp_path / "nosuch" / "b.gz", force=False),
    ):
        raise AssertionError("it must not begin")


def test_a_secret_is_found_and_never_shown(tmp_path: Path) -> None:
    secret = Secret("ab" * 32, "uuid:key")
    with writing(tmp_path / "b.gz", force=False) as writer:
        fill(writer, [*ITEMS, secret])
    found = examined(tmp_path / "b.gz", 1)
    assert (found.head, found.secret) == (HEAD, secret)
    assert found.tally["counts"] == {
        "subjects": 1,
        "entities": 1,
        "code": 1,
        "records": 1,
        "closed": 2,
    }
    assert "abab" not in repr(secret)
    assert "uuid" not in repr(secret)


def test_the_order_of_a_section_is_nothing_to_its_digest(tmp_path: Path) -> None:
    tallies = []
    for number, items in enumerate((ITEMS, ITEMS[::-1])):
        with writing(tmp_path / str(number), force=False) as writer:
            fill(writer, items)
        tallies.append(writer.tally)
    one, other = tallies
    assert one == other
    other.add(Document("entities", DocId("guest/b"), {}))
    assert archive.differences(one.to_json(), other.to_json()) == ["2 entities instead of 1"]


def test_numbers_and_keys_are_compared_by_value() -> None:
    one, other = archive.Tally(), archive.Tally()
    one.add(Document("entities", DocId("a"), {"x": 1.0, "y": [2]}))
    other.add(Document("entities", DocId("a"), {"y": [2.0], "x": 1}))
    assert one == other
    third = archive.Tally()
    third.add(Document("entities", DocId("a"), {"x": 1.5, "y": [2]}))
    assert archive.differences(one.to_json(), third.to_json()) == ["entities that are not the same"]
