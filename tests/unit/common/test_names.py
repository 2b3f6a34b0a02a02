"""Names: exactly OpenWhisk's grammar, and one id for each place an entity can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.names import MAX_LENGTH, QualifiedName, is_legal
from common.ids import Namespace

EDGES = "ABCXYZabcxyz0189_"
INNER = EDGES + "@ .&-"
LAST = EDGES + "@.&-"

legal_names = st.one_of(
    st.text(EDGES, min_size=1, max_size=1),
    st.builds(
        lambda first, middle, last: first + middle + last,
        st.text(EDGES, min_size=1, max_size=1),
        st.text(INNER, max_size=MAX_LENGTH - 2),
        st.text(LAST, min_size=1, max_size=1),
    ),
)


@given(legal_names)
def test_what_the_grammar_makes_is_legal(name: str) -> None:
    assert is_legal(name)


@given(st.text(max_size=300))
def test_nothing_else_is_legal(name: str) -> None:
    ascii_word = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
    allowed = (
        0 < len(name) <= MAX_LENGTH
        and name[0] in ascii_word
        and set(name) <= ascii_word | set("@ .&-")
        and name[-1] != " "
        and (len(name) > 1 or name in ascii_word)
    )
    assert is_legal(name) == allowed


@given(legal_names, st.characters(exclude_characters=INNER, exclude_categories=["L", "N"]))
def test_one_wrong_character_anywhere_makes_a_name_illegal(name: str, wrong: str) -> None:
    middle = len(name) // 2
    for spoilt in (wrong + name, name[:middle] + wrong + name[middle:], name + wrong):
        assert not is_legal(spoilt)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a ", " a", "-a", "@a", ".a", "a/b", "a\n", "ä", "²", "a" * (MAX_LENGTH + 1)],
)
def test_these_are_illegal(name: str) -> None:
    assert not is_legal(name)


def test_the_longest_name_is_legal() -> None:
    assert is_legal("a" * MAX_LENGTH)


def test_an_entity_in_no_package() -> None:
    name = QualifiedName(Namespace("guest"), None, "hello")
    assert (name.path, name.doc_id, name.in_namespace, str(name)) == (
        "guest",
        "guest/hello",
        "hello",
        "/guest/hello",
    )


def test_an_entity_in_a_package() -> None:
    name = QualifiedName(Namespace("guest"), "utils", "cat")
    assert (name.path, name.doc_id, name.in_namespace, str(name)) == (
        "guest/utils",
        "guest/utils/cat",
        "utils/cat",
        "/guest/utils/cat",
    )


@given(legal_names, st.none() | legal_names, legal_names, st.none() | legal_names)
def test_two_entities_of_a_namespace_never_share_a_document(
    one: str, one_package: str | None, other: str, other_package: str | None
) -> None:
    first = QualifiedName(Namespace("guest"), one_package, one)
    second = QualifiedName(Namespace("guest"), other_package, other)
    assert (first.doc_id == second.doc_id) == (first == second)
