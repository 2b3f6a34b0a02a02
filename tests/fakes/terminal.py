"""Lines typed at the command line: in this process, which is fast, or as the program they are."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Final

from cli.program import run
from tests.fakes.embedded import ROOT

COMMAND_S: Final = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    exit: int
    stdout: str
    stderr: str


def in_process(words: list[str], program: str = "wsk") -> Outcome:
    """Run *program* with *words* here."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(program, words)
    return Outcome(code, out.getvalue(), err.getvalue())


def as_program(words: list[str]) -> Outcome:
    """Run `wsk` with *words* as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from cli.__main__ import wsk; wsk()", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def program(words: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run `brisk` with *words* as a process that is ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
