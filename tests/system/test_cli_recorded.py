"""What OpenWhisk's own command line printed, typed again at ours.

The lines of `data/recorded/cli.jsonl` were typed in order at a running OpenWhisk. They are typed
here as `wsk` against a live platform, in the same order, and each must end with the same exit code
and print the same on either stream. What differs from run to run is put aside on both sides.
"""

import json
import re
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from tests.fakes.embedded import RunningPlatform
from tests.fakes.terminal import Outcome, as_program, in_process

RECORDED: Final = Path(__file__).parents[1] / "data" / "recorded"
STEPS: Final[list[dict[str, Any]]] = [
    json.loads(line) for line in (RECORDED / "cli.jsonl").read_text().splitlines()
]

AS_REAL_PROGRAMS: Final = frozenset({0, 3, 12, 17, 35, 51, 64, 65, 167})
"""Steps that are typed at a process of their own; the others run in this one, which is faster."""

WITH_A_BLANK: Final = {100: "a package"}
"""Words that hold a blank, by their step: the recording does not tell them from two."""

_TIMES: Final = frozenset({"start", "end", "duration", "updated"})
_MEASURED: Final = frozenset({"initTime", "waitTime"})


Typist: TypeAlias = Callable[[list[str]], Outcome]


def replay(url: str, auth: str, folder: Path) -> dict[int, Outcome]:
    """Type every step, in an own *folder*, at the platform at *url*."""
    for name, text in json.loads((RECORDED / "cli_files.json").read_text()).items():
        (folder / name).write_text(text)
    (folder / "wskprops").write_text(f"APIHOST={url}\nAUTH={auth}\n")
    outcomes: dict[int, Outcome] = {}
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("WSK_CONFIG_FILE", str(folder / "wskprops"))
        for name in ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"):
            patch.delenv(name, raising=False)
        for step in STEPS:
            number = step["step"]
            typist: Typist = as_program if number in AS_REAL_PROGRAMS else in_process
            outcomes[number] = typist(words_of(step))
    return outcomes


def words_of(step: dict[str, Any]) -> list[str]:
    """Return what was typed after the name: words between blanks, where quotes are part of one."""
    whole = WITH_A_BLANK.get(step["step"], "")
    words = step["command"].replace(whole, whole.replace(" ", "\0"), 1).split(" ")
    return [word.replace("\0", " ") for word in words[1:]]


@pytest.fixture(scope="module")
def outcomes(
    platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Outcome]:
    folder = tmp_path_factory.mktemp("typed")
    replayed = replay(platform.url, platform.auth, folder)
    return {
        number: Outcome(one.exit, general(one.stdout, folder), general(one.stderr, folder))
        for number, one in replayed.items()
    }


def general(text: str, folder: Path) -> str:
    """Put aside what differs from run to run, as the recording has it."""
    for pattern, name in (
        (re.escape(str(folder)), "<dir>"),
        (r"127\.0\.0\.1:\d+", "<host>"),
        (r"Valid values are: .*", "Valid values are: <kinds>"),
        (r"\(code \w+\)", "(code <transid>)"),
        (r"\b[0-9a-f]{32}\b", "<id>"),
        (r"python:3\.\d+", "python:3.x"),
    ):
        text = re.sub(pattern, name, text)
    return text


def settled(value: Any) -> Any:
    """Return JSON with times at zero and lists of key and value in the order of their keys."""
    if isinstance(value, list):
        items = [settled(item) for item in value]
        if all(isinstance(item, dict) and "key" in item for item in items):
            return sorted(items, key=lambda item: str(item["key"]))
        return items
    if isinstance(value, dict):
        if value.get("key") in _MEASURED:
            return value | {"value": 0}
        return {key: 0 if key in _TIMES else settled(item) for key, item in value.items()}
    return value


def check(printed: str, recorded: Any) -> None:
    if isinstance(recorded, str):
        assert printed == recorded
        return
    before = recorded["before"]
    assert printed[: len(before)] == before
    shown = printed[len(before) :]
    value = json.loads(shown)
    assert settled(value) == settled(recorded["json"])
    assert shown == json.dumps(value, indent=4, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, id=f"{step['step']}-{step['command']}")
        for step in STEPS
        if "result" in step
    ],
)
def test_a_line_ends_and_prints_as_recorded(
    outcomes: dict[int, Outcome], step: dict[str, Any]
) -> None:
    outcome, recorded = outcomes[step["step"]], step["result"]
    for stream in ("stdout", "stderr"):
        if stream in recorded:
            check(getattr(outcome, stream), recorded[stream])
    if "exit" in recorded:
        assert outcome.exit == recorded["exit"]


def test_no_line_ended_in_an_accident(outcomes: dict[int, Outcome]) -> None:
    """Also where nothing was recorded: our own words, no trace of a fault."""
    for number, outcome in outcomes.items():
        assert "Traceback" not in outcome.stderr, number
        assert outcome.exit in {0, 1, 2, 3, 144, 145, 147, 148, 153, 246}, (number, outcome)
