"""Programs as actions, from the command line to the record."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform

SKELETON = """#!/bin/sh
echo a line of the log
echo one of stderr >&2
printf '{"given": %s, "id": "%s"}\\n' "$1" "$__OW_ACTIVATION_ID"
"""
LOOP = """#!/usr/bin/env bash
count=0
while read -r line; do
  count=$((count + 1))
  echo "asked $count"
  sed "s/^/$count /" <<< "by a child" >&2
  printf '{"count": %s}\\n' "$count" >&3
done
"""


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def wsk(platform: RunningPlatform, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "--apihost", platform.url, "--auth",
         platform.auth],
        cwd=ROOT, env={"PATH": os.defpath, "WSK_CONFIG_FILE": "/dev/null"}, text=True, check=False,
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def texts(api: Api, activation: str) -> list[str]:
    """Return stream and text of each line of the log, without the time."""
    return [line[31:] for line in api.record(activation)["logs"]]


def test_a_script_is_run_by_native_as_in_a_skeleton(
    platform: RunningPlatform, api: Api, tmp_path: Path
) -> None:
    (tmp_path / "x.sh").write_text(SKELETON)
    wsk(platform, "action", "create", "x", str(tmp_path / "x.sh"), "--native")
    for _ in range(2):
        ended = api.invoke("x", {"a": "☃"})
        activation = ended.body["activationId"]
        assert ended.body["response"]["result"] == {"given": {"a": "☃"}, "id": activation}
        logs = texts(api, activation)
        assert sorted(logs) == ["stderr: one of stderr", "stdout: a line of the log"]
    assert api.call("GET", "actions/x").body["exec"]["image"] == "openwhisk/dockerskeleton"


def test_a_program_in_an_archive_stays_warm(
    platform: RunningPlatform, api: Api, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "loop.zip", "w") as archive:
        archive.writestr("exec", LOOP)
    file = str(tmp_path / "loop.zip")
    wsk(platform, "action", "create", "loop", file, "--kind", "native:default")
    for count in (1, 2, 3):
        ended = api.invoke("loop")
        assert ended.body["response"]["result"] == {"count": count}
        logs = texts(api, ended.body["activationId"])
        assert sorted(logs) == [f"stderr: {count} by a child", f"stdout: asked {count}"]


def test_what_is_no_program_is_a_developer_error_with_its_reason(
    platform: RunningPlatform, api: Api, tmp_path: Path
) -> None:
    (tmp_path / "no.sh").write_text("echo I have no first line\n")
    wsk(platform, "action", "create", "no", str(tmp_path / "no.sh"), "--kind", "native:default")
    ended = api.invoke("no")
    assert ended.body["response"]["status"] == "action developer error"
    expected = "The action failed to generate or locate a binary. See logs for details."
    assert ended.body["response"]["result"] == {"error": expected}
    assert "begins with #!" in texts(api, ended.body["activationId"])[0]


def test_a_program_that_ends_or_takes_too_long_is_told_apart(api: Api) -> None:
    for name, source, text in (
        ("ends", "#!/bin/sh\nread -r line\nexit 0\n", "command exited"),
        (
            "hangs",
            "#!/bin/sh\nread -r line\nsleep 60\n",
            "The action exceeded its time limits of 500 milliseconds.",
        ),
    ):
        document = {"exec": {"kind": "native:default", "code": source}, "limits": {"timeout": 500}}
        assert api.call("PUT", f"actions/{name}", document).status == 200
        ended = api.invoke(name)
        assert ended.body["response"]["status"] == "action developer error"
        assert ended.body["response"]["result"] == {"error": text}
