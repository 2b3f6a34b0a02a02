"""A command line in a folder of its own, with a property file that leads to a fake API host."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.program import run
from tests.fakes.rest import FakeApi, fake_api


@dataclass(frozen=True)
class Outcome:
    exit: int
    stdout: str
    stderr: str


Run = Callable[[str], Outcome]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as served:
        yield served


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and no property file."""
    for name in (
        *("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"),
        *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def configured(home: Path, api: FakeApi) -> Path:
    (home / "wskprops").write_text(f"APIHOST={api.url}\nAUTH=uuid:key\n")
    return home


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one line; its first word is the name of the program."""

    def typed(text: str) -> Outcome:
        program, *words = shlex.split(text)
        code = run(program, words)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return typed
