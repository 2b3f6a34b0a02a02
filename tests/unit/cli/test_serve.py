import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.cli.conftest import Run


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the platform was started with; it ends at once, with 7."""
    calls: list[tuple[object, ...]] = []

    def serve(*given: object) -> int:
        calls.append(given)
        return 7

    platform = ModuleType("cli.standalone")
    platform.__dict__["serve"] = serve
    monkeypatch.setitem(sys.modules, "cli.standalone", platform)
    return calls


def test_flags_reach_the_platform_and_its_exit_code_ours(
    line: Run, home: Path, served: list[tuple[object, ...]]
) -> None:
    assert line("brisk serve --host 0.0.0.0 --port 0 --data d --auth u:k").exit == 7
    assert line("brisk serve").exit == 7
    assert served == [("0.0.0.0", 0, Path("d"), "u:k"), (None, None, None, None)]


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("--port 70000", "error: There is no port 70000: a port is a number from 0 to 65535."),
        ("--port x", 'invalid argument "x" for "--port" flag: strconv.ParseInt: parsing "x"'),
        ("now", "error: Invalid argument(s): now. No arguments are required."),
    ],
)
def test_what_cannot_be_served(
    line: Run, home: Path, served: list[tuple[object, ...]], typed: str, text: str
) -> None:
    refused = line(f"brisk serve {typed}")
    assert refused.exit == 1
    assert text in refused.stderr.splitlines()[0]
    assert served == []
