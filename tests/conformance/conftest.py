"""A platform of each mode for each file of tests, with two namespaces for each row."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.chapters import ROWS
from tests.conformance.places import Tenant, running
from tests.conformance.table import Row
from tests.conformance.telling import Teller


class Tellers:
    """Gives each row a teller, whose namespaces nobody else uses."""

    def __init__(self, url: str, own: list[Tenant], other: list[Tenant]) -> None:
        self._tellers = {
            id(row): Teller(url, *pair)
            for row, pair in zip(ROWS, zip(own, other, strict=True), strict=True)
        }

    def of(self, row: Row) -> Teller:
        """Return the one of *row*."""
        return self._tellers[id(row)]


@pytest.fixture(scope="module")
def tellers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tellers]:
    folder: Path = tmp_path_factory.mktemp("platform")
    with running(request.param, folder) as place:
        made = place.tenants([row.limits for row in ROWS] + [{} for _ in ROWS])
        yield Tellers(place.url, made[: len(ROWS)], made[len(ROWS) :])
