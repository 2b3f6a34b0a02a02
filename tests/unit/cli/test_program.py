import io
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cli.client import Client
from cli.console import styled
from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

HELP_CPU_S = 0.15
MODULES = "import sys; from cli.program import run; run('brisk', {argv}); print(*sys.modules)"


@pytest.mark.parametrize("typed", ["", "--help", "-h", "help"])
def test_help_lists_the_commands(line: Run, home: Path, typed: str) -> None:
    shown = line(f"wsk {typed}")
    assert (shown.exit, shown.stderr) == (0, "")
    for noun in ("action", "activation", "property", "namespace", "serve", "usage"):
        assert f"\n  {noun} " in shown.stdout
    assert shown.stdout.startswith("Usage: wsk ")


@pytest.mark.parametrize("typed", ["action create --help", "help action create"])
def test_help_of_a_command_names_its_words_and_flags(line: Run, home: Path, typed: str) -> None:
    shown = line(f"wsk {typed}")
    assert (shown.exit, shown.stderr) == (0, "")
    assert "wsk action create [OPTIONS] NAME [FILE]" in shown.stdout
    for flag in ("--param KEY VALUE", "--annotation-file FILE", "--kind KIND", "--insecure"):
        assert flag in shown.stdout


def test_an_unknown_command(line: Run, home: Path) -> None:
    refused = line("wsk nosuch")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr == (
        'Error: unknown command "nosuch" for "wsk"\n'
        "Run 'wsk --help' for usage.\n"
        'unknown command "nosuch" for "wsk"\n'
    )
    assert line("brisk actoin list").stderr.endswith("\nfix: brisk action list\n")


@pytest.mark.parametrize("typed", ["wsk action", "wsk action nosuch", "brisk action"])
def test_a_noun_without_a_verb_of_its_own_shows_its_help(line: Run, home: Path, typed: str) -> None:
    shown = line(typed)
    assert (shown.exit, shown.stderr) == (0, "")
    assert "\n  invoke " in shown.stdout


def test_brisk_does_not_take_an_unknown_verb_for_success(line: Run, home: Path) -> None:
    refused = line("brisk action invok")
    assert (refused.exit, refused.stdout) == (1, "")
    assert refused.stderr.endswith("\nfix: brisk action invoke\n")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("property set --namespace x", "unknown flag: --namespace"),
        ("property unset --namespace", "unknown flag: --namespace"),
        ("action list --nosuch=1", "unknown flag: --nosuch"),
        ("--nosuch", "Error: unknown flag: --nosuch\nunknown flag: --nosuch"),
        ("action list -z", "unknown shorthand flag: 'z' in -z"),
        ("action list --limit", "flag needs an argument: --limit"),
        ("action list -l", "flag needs an argument: 'l' in -l"),
        (
            "action list --limit x",
            'invalid argument "x" for "-l, --limit" flag: '
            'strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (
            f"action create a -t {1 << 63}",
            f'invalid argument "{1 << 63}" for "-t, --timeout" flag: '
            f'strconv.ParseInt: parsing "{1 << 63}": value out of range',
        ),
    ],
)
def test_a_line_that_cannot_be_read(line: Run, home: Path, typed: str, text: str) -> None:
    refused = line(f"wsk {typed}")
    assert (refused.exit, refused.stdout, refused.stderr) == (1, "", f"{text}\n")


def test_brisk_proposes_the_flag_that_was_meant(line: Run, home: Path) -> None:
    refused = line("brisk action get x --sumary")
    assert refused.stderr == "error: unknown flag: --sumary\nfix: brisk action get x --summary\n"


@pytest.mark.parametrize(
    ("typed", "fix"),
    [
        ("action get helo", "brisk action get hello"),
        ("action invoke /_/helo -r -p n 1", "brisk action invoke /_/hello -r -p n 1"),
        ("action get helo --auth u:k", "brisk action get hello --auth UUID:KEY"),
        ("trigger fire unlike", "brisk trigger list"),
        ("rule delete r", "brisk rule create --help"),
    ],
)
def test_brisk_proposes_the_name_that_was_meant(
    line: Run, configured: Path, api: FakeApi, typed: str, fix: str
) -> None:
    api.answer("GET actions?limit", [{"name": "hello"}, {"name": "other"}])
    api.answer("GET triggers?limit", [{"name": "every-day"}])
    api.answer("GET rules?limit", [])
    refused = line(f"brisk {typed}")
    assert refused.exit == 148
    assert refused.stderr.splitlines()[-1] == f"fix: {fix}"
    assert "fix" not in line(f"wsk {typed}").stderr


def test_an_error_has_four_lines_at_most_and_one_for_programs(line: Run, home: Path) -> None:
    refused = line("brisk action list")
    assert refused.stderr.splitlines() == [
        "error: The API host is not valid: An API host must be provided.",
        "why: no --apihost, no WHISK_APIHOST, no APIHOST in the property file",
        "fix: brisk serve",
    ]
    [told] = line("brisk action list -o json").stderr.splitlines()
    assert decode(told)["exit"] == 1
    assert decode(told)["fix"].startswith("brisk serve")


def test_no_host(line: Run, home: Path) -> None:
    refused = line("wsk action list")
    assert refused.exit == 1
    assert refused.stderr == (
        "error: The API host is not valid: An API host must be provided.\n\n"
        "Run 'wsk --help' for usage.\n"
    )


@pytest.mark.parametrize("typed", [["--help"], ["action", "create", "--help"]])
def test_help_costs_little(home: Path, typed: list[str]) -> None:
    """CPU time, not time by the clock; of some runs, for others use the machine too."""
    root = Path(__file__).parents[3]
    spent_s = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "cli", *typed], cwd=root, check=True,
                       timeout=20, stdout=subprocess.DEVNULL)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if spent_s[-1] <= HELP_CPU_S:
            return
    raise AssertionError(spent_s)


@pytest.mark.parametrize(
    ("argv", "heavy"),
    [
        (["--help"], ("http.client", "ssl", "cli.commands", "pydantic", "aiohttp", "asyncio")),
        (["action", "--help"], ("http.client", "ssl", "pydantic", "aiohttp", "asyncio")),
        (["action", "list"], ("pydantic", "aiohttp", "asyncio", "orjson", "controller")),
    ],
)
def test_a_command_imports_only_what_it_needs(
    home: Path, argv: list[str], heavy: tuple[str, ...]
) -> None:
    root = Path(__file__).parents[3]
    program = f"import sys; sys.path.insert(0, {str(root)!r})\n" + MODULES.format(argv=argv)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    loaded = done.stdout.splitlines()[-1].split()
    assert not set(heavy).intersection(loaded)


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("from cli.__main__ import wsk; wsk()", 'Error: unknown command "nosuch" for "wsk"\n'),
        ("", 'error: unknown command "nosuch" for "brisk"\n'),
    ],
)
def test_both_names_as_real_programs(home: Path, start: str, first: str) -> None:
    root = Path(__file__).parents[3]
    how = ["-c", start] if start else ["-m", "cli"]
    done = subprocess.run(
        [sys.executable, *how, "nosuch"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        cwd=root,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(first)


def test_who_stops_reading_is_no_error(home: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m cli --help | true"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        cwd=root,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("flag", ["", "--debug"])
def test_a_fault_of_ours_is_one_line_and_its_origin_only_on_request(
    line: Run, configured: Path, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    def broken(self: Client) -> list[str]:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(Client, "namespaces", broken)
    failed = line(f"wsk namespace list {flag}")
    assert failed.exit == 1
    first = "error: Application exited unexpectedly: ZeroDivisionError: broken"
    assert failed.stderr.splitlines()[0] == first
    assert ("Traceback" in failed.stderr) is bool(flag)


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert styled("ok:", "32", Terminal()) == "\x1b[32mok:\x1b[0m"
    assert styled("ok:", "32", io.StringIO()) == "ok:"
    monkeypatch.setenv("NO_COLOR", "1")
    assert styled("ok:", "32", Terminal()) == "ok:"
