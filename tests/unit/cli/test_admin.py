"""`brisk admin db`: what is typed, what is said, and how it ends."""

import asyncio
import fcntl
import json
import shlex
import shutil
import stat
from pathlib import Path

import pytest

from cli.commands.admin import lines
from cli.upkeep.findings import MOST_SHOWN, Finding, Report
from common.clock import SystemClock
from common.ids import DocId
from common.settings import StoreSettings
from common.store.secrets_file import InstallationSecret, SecretDiffers
from common.store.sqlite import SqliteStores
from tests.unit.cli.conftest import Run

SECRET = "5e" * 32


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Have no settings of the surroundings, and an empty default folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "xdg"))
    for name in ("BRISK_DATA", "BRISK_COUCHDB__URL", "BRISK_COUCHDB__PREFIX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data(home: Path) -> Path:
    """A data folder with one document, a secret and a key."""

    async def fill() -> None:
        stores = await SqliteStores.open(home / "data" / "store", StoreSettings(), SystemClock())
        await stores.entities.create(DocId("guest/a"), {"entityType": "trigger"})
        await stores.close()

    (home / "data").mkdir()
    asyncio.run(fill())
    (home / "data" / "secret").write_text(SECRET + "\n")
    (home / "data" / "guest.key").write_text("uuid:key\n")
    return home / "data"


def test_wsk_has_no_such_command(line: Run, home: Path) -> None:
    refused = line("wsk admin db check")
    assert (refused.exit, refused.stdout) == (1, "")
    assert 'unknown command "admin" for "wsk"' in refused.stderr
    assert "admin" not in line("wsk --help").stdout
    assert "\n  admin " in line("brisk --help").stdout
    assert "Usage: brisk" in line("brisk help admin").stdout


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("admin --help", "\n  db "),
        ("admin db --help", "\n  restore "),
        ("admin db backup --help", "--with-secret"),
    ],
)
def test_help(line: Run, home: Path, typed: str, text: str) -> None:
    shown = line(f"brisk {typed}")
    assert (shown.exit, shown.stderr) == (0, "")
    assert text in shown.stdout


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("backup", "A file to write is required."),
        ("restore a b", "Invalid argument(s): b. A file to read is required."),
        ("check x", "No arguments are required."),
        ("check -o xml", "Invalid argument 'xml' for --output flag: one of text, json."),
        ("check", "There are no stores in"),
        ("backup b.gz", "There are no stores in"),
        ("restore nosuch.gz", "nosuch.gz cannot be read: No such file or directory."),
        ("backup b.gz --with-secret", "There is no secret to put into the backup"),
    ],
)
def test_what_cannot_be_done_is_told(line: Run, home: Path, typed: str, text: str) -> None:
    refused = line(f"brisk admin db {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert text in refused.stderr
    assert not (home / "b.gz").exists()


def test_a_backup_says_what_is_in_it_and_that_no_key_is(line: Run, data: Path) -> None:
    done = line(f"brisk admin db backup b.gz --data {data}")
    assert (done.exit, done.stderr) == (0, "")
    assert done.stdout.startswith("ok: b.gz: 0 subjects, 1 entities, 0 code, 0 records, 0 closed; ")
    assert "without the file `secret`" in done.stdout
    assert stat.S_IMODE(Path("b.gz").stat().st_mode) == 0o600
    again = line(f"brisk admin db backup b.gz --data {data}")
    assert (again.exit, again.stderr) == (1, "error: b.gz is there already; --force replaces it.\n")
    said = json.loads(line(f"brisk admin db backup b.gz --force -o json --data {data}").stdout)
    assert said["counts"]["entities"] == 1
    assert said["with_secret"] is False


def test_the_default_folder_and_that_of_the_settings_are_used(
    line: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRISK_DATA", str(data))
    assert line("brisk admin db check").stdout.endswith("1 entities\n")
    monkeypatch.delenv("BRISK_DATA")
    shutil.copytree(data, Path("xdg") / "brisk")
    assert line("brisk admin db check --json").exit == 0


def test_a_restore_with_the_secret_leaves_a_folder_that_can_be_started(
    line: Run, data: Path, home: Path
) -> None:
    assert "has every key" in line(f"brisk admin db backup b.gz --with-secret --data {data}").stdout
    done = line("brisk admin db restore b.gz --data new")
    assert (done.exit, done.stderr) == (0, "")
    assert done.stdout == (
        "ok: restored 0 subjects, 1 entities, 0 code, 0 records, 0 closed, "
        "and all of it was read again\n"
    )
    for name in ("secret", "guest.key"):
        assert (home / "new" / name).read_text() == (data / name).read_text()
        assert stat.S_IMODE((home / "new" / name).stat().st_mode) == 0o600
    again = line("brisk admin db restore b.gz --data new")
    assert again.exit == 1
    assert "are not empty: 1 entities." in again.stderr


def test_a_restore_without_the_secret_says_that_no_key_can_be_read(line: Run, data: Path) -> None:
    line(f"brisk admin db backup b.gz --data {data}")
    done = line("brisk admin db restore b.gz --data new -o json")
    assert json.loads(done.stdout)["has_secret"] is False
    shutil.rmtree("new")
    assert "the keys cannot be read yet" in line("brisk admin db restore b.gz --data new").stdout


def test_restored_stores_know_their_secret_before_anybody_comes_with_another(
    line: Run, data: Path, home: Path
) -> None:
    line(f"brisk admin db backup b.gz --data {data}")
    line("brisk admin db restore b.gz --data new")
    right, wrong = InstallationSecret(bytes.fromhex(SECRET)), InstallationSecret(b"w" * 32)

    async def come() -> None:
        stores = await SqliteStores.open(home / "new" / "store", StoreSettings(), SystemClock())
        try:
            with pytest.raises(SecretDiffers):
                await wrong.require_same(stores.meta, home)
            await right.require_same(stores.meta, home)
        finally:
            await stores.close()

    asyncio.run(come())


def test_a_secret_that_is_named_apart_is_the_one_of_the_backup(
    line: Run, data: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "secret").rename(home / "apart")
    monkeypatch.setenv("BRISK_SECRET_FILE", str(home / "apart"))
    assert line(f"brisk admin db backup b.gz --with-secret --data {data}").exit == 0
    monkeypatch.setenv("BRISK_SECRET_FILE", str(home / "there"))
    assert line("brisk admin db restore b.gz --data new").exit == 0
    assert (home / "there").read_text() == SECRET + "\n"
    assert not (home / "new" / "secret").exists()


@pytest.mark.parametrize("flags", ["", "--with-secret"])
def test_a_folder_with_another_secret_is_not_restored_into(
    line: Run, data: Path, home: Path, flags: str
) -> None:
    line(f"brisk admin db backup b.gz {flags} --data {data}")
    (home / "new").mkdir()
    (home / "new" / "secret").write_text("00" * 32)
    refused = line("brisk admin db restore b.gz --data new")
    assert refused.exit == 1
    assert "encrypted under another secret" in refused.stderr
    assert SECRET not in refused.stderr
    assert not (home / "new" / "store").exists()


def test_a_platform_that_runs_is_not_restored_into(line: Run, data: Path, home: Path) -> None:
    line(f"brisk admin db backup b.gz --data {data}")
    (home / "new").mkdir()
    with (home / "new" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = line("brisk admin db restore b.gz --data new")
    assert refused.exit == 1
    assert "in use by another platform" in refused.stderr


def test_promises_of_another_life_are_not_run_on_restored_stores(
    line: Run, data: Path, home: Path
) -> None:
    line(f"brisk admin db backup b.gz --data {data}")
    (home / "new" / "journal").mkdir(parents=True)
    (home / "new" / "journal" / "journal-00000001.log").write_text("promise")
    refused = line("brisk admin db restore b.gz --data new")
    assert refused.exit == 1
    assert "have not ended" in refused.stderr


def test_a_cluster_that_is_away_is_told(
    line: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRISK_COUCHDB__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("BRISK_COUCHDB__RETRY_S", "0")
    for typed in ("check", "backup b.gz"):
        refused = line(f"brisk admin db {typed} --cluster")
        assert refused.exit == 1
        assert "The database cannot be reached" in refused.stderr
    assert not (home / "b.gz").exists()


def test_a_check_that_finds_damage_ends_with_1(line: Run, data: Path) -> None:
    async def damage() -> None:
        stores = await SqliteStores.open(data / "store", StoreSettings(), SystemClock())
        await stores.entities.create(DocId("guest/odd"), {"entityType": "action"})
        await stores.blobs.put(b"orphan")
        await stores.close()

    asyncio.run(damage())
    found = line(f"brisk admin db check --data {shlex.quote(str(data))}")
    assert (found.exit, found.stderr) == (1, "")
    assert "action: guest/odd: cannot be read: KeyError" in found.stdout
    assert "fix: restore a backup" in found.stdout
    assert "\n- orphan: code: 1 pieces of code, 6 bytes" in found.stdout
    said = json.loads(line(f"brisk admin db check -o json --data {data}").stdout)
    assert said["sound"] is False
    assert said["numbers"] == {"action": 1, "orphan": 1}
    assert [(one["kind"], one["damage"]) for one in said["findings"]] == [
        ("action", True), ("orphan", False),
    ]  # fmt: skip


def test_a_thousand_findings_are_counted_and_some_are_shown() -> None:
    report = Report()
    for number in range(1000):
        report.add(Finding("record", f"guest/{number}", "is damaged"))
    shown = list(lines(report))
    assert len(shown) == MOST_SHOWN + 2
    assert shown[-2] == f"- record: and {1000 - MOST_SHOWN} more"
    assert report.numbers["record"] == 1000
