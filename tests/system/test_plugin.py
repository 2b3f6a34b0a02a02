"""The plugin for pytest, as its users have it: found by its entry point, in a pytest of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "data" / "plugin_example.py"
RUN_S = 55.0


def test_a_suite_on_the_whole_platform_in_its_own_process(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(EXAMPLE.read_text())
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "--timeout", "40", str(tmp_path)],
        cwd=tmp_path,
        env=clean | {"WSK_CONFIG_FILE": ""},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert re.search(r"^6 passed", done.stdout, re.M), done.stdout + done.stderr


def test_a_suite_without_it_pays_nothing_for_it(tmp_path: Path) -> None:
    program = (
        "import sys, cli.testing; print(not {'pydantic', 'aiohttp', 'controller', 'invoker',"
        " 'http.client'}.intersection(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "True\n"
