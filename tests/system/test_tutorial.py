"""Every box of the tutorial is typed, in its order, by a shell in an empty folder."""

from pathlib import Path
from typing import Final

import pytest

from tests.fakes.embedded import RunningPlatform
from tests.fakes.pages import check_box, reader, typed_boxes

BOXES: Final = list(typed_boxes("tutorial.md"))


@pytest.fixture(scope="module")
def folder(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, whose reader has typed `brisk serve` and finds its key in place."""
    return reader(tmp_path_factory.mktemp("reader"))


def test_the_first_box_starts_the_platform_that_the_others_talk_to() -> None:
    """It is typed in a terminal of its own: here, the platform of these tests is what it starts."""
    assert BOXES[0] == ("brisk serve\n", "")
    assert len(BOXES) >= 8


@pytest.mark.parametrize(
    ("typed", "printed"), [pytest.param(*box, id=box[0].splitlines()[-1]) for box in BOXES[1:]]
)
def test_a_box_prints_what_the_page_says(
    platform: RunningPlatform, folder: Path, typed: str, printed: str
) -> None:
    check_box(platform, folder, typed, printed)
