"""A start that cannot be says why in one line; a stop leaves nothing, and the next start finds all.

What a stop owes to calls that are under way: those that end in time are answered; who would have to
wait longer is answered 202; and each of them has a record.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.fakes.api import Answered, Api
from tests.fakes.embedded import (
    GUEST_AUTH,
    ROOT,
    RunningPlatform,
    running_platform,
    start,
    wait_ready,
)
from tests.fakes.traces import mounted_below, session_of, traces_of, wait_until

OTHER_AUTH = f"{'0' * 8}-0000-4000-8000-{'0' * 12}:{'k' * 64}"
SLEEPS = "import time\ndef main(a):\n time.sleep(a['s'])\n return a"
INTERRUPTED = "The platform stopped while this activation was running. It is not run a second time."
IN_TIME = {"BRISK_HTTP__DRAIN_S": "1"}
BUSY = 'brisk_pool_sandboxes{state="busy"}'


def refusal(process: "subprocess.Popen[str]") -> str:
    """Return why a start that must fail has failed; it says it in words, and ends with 1."""
    try:
        said, _ = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1, said
    assert "Traceback" not in said and "unexpectedly" not in said
    assert said.startswith("error: ")
    lines = said.removeprefix("error: ").splitlines()
    assert len(lines) <= 4 and lines[-1].startswith("fix: "), said
    return "\n".join(line for line in lines if not line.startswith(("why: ", "fix: ")))


def end(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> None:
    process.send_signal(number)
    try:
        said, _ = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said) == (0, "")


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a platform that has run and stopped."""
    with running_platform(tmp_path) as running:
        pass
    yield running.data


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(start(tmp_path / "data", port=port))
    assert said == (
        f"Port {port} of 127.0.0.1 is in use by another program; choose one with --port."
    )


def test_a_second_platform_on_the_same_folder_is_told_who_has_it(
    platform: RunningPlatform,
) -> None:
    said = refusal(start(platform.data))
    owner = platform.process.pid
    assert said == (
        f"The data folder {platform.data} is in use by another platform (process {owner})."
    )
    assert Api(platform.url, platform.auth).call("GET", "/ping").body == "pong"


def test_port_0_is_another_one_for_each_platform(platform: RunningPlatform, tmp_path: Path) -> None:
    with running_platform(tmp_path) as other:
        assert other.url != platform.url
        assert Api(other.url, other.auth).call("GET", "/ping").body == "pong"


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    said = refusal(start(tmp_path / "file"))
    assert said.startswith(f"The data folder {tmp_path}/file cannot be used: ")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.needs_root
def test_a_data_folder_on_a_disk_that_is_read_only(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o ro tmpfs {tmp_path} && exec "$@"'
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh"]
    said = refusal(start(tmp_path / "data", prefix=private))
    assert said.startswith(f"The data folder {tmp_path}/data cannot be used: ")
    assert "Read-only file system" in said


def test_a_key_of_the_file_of_settings_that_there_is_not(tmp_path: Path) -> None:
    file = tmp_path / "brisk.toml"
    file.write_text("[pool]\nmemory = 4096\n")
    said = refusal(start(tmp_path / "data", settings={"BRISK_SETTINGS": str(file)}))
    assert said == f"{file}: pool.memory is set, but there is no such setting."


@pytest.mark.parametrize("auth", ["", f"{GUEST_AUTH[:-1]}é"])
def test_a_malformed_key_is_refused_and_not_kept(tmp_path: Path, auth: str) -> None:
    said = refusal(start(tmp_path / "data", auth=auth))
    assert said == "The key must be a UUID, a colon, and 64 letters and digits."
    assert not (tmp_path / "data" / "guest.key").exists()


def test_another_key_than_the_guests(ended: Path) -> None:
    said = refusal(start(ended, auth=OTHER_AUTH))
    assert said.startswith(f"The guest of {ended} has another key: it is in {ended}/guest.key.")
    (ended / "guest.key").write_text(OTHER_AUTH)
    said = refusal(start(ended, auth=OTHER_AUTH))
    assert said == f"{ended}/guest.key does not hold the key of this folder's guest."


def test_settings_out_of_bounds_are_named(tmp_path: Path) -> None:
    wrong = {"BRISK_POOL__MEMORY_MB": "127", "BRISK_HTTP__DRAIN_S": "-1"}
    said = refusal(start(tmp_path / "data", settings=wrong))
    assert sorted(said.splitlines()) == [
        "BRISK_HTTP__DRAIN_S=-1 cannot be: it should be greater than or equal to 0.",
        "BRISK_POOL__MEMORY_MB=127 cannot be: it should be greater than or equal to 128.",
    ]
    assert not (tmp_path / "data").exists()


def test_the_property_file_is_written_where_there_is_none(platform: RunningPlatform) -> None:
    file = platform.data.parent / "wskprops"
    assert file.read_text() == f"APIHOST={platform.url}\nAUTH={GUEST_AUTH}\n"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("elsewhere", ["APIHOST=elsewhere\nAUTH=mine\n", None])
def test_what_to_type_is_said_where_the_property_file_is_not_ours(
    tmp_path: Path, elsewhere: str | None
) -> None:
    file = tmp_path / "no-such-folder" / "props" if elsewhere is None else tmp_path / "props"
    if elsewhere is not None:
        file.write_text(elsewhere)
    process = start(tmp_path / "data", settings={"WSK_CONFIG_FILE": str(file)})
    try:
        assert process.stdout
        ready = next(line for line in process.stdout if line.startswith("Brisk is ready"))
        assert " property set --apihost http://127.0.0.1:" in ready
        assert f'--auth "$(cat {tmp_path}/data/guest.key)"' in ready
    finally:
        end(process)
    assert file.exists() == (elsewhere is not None)
    assert elsewhere is None or file.read_text() == elsewhere


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_what_is_under_way_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    process = start(tmp_path / "data", settings=IN_TIME)
    api = Api(wait_ready(process), GUEST_AUTH)
    api.put_action("sleeps", SLEEPS)
    with ThreadPoolExecutor(3) as callers:
        calls = [callers.submit(api.invoke, "sleeps", {"s": s}) for s in (0.8, 60)]
        accepted = [api.call("POST", "actions/sleeps", {"s": s}) for s in (0.8, 60)]
        wait_until(lambda: api.metric(BUSY) == 4, "not all of them run")
        before = traces_of(process.pid)
        began_s = time.monotonic()
        end(process, number)
        assert time.monotonic() - began_s < 5.0
        soon, late = (call.result() for call in calls)
    assert (soon.status, soon.body["response"]["result"]) == (200, {"s": 0.8})
    assert late.status == 202
    wait_until(lambda: not before.left(), f"left behind: {before.left()}")
    assert mounted_below(tmp_path) == []

    process = start(tmp_path / "data")
    api = Api(wait_ready(process), GUEST_AUTH)
    try:
        _expect_records(api, succeeded=[soon, accepted[0]], interrupted=[late, accepted[1]])
        assert api.invoke("sleeps", {"s": 0}).status == 200
    finally:
        end(process)


def _expect_records(api: Api, *, succeeded: list[Answered], interrupted: list[Answered]) -> None:
    for answer in succeeded:
        assert api.record(answer.body["activationId"])["response"]["success"] is True
    for answer in interrupted:
        response = api.record(answer.body["activationId"])["response"]
        assert response["status"] == "whisk internal error"
        assert response["result"] == {"error": INTERRUPTED}


def _has_nobody(session: int) -> bool:
    return not session_of(session)


def test_a_start_may_be_stopped_at_any_moment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for moment_s in (0.3, 0.45, 0.6):
        process = start(data)
        time.sleep(moment_s)
        process.terminate()
        said, _ = process.communicate(timeout=15)
        # Before anything is begun the signal itself ends the process.
        assert process.returncode in (0, -signal.SIGTERM), said
        assert "Traceback" not in said
        wait_until(partial(_has_nobody, process.pid), "processes outlive the platform")
    with running_platform(tmp_path) as platform:
        Api(platform.url, platform.auth).put_action("a", SLEEPS)
        traces = traces_of(platform.process.pid)
    wait_until(lambda: not traces.left(), f"left behind: {traces.left()}")


def test_the_doctor_does_not_touch_a_platform_that_runs(tmp_path: Path) -> None:
    # Without stem cells its control group is empty, and would go with a careless look.
    with running_platform(tmp_path, settings={"BRISK_POOL__STEM_CELLS": "0"}) as platform:
        variables = {**os.environ, "BRISK_DATA": str(platform.data), "BRISK_HTTP__PORT": "0"}  # noqa: TID251
        doctor = [sys.executable, "-m", "cli", "doctor", "--json"]
        examined = subprocess.run(
            doctor, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=15
        )
        assert examined.returncode == 0, examined
        api = Api(platform.url, platform.auth)
        api.put_action("sleeps", SLEEPS)
        assert api.invoke("sleeps", {"s": 0}).status == 200
        assert [path.name for path in platform.data.glob("examined*")] == []


def test_a_killed_platform_takes_its_sandboxes_along_and_the_next_one_tidies_up(
    tmp_path: Path,
) -> None:
    process = start(tmp_path / "data")
    api = Api(wait_ready(process), GUEST_AUTH)
    api.put_action("sleeps", SLEEPS)
    accepted = api.call("POST", "actions/sleeps", {"s": 60})
    wait_until(lambda: api.metric(BUSY) == 1, "it does not run")
    before = traces_of(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=15)
    wait_until(
        lambda: not [each for each in before.left() if each.startswith("process")],
        f"sandboxes outlive the platform: {before.left()}",
    )
    with running_platform(tmp_path) as platform:
        _expect_records(Api(platform.url, platform.auth), succeeded=[], interrupted=[accepted])
        again = traces_of(platform.process.pid)
        assert again.groups <= before.groups or not before.groups
    wait_until(lambda: not again.left(), f"left behind: {again.left()}")
    wait_until(lambda: not before.left(), f"left behind: {before.left()}")
