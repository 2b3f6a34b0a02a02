"""`brisk dev` as a process of its own: it starts a platform, stores each save, and shows logs."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform
from tests.fakes.wheels import write_wheel

TOLD_S: Final = 30.0
STOP_S: Final = 30.0


class Dev:
    """A `brisk dev` that runs; its output is read line by line."""

    def __init__(self, folder: Path, *typed: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", "dev", *typed],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "WSK_CONFIG_FILE": str(folder / "props"),  # noqa: TID251
                 "XDG_CACHE_HOME": str(folder / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    def told(self, text: str) -> str:
        """Return the next line that holds *text*."""
        assert self.process.stdout
        said: list[str] = []
        late = threading.Timer(TOLD_S, self.process.kill)
        late.start()
        try:
            for line in self.process.stdout:
                said.append(line)
                if text in line:
                    return line.rstrip("\n")
        finally:
            late.cancel()
        raise AssertionError(f"it never said {text!r}:\n" + "".join(said))

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        """Return the exit code, once it has ended by itself."""
        code = self.process.wait(STOP_S)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def test_a_file_from_nothing_to_its_logs(folder: Path) -> None:
    """No platform runs, none is configured: one command starts it and leaves nothing running."""
    (folder / "hello.py").write_text("def main(args):\n    print('said')\n    return {'n': 1}\n")
    dev = Dev(folder, "hello.py", "--port", "0", "--data", str(folder / "data"), "-p", "who", "me")
    try:
        assert "0.0.1 · python:3." in dev.told("ok: hello")
        curl = dev.told("curl -u ")
        key = (folder / "data" / "guest.key").read_text().strip()
        assert key not in curl, "a key is not shown"
        dev.told("watching hello.py")
        answer = subprocess.run(
            ["/bin/sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True
        )
        assert answer.stdout == '{"n":1}'
        dev.told("success")
        assert dev.told("said") == "  said"

        (folder / "hello.py").write_text("def main(:\n")
        assert dev.told("error") == "error: hello.py:1: invalid syntax"
        (folder / "hello.py").write_text("def main(args):\n    return {'n': args['who']}\n")
        assert "0.0.2" in dev.told("ok: hello")
        url = curl.rpartition("'http")[2].partition("/api")[0]
        assert Api(f"http{url}", key).invoke("hello").body["response"]["result"] == {"n": "me"}
    finally:
        code = dev.end()
    assert code == 0
    with pytest.raises(OSError, match="refused"):
        Api(f"http{url}", key).call("GET", "/api/v1")


def test_a_folder_with_its_packages_at_the_platform_that_runs(
    folder: Path, platform: RunningPlatform
) -> None:
    (folder / "props").write_text(f"APIHOST={platform.url}\nAUTH={platform.auth}\n")
    app = folder / "app"
    app.mkdir()
    (app / "requirements.txt").write_text(f"{write_wheel(folder, 'tiny', 'VALUE = 7')}\n")
    (app / "part.py").write_text("OWN = 1\n")
    (app / "__main__.py").write_text(
        "import part, tiny\ndef main(args):\n    return {'v': tiny.VALUE + part.OWN}\n"
    )
    api = Api(platform.url, platform.auth)
    dev = Dev(folder, "app")
    try:
        dev.told("resolving requirements.txt")
        dev.told("watching app")
        assert api.invoke("app").body["response"]["result"] == {"v": 8}
        (app / "part.py").write_text("OWN = 2\n")
        assert "0.0.2" in dev.told("ok: app"), "nothing is resolved again"
        assert api.invoke("app").body["response"]["result"] == {"v": 9}
    finally:
        assert dev.end() == 0
    assert api.call("GET", "/api/v1").status == 200, "what was there before stays"


@pytest.mark.parametrize(
    ("typed", "error", "fix"),
    [
        ("helo.py", "is not a valid file or it does not exist", "brisk dev hello.py"),
        ("empty", "has nothing to call", "add empty/__main__.py with a function main"),
        (
            "notes.txt",
            "'.txt' is not a supported action runtime",
            "brisk dev notes.txt --kind python:default",
        ),
    ],
)
def test_what_cannot_be_watched_ends_at_once(
    folder: Path, typed: str, error: str, fix: str
) -> None:
    (folder / "hello.py").write_text("")
    (folder / "notes.txt").write_text("")
    (folder / "empty").mkdir()
    dev = Dev(folder, typed)
    assert error in dev.told("error")
    assert fix in dev.told("fix")
    assert dev.ended() == 2
