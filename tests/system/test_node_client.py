"""OpenWhisk's own client for Node.js, as it is, makes each call that it has."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform

SCRIPT = Path(__file__).with_name("client_calls.js")
FETCH_S = 300.0
RUN_S = 120.0


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder of npm's modules."""
    if shutil.which("npm") is None:
        pytest.skip("needs Node.js and npm")
    done = subprocess.run(
        [ROOT / "deploy/dev/composer"], capture_output=True, text=True, timeout=FETCH_S, check=True
    )
    return Path(done.stdout.strip()).parent


def test_each_call_of_the_client_is_answered(platform: RunningPlatform, modules: Path) -> None:
    families = Api(platform.url, platform.auth).call("GET", "/").body["runtimes"]
    if "nodejs" not in families:
        pytest.skip("this host runs no Node.js in its sandboxes")
    clean = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}  # noqa: TID251
    done = subprocess.run(
        ["node", SCRIPT],
        env=clean
        | {"NODE_PATH": str(modules), "BRISK_URL": platform.url, "BRISK_AUTH": platform.auth},
        capture_output=True, text=True, timeout=RUN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    announced = re.findall(r"^  async '(.+)' \(\)", SCRIPT.read_text(), re.MULTILINE)
    assert done.stdout.splitlines() == announced
