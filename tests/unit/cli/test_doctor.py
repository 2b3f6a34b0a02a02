import dataclasses
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cli.commands.doctor import Check, lines, of_network, unbindable, unwritable
from cli.jsontext import decode
from common.errors import BriskError
from invoker.driver.port import Ability, Degradation, DriverReport, Level
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

GOOD = DriverReport(
    driver="process",
    level=Level.NAMESPACES,
    abilities=frozenset({Ability.EGRESS}),
    kinds={"python:3.11": "/usr/bin/python3"},
)
Examine = Callable[[], DriverReport]


@pytest.fixture
def host(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Examine], None]:
    """Pretend that the driver finds what it is told to find, on a host with a free port."""
    monkeypatch.setenv("BRISK_DATA", str(home / "data"))
    monkeypatch.setenv("BRISK_HTTP__PORT", "0")

    def finds(examine: Examine) -> None:
        platform = ModuleType("cli.standalone")
        platform.__dict__["examine"] = lambda settings: examine()
        monkeypatch.setitem(sys.modules, "cli.standalone", platform)

    finds(lambda: GOOD)
    return finds


pytestmark = pytest.mark.usefixtures("host")


def test_a_host_where_the_platform_can_run(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET /api/v1", {"api_version": "1.0.0"})
    api.answer("GET /api/v1/namespaces", ["guest"])
    shown = line("brisk doctor")
    assert (shown.exit, shown.stderr) == (0, "")
    assert {row[0] for row in shown.stdout.splitlines()} == {"✓"}
    assert "process, isolation: namespaces" in shown.stdout
    assert "opens guest" in shown.stdout
    assert not (configured / "data").exists()


def test_nobody_has_to_answer_before_the_first_start(line: Run, home: Path) -> None:
    shown = line("brisk doctor")
    assert shown.exit == 0
    assert "✗ API host" in shown.stdout
    assert "fix: brisk serve" in shown.stdout


def test_a_key_that_opens_nothing(line: Run, api: FakeApi, configured: Path) -> None:
    api.answer("GET /api/v1", {})
    api.refuse("GET /api/v1/namespaces", 401, "The supplied authentication is invalid")
    shown = line("brisk doctor")
    assert shown.exit == 0
    assert "✗ key" in shown.stdout
    assert "fix: brisk property set --auth UUID:KEY" in shown.stdout


def test_what_the_host_lacks_is_told_with_its_remedy(
    line: Run, home: Path, host: Callable[[Examine], None]
) -> None:
    lack = Degradation("no CPU limit", "cgroups cannot be written", "run it as root")
    report = DriverReport(
        driver="process",
        level=Level.NAMESPACES,
        abilities=frozenset(),
        kinds=GOOD.kinds,
        degradations=(lack,),
    )
    host(lambda: report)
    shown = line("brisk doctor")
    assert shown.exit == 0
    assert "no CPU limit: cgroups cannot be written\n" in shown.stdout
    assert "fix: run it as root\n" in shown.stdout


def test_what_functions_would_reach_is_told() -> None:
    bare = dataclasses.replace(GOOD, abilities=frozenset())
    assert of_network(GOOD, "egress").found.startswith("egress: ")
    assert of_network(bare, "none").passed
    assert of_network(bare, "host").passed
    lent = of_network(bare, "egress")
    assert not lent.passed
    assert "this host's while there is one namespace" in lent.found
    assert "BRISK_SANDBOX__NETWORK=none" in lent.remedy


def test_a_host_without_isolation_cannot_run_it_unless_told_to(
    line: Run, home: Path, host: Callable[[Examine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = DriverReport(driver="process", level=Level(0), abilities=frozenset(), kinds=GOOD.kinds)
    host(lambda: bare)
    shown = line("brisk doctor")
    assert shown.exit == 1
    assert "fix: BRISK_SANDBOX__ALLOW_UNISOLATED=true" in shown.stdout
    monkeypatch.setenv("BRISK_SANDBOX__ALLOW_UNISOLATED", "true")
    assert line("brisk doctor").exit == 0


def test_a_driver_that_cannot_look(line: Run, home: Path, host: Callable[[Examine], None]) -> None:
    def examine() -> DriverReport:
        raise BriskError("no kernel")

    host(examine)
    shown = line("brisk doctor --json")
    assert shown.exit == 1
    answer = decode(shown.stdout)
    assert answer["can_run"] is False
    assert [one["found"] for one in answer["checks"] if one["check"] == "sandbox"] == ["no kernel"]


def test_a_setting_out_of_bounds_is_named(
    line: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRISK_POOL__MEMORY_MB", "5")
    refused = line("brisk doctor")
    assert refused.exit == 1
    assert refused.stderr.startswith("error: BRISK_POOL__MEMORY_MB=5 cannot be: it should be ")


def test_a_port_that_is_taken(
    line: Run, home: Path, monkeypatch: pytest.MonkeyPatch, api: FakeApi
) -> None:
    port = api.url.rpartition(":")[2]
    monkeypatch.setenv("BRISK_HTTP__PORT", port)
    stranger = line("brisk doctor")
    assert stranger.exit == 1
    assert "address already in use" in stranger.stdout
    api.answer("GET /api/v1", {"api_version": "1.0.0"})
    assert "is served already" in line("brisk doctor").stdout


def test_a_port_is_free_or_says_why_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert unbindable("127.0.0.1", port) == "address already in use"
    assert unbindable("127.0.0.1", 0) == ""


def test_a_folder_is_looked_at_without_being_made(tmp_path: Path) -> None:
    assert unwritable(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert unwritable(tmp_path / "file" / "x") == f"{tmp_path / 'file'} is not a folder"


def test_signs_are_ascii_where_the_terminal_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cli.commands.doctor.marks", lambda: ("+", "x"))
    checks = [Check("one", True, "well", "unused"), Check("second", False, "ill", "mend it")]
    assert list(lines(checks)) == [
        "+ one     well",
        "x second  ill",
        "          fix: mend it",
    ]
