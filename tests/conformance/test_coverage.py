"""No paragraph of the contract is forgotten, and no row speaks of one that there is not."""

from collections import Counter

from tests.conformance.chapters import ROWS
from tests.conformance.paragraphs import ELSEWHERE, PARAGRAPHS
from tests.conformance.table import Typed
from tests.house import tree

SPOKEN_OF = Counter(number for row in ROWS for number in row.paragraphs)


def test_every_paragraph_has_a_row_or_a_reason() -> None:
    assert SPOKEN_OF.keys() | ELSEWHERE.keys() == PARAGRAPHS.keys()


def test_a_reason_stands_where_no_row_is_and_names_a_file() -> None:
    assert not SPOKEN_OF.keys() & ELSEWHERE.keys()
    for reason in ELSEWHERE.values():
        path, _, why = reason.partition(": ")
        assert (tree.ROOT / path).is_file(), path
        assert why


def test_rows_have_titles_of_their_own_and_both_faces_are_shown() -> None:
    titles = Counter(row.title for row in ROWS)
    assert set(titles.values()) == {1}
    typed = [row for row in ROWS if any(isinstance(step, Typed) for step in row.steps)]
    assert len(typed) > len(ROWS) / 2


def test_every_row_asks_something() -> None:
    assert all(row.steps for row in ROWS)
