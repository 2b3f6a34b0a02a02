"""Completion: what a shell is given for a line that somebody is typing."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.program import complete
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

Press = Callable[[str], list[str]]


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Press:
    """Press the key at the end of a line; return the words that are proposed."""

    def pressed(typed: str) -> list[str]:
        program = typed.split(" ", 1)[0]
        monkeypatch.setenv(f"_{program.upper()}_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
        assert complete(program) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return [line.partition(",")[2] or line for line in printed.out.splitlines() if line]

    return pressed


def test_verbs_and_flags(press: Press, home: Path) -> None:
    assert {"action", "activation"} == {one for one in press("brisk act")}
    assert press("brisk action inv") == ["invoke"]
    assert press("brisk action invoke --bl") == ["--blocking"]
    assert press("wsk action get --out") == []
    assert press("brisk action get --out") == ["--output"]
    assert press("brisk action get x -o ") == ["json", "yaml", "table", "name"]


def test_names_are_those_of_the_server(press: Press, configured: Path, api: FakeApi) -> None:
    api.answer("GET actions", [{"namespace": "g", "name": "hello"},
                               {"namespace": "g/pk", "name": "in"}])  # fmt: skip
    api.answer("GET triggers", [{"namespace": "g", "name": "tr"}])
    api.answer("GET activations", [{"activationId": "1" * 32}])
    assert press("brisk action invoke ") == ["hello", "pk/in"]
    assert press("brisk action invoke -p k v he") == ["hello"]
    assert press("brisk action invoke -p k ") == []
    assert press("wsk rule create new ") == ["tr"]
    assert press("wsk rule create new tr p") == ["pk/in"]
    assert press("brisk activation logs ") == ["1" * 32]


def test_base_paths_verbs_and_actions_are_proposed(
    press: Press, configured: Path, api: FakeApi
) -> None:
    found = [{"value": {"apidoc": {"basePath": path}}} for path in ("/books", "/words")]
    api.answer("GET /api/v1/web/whisk.system/apimgmt/getApi.http", {"apis": found})
    api.answer("GET actions", [{"namespace": "g", "name": "hello"}])
    assert press("brisk api get /b") == ["/books"]
    assert press("wsk api delete ") == ["/books", "/words"]
    assert press("brisk api key create /w") == ["/words"]
    assert press("brisk api list /books /x p") == ["PUT", "POST", "PATCH"]
    assert press("brisk api create /books /x get ") == ["hello"]
    assert press("wsk api k") == []


def test_a_file_is_the_shell_s_to_find(press: Press, home: Path) -> None:
    assert press("brisk action create a hel") == ["hel"]
    assert press("brisk action create a -P par") == ["par"]


def test_commands_of_operators_are_completed(press: Press, home: Path) -> None:
    assert press("brisk admin db ba") == ["backup"]
    assert press("brisk admin db backup cop") == ["cop"]
    assert press("brisk admin db restore cop") == ["cop"]
    assert press("brisk admin db check -o ") == ["text", "json"]
    assert press("brisk admin db check --output j") == ["json"]
    assert press("brisk admin db check --data fol") == ["fol"]
    assert press("brisk admin budget set team --thr") == ["--throttle"]


def test_a_host_that_is_away_proposes_nothing(press: Press, home: Path) -> None:
    assert press("brisk action invoke ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_of_their_shell(line: Run, home: Path, shell: str, tmp_path: Path) -> None:
    printed = line(f"brisk completion {shell}")
    assert (printed.exit, printed.stderr) == (0, "")
    assert "_BRISK_COMPLETE" in printed.stdout
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(printed.stdout)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True, timeout=20)


def test_a_shell_that_is_not_known(line: Run, home: Path) -> None:
    refused = line("brisk completion tcsh")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr.endswith("fix: brisk completion bash\n")


def test_the_sdk_is_completion_for_bash(line: Run, home: Path) -> None:
    shown = line("wsk sdk install bashauto --stdout").stdout
    assert shown.startswith("# bash completion for wsk\n")
    made = line("wsk sdk install bashauto")
    assert made.stdout.splitlines()[0] == (
        "The bash auto-completion script (wsk_cli_bash_completion.sh) is installed in the "
        "current directory."
    )
    assert (home / "wsk_cli_bash_completion.sh").read_text() == shown
    again = line("wsk sdk install bashauto")
    assert again.exit == 1
    assert "already exists.  Delete it and retry." in again.stderr


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (
            "foo",
            "The SDK component argument 'foo' is invalid. Valid components are docker, ios and",
        ),
        (
            "",
            "The SDK component argument is missing. One component (docker, ios, or bashauto) must",
        ),
        ("docker", "This platform has no SDK component 'docker'."),
    ],
)
def test_other_components(line: Run, home: Path, typed: str, text: str) -> None:
    refused = line(f"wsk sdk install {typed}")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"error: {text}")
