"""Every row of the tables, told to an embedded platform and to a cluster."""

from pathlib import Path

import pytest

from tests.conformance.chapters import ROWS
from tests.conformance.conftest import Tellers
from tests.conformance.places import MODES
from tests.conformance.table import Row


@pytest.mark.parametrize("row", [pytest.param(row, id=row.title) for row in ROWS])
@pytest.mark.parametrize("tellers", MODES, indirect=True)
def test_the_contract_is_kept(row: Row, tellers: Tellers, tmp_path: Path) -> None:
    differences = tellers.of(row).told(row, tmp_path)
    assert not differences, "\n".join(differences)
