"""A disk that is full, a database that somebody holds, a file that is damaged.

Who asks meanwhile is told so at once, nothing that was taken over is lost, and everything goes on
by itself when the disk does. A platform that cannot trust a file does not start, and names it.
"""

import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.append_log import framed
from tests.fakes.api import Answered, Api
from tests.fakes.disks import SmallDisk, small_disk
from tests.fakes.embedded import GUEST_AUTH, running_platform, start, wait_ready
from tests.fakes.traces import wait_until

UNAVAILABLE = (
    "The server is currently unavailable (because it is overloaded or down for maintenance)."
)
CORRUPTED = "Resource is corrupted and cannot be read."
PRINTS = "def main(a):\n print('x' * 9000)\n return {'done': True}"
SOON = {"BRISK_LIMITS__BLOCKING_WAIT_MS": "1000", "BRISK_HTTP__DRAIN_S": "1"}
PENDING = "brisk_store_pending_records"
BUSY = 'brisk_pool_sandboxes{state="busy"}'
PROMISED = "brisk_bus_journal_pending_messages"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path) as disk:
        yield disk


@contextmanager
def platform_on(disk: SmallDisk) -> Iterator[Api]:
    """Run a platform on *disk*; it has to stop well, full or not, and quietly."""
    process = start(disk.folder / "data", settings=SOON, prefix=disk.enter)
    try:
        yield Api(wait_ready(process), GUEST_AUTH)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=15)
        assert (process.returncode, said) == (0, "")
    finally:
        process.kill()
        process.communicate()


def is_unavailable(answer: Answered) -> bool:
    return answer.status == 503 and answer.body["error"] == UNAVAILABLE


def why(api: Api, dependency: str) -> str:
    answer = api.call("GET", "/healthz")
    assert answer.status == 200, "a platform that is degraded serves"
    return str(answer.body["dependencies"][dependency]["why"])


def ids(api: Api) -> set[str]:
    return {record["activationId"] for record in api.call("GET", "activations?limit=200").body}


@pytest.mark.needs_root
def test_a_full_disk_is_said_at_once_and_loses_nothing(disk: SmallDisk) -> None:
    with platform_on(disk) as api:
        api.put_action("prints", PRINTS)
        before = api.invoke("prints")
        disk.fill()
        first = api.invoke("prints")  # it runs, and its record has to wait
        assert is_unavailable(first)
        began_s = time.monotonic()
        with ThreadPoolExecutor(4) as callers:
            refused = [*callers.map(lambda _: api.invoke("prints"), range(20))]
        refused.append(api.call("POST", "actions/prints"))
        refused.append(api.call("PUT", "actions/more", {"exec": {"kind": "python:3", "code": "x"}}))
        assert time.monotonic() - began_s < 2.0
        assert all(map(is_unavailable, refused)), refused
        assert api.call("GET", "/invokers").body == {"invoker0/0": "unhealthy"}
        wait_until(lambda: "No space left" in why(api, "spool"), "nobody is told why")
        assert api.call("GET", "actions/prints").status == 200
        assert ids(api) == {before.body["activationId"]}

        disk.make_room()
        wait_until(lambda: api.invoke("prints").status == 200, "it does not recover")
        wait_until(lambda: api.metric(PENDING) == 0, "records stay in the spool")
        wait_until(lambda: why(api, "spool") == "", "nobody is told that it is over")
        # What was before, what waited for room, and the last one.
        assert len(ids(api)) == 3
        assert api.call("GET", "/api/brisk/v1/namespaces/_/usage").body["total"]["activations"] == 3


@pytest.mark.needs_root
def test_a_platform_stops_and_starts_on_a_full_disk(disk: SmallDisk) -> None:
    with platform_on(disk) as api:
        api.put_action("prints", PRINTS)
        kept = {api.invoke("prints").body["activationId"]}
        disk.fill()
    with platform_on(disk) as api:
        assert ids(api) == kept
        disk.fill()  # a stop gives back what was in the logs of the databases
        assert is_unavailable(api.call("POST", "actions/prints"))
    disk.make_room()
    with platform_on(disk) as api:
        kept.add(api.invoke("prints").body["activationId"])
        assert ids(api) == kept


def test_calls_go_on_while_somebody_holds_the_databases(tmp_path: Path) -> None:
    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("prints", PRINTS)
        answered = {api.invoke("prints").body["activationId"]}
        wait_until(lambda: api.metric(PENDING) == 0, "records stay in the spool")
        store = platform.data / "store"
        with held(store / "meta.db", *store.glob("activations/act-*.db")):
            began_s = time.monotonic()
            answered |= {api.invoke("prints").body["activationId"] for _ in range(5)}
            accepted = api.call("POST", "actions/prints")
            assert time.monotonic() - began_s < 1.0
            answered.add(accepted.body["activationId"])
            assert is_unavailable(
                api.call("PUT", "actions/prints?overwrite=true", {"version": "9"})
            )
            assert time.monotonic() - began_s < 3.0
            assert api.record(accepted.body["activationId"])["response"]["success"] is True
            assert ids(api) == answered
            assert api.metric(PENDING) == 6
        wait_until(lambda: api.metric(PENDING) == 0, "records stay in the spool")
        assert ids(api) == answered
        assert api.put_action("prints", PRINTS)["version"] == "0.0.2"


@contextmanager
def held(*files: Path) -> Iterator[None]:
    """Hold the write lock of SQLite files, as an operator's shell may."""
    connections = [sqlite3.connect(file, isolation_level=None) for file in files]
    try:
        for connection in connections:
            connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        for connection in connections:
            connection.close()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a platform that has stopped; its files are whole in themselves."""
    with running_platform(tmp_path_factory.mktemp("stopped")) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("prints", PRINTS)
        assert api.invoke("prints").status == 200
    return platform.data


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a platform that was killed with calls in its journal.

    Afterwards it starts again, finds what was promised, and tidies up what the kill left.
    """
    data: Path = tmp_path_factory.mktemp("killed") / "data"
    process = start(data, settings={"BRISK_POOL__MEMORY_MB": "256"})
    try:
        api = Api(wait_ready(process), GUEST_AUTH)
        api.put_action("sleeps", "import time\ndef main(a): time.sleep(30)")
        assert [api.call("POST", "actions/sleeps").status for _ in range(3)] == [202] * 3
        wait_until(lambda: has_begun(data), "none of them has begun")
    finally:
        process.kill()
        process.communicate()
    yield data
    with running_platform(data.parent, settings={"BRISK_HTTP__DRAIN_S": "0"}) as platform:
        api = Api(platform.url, platform.auth)
        wait_until(lambda: len(ids(api)) == 1, "what had begun has no record")
        assert api.metric(PROMISED) == 2


def has_begun(data: Path) -> bool:
    """Tell whether the journal says of an activation that its code may run from now on."""
    files = (data / "journal").iterdir()
    return any(re.search(rb" started [0-9]+\n", file.read_bytes()) for file in files)


def damage(file: Path, whole: bytes) -> bytes:
    """Change the beginning of a file, so that something sound stands behind it."""
    damaged = b"damaged" + whole[7:]
    file.write_bytes(damaged)
    return damaged


@pytest.mark.parametrize("name", ["store/meta.db", "secret"])
def test_a_damaged_file_of_a_stopped_platform_is_named(stopped: Path, name: str) -> None:
    expect_refusal(stopped / name, stopped, (stopped / name).read_bytes())


def test_a_damaged_journal_is_named(killed: Path) -> None:
    (file,) = killed.glob("journal/journal-*.log")
    expect_refusal(file, killed, file.read_bytes())


def test_a_damaged_spool_is_named(stopped: Path) -> None:
    file = stopped / "store" / "spool" / "spool-00000001.log"
    expect_refusal(file, stopped, 2 * framed(b"{}"))
    file.unlink()


def expect_refusal(file: Path, data: Path, whole: bytes) -> None:
    """Damage *file*, expect a start to name it and to leave it alone, and mend it."""
    damaged = damage(file, whole)
    process = start(data)
    try:
        said, _ = process.communicate(timeout=15)
        assert file.read_bytes() == damaged
    finally:
        process.kill()
        process.communicate()
        file.write_bytes(whole)
    assert process.returncode == 1
    assert said.startswith("error: ") and str(file) in said
    assert "Traceback" not in said and "unexpectedly" not in said


def test_a_damaged_day_of_records_costs_that_day_and_is_said(stopped: Path) -> None:
    (file,) = stopped.glob("store/activations/act-*.db")
    whole = file.read_bytes()
    damage(file, whole)
    process = start(stopped)
    try:
        api = Api(wait_ready(process), GUEST_AUTH)
        answer = api.invoke("prints")
        assert answer.status == 200
        assert api.record(answer.body["activationId"])["response"]["success"] is True
        corrupted = api.call("GET", "activations")
        assert (corrupted.status, corrupted.body["error"]) == (500, CORRUPTED)
        wait_until(lambda: f"{file} is damaged" in read(stopped / "brisk.log"), "nobody is told")
    finally:
        process.kill()
        process.communicate()
        file.write_bytes(whole)
    with running_platform(stopped.parent) as platform:
        api = Api(platform.url, platform.auth)
        assert answer.body["activationId"] in ids(api)
        assert len(ids(api)) == 2


def read(file: Path) -> str:
    return file.read_text()
