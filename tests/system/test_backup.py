"""A platform is backed up, lost, and restored; and everything it promised is still so."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.system.packages import PACKAGES
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH, ROOT, running_platform

USAGE = "/api/brisk/v1/namespaces/_/usage?by=hour"
NONE: Mapping[str, str] = {}
SYSTEM = sum(1 + len(each.actions) for each in PACKAGES)
"""Entities that each platform is born with."""
LONG = "def main(a):\n  return {'n': a.get('n', 0) + 1}\n#" + "x" * 40_000


def admin(*words: str, fails: bool = False, settings: Mapping[str, str] = NONE) -> Any:
    """Run `brisk admin db … -o json`; return what it says, or its complaint."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
    done = subprocess.run(
        [sys.executable, "-m", "cli", "admin", "db", *words, "-o", "json"],
        cwd=ROOT, env=clean | dict(settings),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if fails else 0), done.stdout + done.stderr
    return done.stderr if fails else json.loads(done.stdout)


def used(api: Api) -> Any:
    return api.call("GET", USAGE).body["total"]


def activations(api: Api) -> list[Any]:
    found = api.call("GET", "activations?limit=200&docs=true").body
    return sorted(found, key=lambda each: str(each["activationId"]))


@contextmanager
def couchdb() -> Iterator[dict[str, str]]:
    """Start the double of CouchDB, and give the settings that lead to it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.couchfake", "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        with process.stdout:
            yield {"BRISK_COUCHDB__URL": process.stdout.readline().strip()}
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("over_a_cluster", [False, True], ids=["embedded", "over_couchdb"])
def test_what_was_wiped_comes_back_with_its_bill(tmp_path: Path, over_a_cluster: bool) -> None:
    file = str(tmp_path / "night.gz")
    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("hello", "def main(a):\n  print('said')\n  return {'hi': 1}")
        api.put_action("long", LONG)
        for number in range(20):
            assert api.invoke("long", {"n": number}).body["response"]["result"] == {"n": number + 1}
            api.invoke("hello")
        assert admin("check", "--data", str(platform.data))["sound"]
        before, bill = activations(api), used(api)
    said = admin("backup", file, "--with-secret", "--data", str(platform.data))
    assert said["counts"] == {
        "subjects": 3,
        "entities": SYSTEM + 2,
        "code": 1,
        "records": 40,
        "closed": 0,
    }
    shutil.rmtree(platform.data)
    if over_a_cluster:
        with couchdb() as settings:
            assert (
                admin("restore", file, "--cluster", settings=settings)["counts"] == said["counts"]
            )
            assert admin("check", "--cluster", settings=settings)["sound"]
            again = f"are not empty: 3 subjects, {SYSTEM + 2} entities, 1 code, 40 records"
            assert again in admin("restore", file, "--cluster", fails=True, settings=settings)
            secret = tmp_path / "secret"
            admin("restore", file, "--data", str(secret))
            other = str(tmp_path / "cluster.gz")
            admin(
                "backup", other, "--cluster", "--with-secret",
                settings=settings | {"BRISK_DATA": str(secret)},
            )  # fmt: skip
            file = other

    admin("restore", file, "--data", str(platform.data))

    with running_platform(tmp_path) as restored:
        api = Api(restored.url, GUEST_AUTH)
        assert (activations(api), used(api)) == (before, bill)
        assert api.invoke("long", {"n": 1}).body["response"]["result"] == {"n": 2}
        assert used(api)["activations"] == bill["activations"] + 1
        assert admin("check", "--data", str(restored.data))["sound"]


@pytest.mark.kafka
def test_a_cluster_that_runs_is_backed_up_and_goes_on_as_an_embedded_platform(
    tmp_path: Path,
) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    file = str(tmp_path / "cluster.gz")
    with running_cluster(tmp_path, invokers=1) as cluster:
        api = cluster.api
        api.put_action("long", LONG)
        for number in range(10):
            assert api.invoke("long", {"n": number}).body["response"]["result"] == {"n": number + 1}
        wait_until(lambda: used(api)["activations"] == 10, cluster.logs)
        settings = cluster.controller.environment
        assert admin("check", "--cluster", settings=settings)["sound"]
        counts = admin("backup", file, "--cluster", "--with-secret", settings=settings)["counts"]
        assert counts == {
            "subjects": 3,
            "entities": SYSTEM + 1,
            "code": 1,
            "records": 10,
            "closed": 0,
        }
        assert "are not empty" in admin("restore", file, "--cluster", fails=True, settings=settings)
        before, bill = activations(api), used(api)

    admin("restore", file, "--data", str(tmp_path / "data"))

    with running_platform(tmp_path) as restored:
        api = Api(restored.url, GUEST_AUTH)
        assert (activations(api), used(api)) == (before, bill)
        assert api.invoke("long", {"n": 1}).body["response"]["result"] == {"n": 2}


@pytest.mark.timeout(180)  # a dozen commands, each a process beside one that is kept busy
def test_a_backup_beside_a_platform_under_load_is_of_one_moment(tmp_path: Path) -> None:
    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("hello", "def main(a): return {}")
        done = threading.Event()

        def keep_busy(number: int) -> None:
            own = Api(platform.url, platform.auth)
            while not done.is_set():
                own.invoke("hello")
                own.put_action(f"a{number}", LONG + str(number))

        threads = [threading.Thread(target=keep_busy, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(2):
                file = str(tmp_path / f"{number}.gz")
                earliest = used(api)["activations"]
                counts = admin("backup", file, "--data", str(platform.data))["counts"]
                assert earliest <= counts["records"] <= used(api)["activations"] + len(threads)
                target = str(tmp_path / f"restored{number}")
                admin("restore", file, "--data", target)
                assert admin("check", "--data", target)["sound"]
                assert admin("check", "--data", str(platform.data))["sound"]
        finally:
            done.set()
            for thread in threads:
                thread.join()
        refused = admin("restore", str(tmp_path / "0.gz"), "--data", str(platform.data), fails=True)
        assert "in use by another platform" in refused


def test_a_restore_that_is_killed_keeps_the_platform_from_starting(tmp_path: Path) -> None:
    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("hello", "def main(a): return {}")
        for _ in range(5):
            api.invoke("hello")
    file, target = str(tmp_path / "b.gz"), tmp_path / "new" / "data"
    admin("backup", file, "--with-secret", "--data", str(platform.data))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "restore", file, "--data", str(target)],
        cwd=ROOT, timeout=60, check=False, capture_output=True,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    serve = subprocess.run(
        [sys.executable, "-m", "cli", "serve", "--port", "0", "--data", str(target)],
        cwd=ROOT, timeout=60, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert serve.returncode == 1
    assert "The restore of b.gz into these stores has not ended." in serve.stderr

    admin("restore", file, "--data", str(target))
    with running_platform(tmp_path / "new") as restored:
        assert used(Api(restored.url, GUEST_AUTH))["activations"] == 5


def test_a_disk_that_is_full_ends_a_restore_which_can_be_done_again(tmp_path: Path) -> None:
    with running_platform(tmp_path) as platform:
        api = Api(platform.url, platform.auth)
        for number in range(8):
            api.put_action(f"long{number}", LONG + str(number))
    file, target = str(tmp_path / "b.gz"), str(tmp_path / "new")
    admin("backup", file, "--data", str(platform.data))
    full = subprocess.run(
        [sys.executable, "-c", FULL, "restore", file, "--data", target],
        cwd=ROOT, timeout=60, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (full.returncode, full.stdout) == (1, "")
    assert "cannot be used now" in full.stderr
    assert "has not ended" in admin("backup", str(tmp_path / "no"), "--data", target, fails=True)
    assert admin("restore", file, "--data", target)["counts"]["code"] == 8


FULL = """
import resource, sys
from cli.program import run
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
sys.exit(run("brisk", ["admin", "db", *sys.argv[1:]]))
"""
KILLED = """
import os, signal, sys
from cli.program import run
from common.store.sqlite_intake import SqliteIntake

async def killed(self):
    os.kill(os.getpid(), signal.SIGKILL)

SqliteIntake.end = killed
run("brisk", ["admin", "db", *sys.argv[1:]])
"""
