"""The platform that tests of this folder are clients of: one for each file, with a new guest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.embedded import RunningPlatform, running_platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """A fresh embedded platform, as a user would start it."""
    folder: Path = tmp_path_factory.mktemp("platform")
    with running_platform(folder) as running:
        yield running
