"""The newcomer's gauntlet: mistakes that people make in their first hour, each with its way out.

Every mistake is typed at `brisk` as a program would be, in a folder of its own. It has to end with
an exit code that is not zero, in at most four lines, of which the last says what mends it. That is
then run by a shell, as somebody would paste it, and what was wanted has to work.
"""

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from cli.program import run
from tests.fakes.embedded import GUEST_AUTH, ROOT, RunningPlatform, wait_ready

HELLO: Final = "def main(args):\n    return {'hello': args.get('name', 'you')}\n"
OTHER_KEY: Final = GUEST_AUTH[:-1] + "X"
FIX_S: Final = 30.0
_FOR_A_SHELL: Final = frozenset("$&|;<>`")


@dataclass(frozen=True)
class Mistake:
    """What is typed, in which circumstances.

    files: made in the folder before; a name that ends in `.zip` holds the files that it is given.
    before: lines of `brisk` that are typed first and work.
    props: the property file; `{url}` and `{port}` are those of the platform.
    again: what has to work after the fix; empty where the fix is the line itself.
    cannot: why the fix is for a person to do, and not for a shell.
    """

    typed: str
    files: dict[str, str | dict[str, str]] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    props: str = "APIHOST={url}\nAUTH={auth}\n"
    env: dict[str, str] = field(default_factory=dict)
    again: str = ""
    cannot: str = ""


HELLO_THERE: Final = ("action create hello hello.py",)
PY: Final[dict[str, str | dict[str, str]]] = {"hello.py": HELLO}

MISTAKES: Final = {
    "a host that has no address": Mistake("action list --apihost http://nosuch.invalid"),
    "a host in the environment that has none": Mistake(
        "action list", env={"WHISK_APIHOST": "http://nosuch.invalid"}, again="action list"
    ),
    "https where http is spoken": Mistake(
        "action list", props="APIHOST=127.0.0.1:{port}\nAUTH={auth}\n", again="action list"
    ),
    "the same, on the line": Mistake("action list --apihost 127.0.0.1:{port}"),
    "no key": Mistake("action list", props="APIHOST={url}\n", again="action list"),
    "a wrong key": Mistake(
        "action list", props="APIHOST={url}\nAUTH=" + OTHER_KEY + "\n", again="action list"
    ),
    "a wrong key on the line": Mistake(f"action list --auth {OTHER_KEY}"),
    "a key in the environment that is none": Mistake(
        "action list", env={"WHISK_AUTH": "me"}, again="action list"
    ),
    "a file that is misspelt": Mistake("action create hello helo.py", files=PY),
    "no file": Mistake("action create hello", files=PY),
    "an extension that says nothing": Mistake(
        "action create hello hello.txt", files={"hello.txt": HELLO}
    ),
    "an archive without a kind": Mistake(
        "action create hello code.zip", files={"code.zip": {"__main__.py": HELLO}}
    ),
    "an archive without the file that is called": Mistake(
        "action create hello code.zip --kind python:default",
        files={"code.zip": {"main.py": HELLO}},
    ),
    "a folder packed, not what is in it": Mistake(
        "action create hello code.zip --kind python:default",
        files={"code.zip": {"app/__main__.py": HELLO}},
    ),
    "a folder without the file that is called": Mistake(
        "action create hello app", files={"app/main.py": HELLO}, again="action create hello app"
    ),
    "no function main": Mistake(
        "action create hello hello.py", files={"hello.py": HELLO.replace("main", "handler")}
    ),
    "a function that is misspelt": Mistake(
        "action create hello hello.py --main handlr",
        files={"hello.py": HELLO.replace("main", "handler")},
    ),
    "a syntax error": Mistake(
        "action create hello hello.py",
        files={"hello.py": "def main(args:\n"},
        cannot="nobody else knows what was to be written",
    ),
    "a missing import": Mistake(
        "action invoke hello -r",
        files={"hello.py": "import nosuch_module\n" + HELLO},
        before=HELLO_THERE,
        cannot="the logs are shown, and name the module; it is to be put beside the action",
    ),
    "an action that is there already": Mistake(
        "action create hello hello.py", files=PY, before=HELLO_THERE
    ),
    "an action that is misspelt": Mistake("action invoke helo -r", files=PY, before=HELLO_THERE),
    "a noun that is misspelt": Mistake("acton list"),
    "a verb that is misspelt": Mistake("action lst"),
    "a flag that is misspelt": Mistake(
        "action invoke hello --bloking", files=PY, before=HELLO_THERE
    ),
    "a parameter without its value": Mistake(
        "action invoke hello -r -p name", files=PY, before=HELLO_THERE
    ),
    "JSON that is none": Mistake(
        "action invoke hello -r -p name '{\"a\": }'", files=PY, before=HELLO_THERE
    ),
    "a file of parameters that is misspelt": Mistake(
        "action invoke hello -r -P parms.json",
        files={**PY, "params.json": '{"name": "Ada"}'},
        before=HELLO_THERE,
    ),
    "a time limit that is too short": Mistake("action create hello hello.py -t 50", files=PY),
    "a memory limit that is too large": Mistake("action create hello hello.py -m 99999", files=PY),
    "a kind that there is not": Mistake("action create hello hello.py --kind python:2.7", files=PY),
    "a number that is none": Mistake("action list --limit ten"),
    "a word too many": Mistake("action invoke hello Ada", files=PY, before=HELLO_THERE),
    "a name where an id belongs": Mistake(
        "activation get hello", files=PY, before=(*HELLO_THERE, "action invoke hello -r")
    ),
    "a package that is not empty": Mistake(
        "package delete pk", files=PY, before=("package create pk", "action create pk/a hello.py")
    ),
    "a value of --web that there is not": Mistake(
        "action create hello hello.py --web maybe", files=PY
    ),
    "a file that is not to be overwritten": Mistake(
        "action get hello --save", files=PY, before=HELLO_THERE
    ),
}
LEAST_MENDED: Final = 27


@dataclass(frozen=True)
class Ended:
    exit: int
    stderr: str


def typed(line: str, folder: Path) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = run("brisk", shlex.split(line))
    return Ended(code, err.getvalue())


def only_ours(env: dict[str, str]) -> dict[str, str]:
    names = ("WSK_CONFIG_FILE", "BRISK_DATA", "WHISK_APIHOST", "WHISK_AUTH")
    return {name: env[name] for name in names if name in env}


def pasted(line: str, folder: Path, env: dict[str, str]) -> int:
    """Run *line* as a shell does, and go on in the environment that it leaves; return its exit.

    A line that a shell would only split is run in this process: it is the same, and faster.
    """
    words = shlex.split(line)
    if words[0] == "brisk" and not _FOR_A_SHELL.intersection(line):
        with environment(only_ours(env)):
            return typed(shlex.join(words[1:]), folder).exit
    shell = f"{line}\nresult=$?; env -0 > env.out; exit $result"
    done = subprocess.run(
        ["/bin/sh", "-c", shell], cwd=folder, env=env, capture_output=True, timeout=FIX_S,
        check=False,
    )  # fmt: skip
    env.clear()
    for pair in (folder / "env.out").read_bytes().decode().split("\0"):
        name, equals, value = pair.partition("=")
        if equals:
            env[name] = value
    return done.returncode


def make(folder: Path, files: dict[str, str | dict[str, str]]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        if isinstance(content, str):
            (folder / name).write_text(content)
            continue
        with zipfile.ZipFile(folder / name, "w") as archive:
            for inside, text in content.items():
                archive.writestr(inside, text)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"):
            patch.delenv(name, raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `brisk` in it, for the path."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "brisk").write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n'
    )
    (folder / "brisk").chmod(0o755)
    return folder


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_in_its_way_out(
    platform: RunningPlatform, programs: Path, tmp_path: Path, name: str
) -> None:
    mistake = MISTAKES[name]
    make(tmp_path, mistake.files)
    places = {"url": platform.url, "port": platform.url.rpartition(":")[2], "auth": platform.auth}
    props, set_aside = tmp_path / "props", tmp_path / "good"
    set_aside.write_text("APIHOST={url}\nAUTH={auth}\n".format(**places))
    common = {"BRISK_DATA": str(platform.data), "PATH": f"{programs}{os.pathsep}/usr/bin:/bin"}
    with environment(common | {"WSK_CONFIG_FILE": str(set_aside)}):
        for line in mistake.before:
            done = typed(line, tmp_path)
            assert done.exit in (0, 246), (line, done)
    props.write_text(mistake.props.format(**places))
    there = common | {"WSK_CONFIG_FILE": str(props)} | mistake.env
    line = mistake.typed.replace("{port}", places["port"])
    try:
        with environment(there):
            refused = typed(line, tmp_path)
        assert refused.exit != 0, refused
        said = refused.stderr.splitlines()
        assert len(said) <= 4, refused.stderr
        fix = said[-1].removeprefix("fix: ")
        assert fix != said[-1], refused.stderr
        if mistake.cannot:
            return
        env = {**os.environ, **there}  # noqa: TID251
        assert pasted(fix, tmp_path, env) == 0, refused.stderr
        if mistake.again:
            assert pasted(f"brisk {mistake.again}", tmp_path, env) == 0, refused.stderr
    finally:
        with environment(common | {"WSK_CONFIG_FILE": str(set_aside)}):
            for entity in ("action delete hello", "package delete pk --force"):
                typed(entity, tmp_path)


def test_enough_of_them_are_mended() -> None:
    """Thirty at least, of which nine in ten are mended by what is printed."""
    by_a_shell = [name for name, mistake in MISTAKES.items() if not mistake.cannot]
    assert len(MISTAKES) >= 30
    assert len(by_a_shell) >= max(LEAST_MENDED, 0.9 * len(MISTAKES))


@contextmanager
def serving(line: str, folder: Path, env: dict[str, str]) -> Iterator[str]:
    """Run a `brisk serve` that was proposed until the end of the block; yield its URL."""
    process = subprocess.Popen(
        shlex.split(line), cwd=folder, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield wait_ready(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(FIX_S) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def test_no_platform_and_no_configuration(programs: Path, tmp_path: Path) -> None:
    """The first line of many: nothing runs, nothing is configured; the fix is all it takes."""
    there = {
        "WSK_CONFIG_FILE": str(tmp_path / "props"),
        "BRISK_DATA": str(tmp_path / "data"),
        "BRISK_HTTP__PORT": "0",
        "PATH": f"{programs}{os.pathsep}/usr/bin:/bin",
    }
    with environment(there):
        refused = typed("action list", tmp_path)
        assert refused.stderr.splitlines()[-1] == "fix: brisk serve"
        with serving("brisk serve", tmp_path, {**os.environ, **there}):  # noqa: TID251
            assert typed("action list", tmp_path).exit == 0


def test_a_port_that_is_taken(platform: RunningPlatform, programs: Path, tmp_path: Path) -> None:
    port = platform.url.rpartition(":")[2]
    env = {
        **os.environ,  # noqa: TID251
        "WSK_CONFIG_FILE": str(tmp_path / "props"),
        "PATH": f"{programs}{os.pathsep}/usr/bin:/bin",
    }
    done = subprocess.run(
        ["brisk", "serve", "--port", port, "--data", "data"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=FIX_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert len(said) <= 4
    assert re.search(rf"^error: Port {port} of .* is in use", said[0])
    assert said[-1] == "fix: brisk serve --port 0 --data data"
    with serving(said[-1].removeprefix("fix: "), tmp_path, env) as url:
        assert url.startswith("http://127.0.0.1:")
