"""Whose fault it is that a container did not start, by what engines say."""

import pytest

from invoker.driver.docker import faults
from invoker.driver.port import ImageNotExecutable, ImageNotRun, ImageUnusable

RUNC = (
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
    "container process: "
)
OLD_RUNC = "OCI runtime create failed: container_linux.go:380: starting container process caused: "


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (RUNC + 'exec: "/nowhere": stat /nowhere: no such file or directory: unknown',
         ImageNotExecutable),
        (RUNC + 'exec: "nowhere": executable file not found in $PATH: unknown', ImageNotExecutable),
        (OLD_RUNC + 'exec: "x": executable file not found in $PATH: unknown', ImageNotExecutable),
        (RUNC + 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory: unknown',
         ImageNotExecutable),
        (RUNC + 'exec: "/etc": permission denied: unknown', ImageNotRun),
        ("unable to find user nobodyatall: no matching entries in passwd file", ImageNotRun),
        ("Cannot mkdir: /etc/passwd is not a directory", ImageNotRun),
        ("No command specified", ImageNotRun),
        ("mkdir /sys/fs/cgroup/docker: no such file or directory: unknown", None),
        ("driver failed programming external connectivity: permission denied", None),
        ("no space left on device", None),
    ],
)  # fmt: skip
def test_what_the_engine_says(message: str, expected: type[ImageUnusable] | None) -> None:
    fault = faults.of_start("somebody/image", message)
    assert (None if fault is None else type(fault)) is expected


def test_the_words_are_those_of_openwhisk() -> None:
    found = faults.of_start("a/b", RUNC + 'exec: "x": executable file not found in $PATH: unknown')
    denied = faults.of_start("a/b", RUNC + 'exec: "/etc": permission denied: unknown')
    assert found and denied
    assert str(found) == "executable file not found in image a/b"
    assert found.why == "its program can't be started: x: executable file not found in $PATH"
    assert str(denied) == "Failed to run container with image 'a/b'."
