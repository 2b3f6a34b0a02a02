"""Only a process that is still the recorded one is ended."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from invoker.driver.process import records


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_recorded_process_is_ended(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    records.write(tmp_path, process.pid)

    assert records.end_all(tmp_path) == [f"zygote {process.pid}"]

    assert process.wait(5) == -9
    assert records.end_all(tmp_path) == []


def test_a_process_that_has_only_its_pid_is_left_alone(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    records.write(tmp_path, process.pid)
    (tmp_path / "zygotes" / str(process.pid)).write_text("an earlier boot 4711")

    assert records.end_all(tmp_path) == []

    assert process.poll() is None


def test_an_ended_process_is_forgotten(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    records.write(tmp_path, process.pid)
    records.remove(tmp_path, process.pid)

    assert records.end_all(tmp_path) == []
    assert process.poll() is None
