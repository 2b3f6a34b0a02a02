"""Pages of the documentation whose boxes are typed: what is in them, and a shell to type it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.fakes.embedded import ROOT, RunningPlatform

BOX_S: Final = 40.0


def typed_boxes(page: str) -> Iterator[tuple[str, str]]:
    """Yield what the page *page* says to type, and what that prints; nothing where it is silent."""
    text = (ROOT / "docs" / page).read_text()
    boxes = re.findall(r"^```(sh|text)\n(.*?)^```$", text, re.M | re.S)
    for (kind, typed), (following, printed) in zip(boxes, [*boxes[1:], ("", "")], strict=True):
        if kind == "sh":
            yield typed, printed if following == "text" else ""


def reader(folder: Path) -> Path:
    """Make *folder* that of somebody who has the program and an empty folder to work in."""
    (folder / "bin").mkdir()
    program = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n'
    (folder / "bin" / "brisk").write_text(program)
    (folder / "bin" / "brisk").chmod(0o755)
    (folder / "work").mkdir()
    return folder


def check_box(platform: RunningPlatform, folder: Path, typed: str, printed: str) -> None:
    """Type a box, and compare what it prints; `…` stands for anything."""
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
        timeout=BOX_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    pattern = ".*".join(re.escape(part) for part in printed.rstrip("\n").split("…"))
    assert re.fullmatch(pattern, done.stdout.rstrip("\n"), re.S), done.stdout
