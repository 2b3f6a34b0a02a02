"""Programs of openwhisk-composer are compiled, deployed and run, by that package as it is.

`parallel` and `map` keep their branches in a Redis that whoever runs them gives; they are not
among these.
"""

import base64
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform

NEEDED = ("openwhisk", "needle", "async-retry", "retry", "sax", "iconv-lite", "safer-buffer")
FETCH_S = 300.0
RUN_S = 60.0

PROGRAMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    # name: what is composed, what it is given, what it answers
    "sequence": (
        "composer.sequence(add(1), add(10), args => ({ n: args.n * 2 }))",
        {"n": 1},
        {"n": 24},
    ),
    "if": (
        "composer.if(args => ({ value: args.n > 5 }), add(100), add(-100))",
        {"n": 6},
        {"n": 106},
    ),
    "while": (
        "composer.while(args => ({ value: args.n < 5 }), add(1))",
        {"n": 0},
        {"n": 5},
    ),
    "try": (
        "composer.try(composer.sequence(add(1), 'fails', add(1)), args => ({ seen: args.error }))",
        {"n": 1},
        {"seen": "2 is refused"},
    ),
    "finally": (
        "composer.finally('fails', args => ({ after: args.error || args }))",
        {"n": 3},
        {"after": "3 is refused"},
    ),
    "retry": (
        "composer.let({ tries: 0 }, composer.sequence("
        "composer.retry(3, composer.sequence(() => { tries++; return { n: tries } },"
        " composer.if(args => ({ value: args.n < 3 }), 'fails', add(0)))),"
        " args => ({ tries, n: args.n })))",
        {},
        {"tries": 3, "n": 3},
    ),
    "let": (
        "composer.let({ x: 42 }, composer.sequence(add(1), args => ({ sum: args.n + x })))",
        {"n": 1},
        {"sum": 44},
    ),
    "mask": (
        "composer.let({ x: 42 }, composer.let({ x: 69 }, composer.mask(() => ({ x }))))",
        {},
        {"x": 42},
    ),
}
HEAD = """
const composer = require('openwhisk-composer')
const add = by => composer.sequence(
  composer.let({ by }, args => ({ n: args.n + by })), 'echo')
module.exports = """
FAILS = "def main(args):\n    return {'error': str(args.get('n')) + ' is refused'}"
ECHO = "def main(args):\n    return args"


@pytest.fixture(scope="module")
def commands() -> Path:
    """The folder of `compose` and `deploy`."""
    if shutil.which("npm") is None:
        pytest.skip("needs Node.js and npm")
    done = subprocess.run(
        [ROOT / "deploy/dev/composer"], capture_output=True, text=True, timeout=FETCH_S, check=True
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    made = Api(platform.url, platform.auth)
    if not any(kind.startswith("nodejs:") for kind in kinds(made)):
        pytest.skip("this host runs no Node.js in its sandboxes")
    made.put_action("echo", ECHO)
    made.put_action("fails", FAILS)
    return made


def kinds(api: Api) -> list[str]:
    families = api.call("GET", "/").body["runtimes"].values()
    return [str(entry["kind"]) for family in families for entry in family]


def run(command: list[object], folder: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder,
        capture_output=True, text=True, timeout=RUN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bring_along(api: Api, name: str, modules: Path) -> None:
    """Give the conductor the package `openwhisk`, which OpenWhisk's own image has installed."""
    document = api.call("GET", f"actions/{name}").body
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.js", document["exec"]["code"] + "\nexports.main = main\n")
        for package in NEEDED:
            for path in (modules / package).rglob("*"):
                if path.suffix in (".js", ".json") and "test" not in path.parts:
                    archive.write(path, f"node_modules/{path.relative_to(modules)}")
    code = base64.b64encode(held.getvalue()).decode()
    body = {"exec": {"kind": document["exec"]["kind"], "code": code, "binary": True}}
    assert api.call("PUT", f"actions/{name}?overwrite=true", body).status == 200


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_compiled_deployed_and_run(
    name: str, commands: Path, api: Api, platform: RunningPlatform, tmp_path: Path
) -> None:
    program, given, expected = PROGRAMS[name]
    (tmp_path / "program.js").write_text(HEAD + program)
    (tmp_path / "node_modules").symlink_to(commands.parent)
    compiled = run([commands / "compose", "program.js"], tmp_path)
    (tmp_path / "program.json").write_text(compiled)
    said = run(
        [commands / "deploy", f"composed-{name}", "program.json", "--apihost", platform.url,
         "--auth", platform.auth, "--overwrite"],
        tmp_path,
    )  # fmt: skip
    assert "ok: created action" in said
    bring_along(api, f"composed-{name}", commands.parent)

    answer = api.invoke(f"composed-{name}", given)

    assert answer.status == 200, json.dumps(answer.body)
    assert answer.body["response"]["result"] == expected
    parts = [api.record(each) for each in answer.body["logs"]]
    assert {part["cause"] for part in parts} == {answer.body["activationId"]}
