"""The nets of `conftest.py` catch what they are for; each is shown a test that must fail in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import ran

ROOT = Path(__file__).parents[2]

LEAKS_A_TASK = """
import asyncio
async def test_it():
    asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="forgotten")
"""
LEAKS_A_THREAD = """
import threading
done = threading.Event()
def test_it():
    threading.Thread(target=done.wait, args=(3,), name="forgotten").start()
"""
SKIPS = """
import pytest
def test_it():
    pytest.skip("no broker here")
"""
SKIPS_AT_IMPORT = """
import pytest
pytest.skip("no broker here", allow_module_level=True)
"""


def outcome(folder: Path, source: str, **environment: str) -> str:
    """Return what pytest prints about a test of that source, with our conftest in force."""
    (folder / "test_victim.py").write_text(source)
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    command += ["--rootdir", str(folder), str(folder)]
    inherited = {k: v for k, v in os.environ.items() if k != "BRISK_REQUIRE_SERVICES"}  # noqa: TID251
    done = subprocess.run(
        command,
        cwd=folder,
        env={**inherited, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [(LEAKS_A_TASK, "tasks outlived the test"), (LEAKS_A_THREAD, "threads outlived the test")],
)
def test_what_outlives_a_test_fails_it(tmp_path: Path, source: str, said: str) -> None:
    text = outcome(tmp_path, source)
    assert said in text
    assert "forgotten" in text


def test_the_end_of_a_run_tells_which_suite_ran_against_what() -> None:
    outcomes = [
        ("tests/contract/test_bus.py::test_a[memory]", "passed"),
        ("tests/contract/test_bus.py::test_b[memory-7]", "passed"),
        ("tests/contract/test_bus.py::test_a[broker]", "skipped"),
        ("tests/contract/test_runtime.py::test_a[frames-python]", "failed"),
        ("tests/contract/test_runtime.py::test_b[7]", "passed"),
        ("tests/unit/test_bus.py::test_a[memory]", "passed"),
    ]
    assert ran.lines(outcomes, {"memory", "broker", "python", "frames"}, width=1) == [
        "bus broker 1 skipped",
        "bus memory 2 passed",
        "runtime frames over python 1 failed",
    ]


@pytest.mark.parametrize("source", [SKIPS, SKIPS_AT_IMPORT])
def test_a_skip_fails_where_services_are_required(tmp_path: Path, source: str) -> None:
    assert "1 skipped" in outcome(tmp_path, source)
    required = outcome(tmp_path, source, BRISK_REQUIRE_SERVICES="1")
    assert "skipped where everything is required" in required
    assert "skipped in" not in required
