"""Every box of the tutorial is typed, in its order, by a shell in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.fakes.embedded import ROOT, RunningPlatform

PAGE: Final = (ROOT / "docs" / "tutorial.md").read_text()
BOXES: Final = re.findall(r"^```(sh|text)\n(.*?)^```$", PAGE, re.M | re.S)
BLOCK_S: Final = 40.0


def typed_boxes() -> Iterator[tuple[str, str]]:
    """Yield what is typed, and what it prints; nothing where the page does not say."""
    for (kind, text), (following, printed) in zip(BOXES, [*BOXES[1:], ("", "")], strict=True):
        if kind == "sh":
            yield text, printed if following == "text" else ""


@pytest.fixture(scope="module")
def folder(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, whose reader has typed `brisk serve` and finds its key in place."""
    made = tmp_path_factory.mktemp("reader")
    (made / "bin").mkdir()
    program = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n'
    (made / "bin" / "brisk").write_text(program)
    (made / "bin" / "brisk").chmod(0o755)
    (made / "work").mkdir()
    return made


def test_the_first_box_starts_the_platform_that_the_others_talk_to() -> None:
    """It is typed in a terminal of its own: here, the platform of these tests is what it starts."""
    boxes = list(typed_boxes())
    assert boxes[0] == ("brisk serve\n", "")
    assert len(boxes) >= 8


@pytest.mark.parametrize(
    ("typed", "printed"),
    [pytest.param(*box, id=box[0].splitlines()[-1]) for box in list(typed_boxes())[1:]],
)
def test_a_box_prints_what_the_page_says(
    platform: RunningPlatform, folder: Path, typed: str, printed: str
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", typed],
        cwd=folder / "work",
        env={
            **os.environ,  # noqa: TID251
            "PATH": f"{folder / 'bin'}{os.pathsep}/usr/bin:/bin",
            "WSK_CONFIG_FILE": str(platform.data.parent / "wskprops"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BLOCK_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    pattern = ".*".join(re.escape(part) for part in printed.rstrip("\n").split("…"))
    assert re.fullmatch(pattern, done.stdout.rstrip("\n"), re.S), done.stdout
