"""Every box of the page on serving an API is typed, in its order, by a shell in an empty folder."""

from pathlib import Path
from typing import Final

import pytest

from tests.fakes.embedded import RunningPlatform
from tests.fakes.pages import check_box, reader, typed_boxes

BOXES: Final = list(typed_boxes("howto/serve-an-api.md"))


@pytest.fixture(scope="module")
def folder(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reader(tmp_path_factory.mktemp("reader"))


def test_the_page_has_boxes() -> None:
    assert len(BOXES) == 3


@pytest.mark.parametrize(
    ("typed", "printed"), [pytest.param(*box, id=box[0].splitlines()[-1]) for box in BOXES]
)
def test_a_box_prints_what_the_page_says(
    platform: RunningPlatform, folder: Path, typed: str, printed: str
) -> None:
    check_box(platform, folder, typed, printed)
