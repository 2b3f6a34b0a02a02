import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ApiRefused
from controller.gateway import paths


@pytest.mark.parametrize(
    ("verb", "path", "name"),
    [
        ("get", "/path/with/sub_paths/in/it", "getPathWithSub_pathsInIt"),
        ("POST", "/", "post"),
        ("delete", "/books/{id}", "deleteBooksId"),
        ("get", "/a-b/cD", "getA-bCd"),
    ],
)
def test_what_an_operation_is_called(verb: str, path: str, name: str) -> None:
    assert paths.operation_id(verb, path) == name


@pytest.mark.parametrize(
    ("path", "asked", "found"),
    [
        ("/books/{id}", "/books/7", {"id": "7"}),
        ("/books/{id}", "/books/7/", {"id": "7"}),
        ("/books/{id}", "/books/", None),
        ("/books/{id}", "/books/7/pages", None),
        ("/books/{id}", "/books/a%2Fb", {"id": "a/b"}),
        ("/books/{id}.json", "/books/7.json", {"id": "7"}),
        ("/books/{id}.json", "/books/.json", None),
        ("/books/v{id}.json", "/books/v.json", None),
        ("/", "/", {}),
        ("/caf%C3%A9", "/café", {}),
        ("/café", "/caf%C3%A9", {}),
    ],
)
def test_what_fits_a_path(path: str, asked: str, found: dict[str, str] | None) -> None:
    segments, given = paths.template(path).segments, paths.asked_segments(asked)
    values = [one.value_in(text) for one, text in zip(segments, given, strict=False)]
    if found is None:
        assert None in values or len(segments) != len(given)
    else:
        assert len(segments) == len(given)
        names = [one.parameter for one in segments if one.is_open]
        assert dict(zip(names, filter(None, values), strict=True)) == found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("books", "The path 'books' must begin with '/'."),
        ("/a b", "has a character that stands in no path"),
        ("/a?x=1", "has a character that stands in no path"),
        ("/" + "a" * 2000, "is too long: 1024 characters and 32 segments"),
        ("/a" * 40, "is too long"),
        ("/{a}{b}", "The segment '{a}{b}' of path '/{a}{b}' cannot be read"),
        ("/{a", "cannot be read"),
        ("/a}", "cannot be read"),
        ("/{}", "cannot be read"),
    ],
)
def test_a_path_that_is_none(path: str, text: str) -> None:
    with pytest.raises(ApiRefused) as refused:
        paths.template(path)
    assert text in str(refused.value)


def test_a_base_path_is_written_in_one_way() -> None:
    assert [paths.base_path(each) for each in ("/a/", "/a", "/", "/a/b")] == [
        "/a", "/a", "/", "/a/b",
    ]  # fmt: skip
    with pytest.raises(ApiRefused, match=r"^The base path \(/a/\{x\}\) cannot have parameters\."):
        paths.base_path("/a/{x}")
    with pytest.raises(ApiRefused, match="has a '%'"):
        paths.base_path("/a%20b")


def test_the_longest_base_path_is_tried_first() -> None:
    found = list(paths.possible_bases(["a", "b"]))
    assert found == [("/a/b", 2), ("/a", 1), ("/", 0)]


def test_only_so_many_base_paths_are_tried() -> None:
    assert len(list(paths.possible_bases(["a"] * 10_000))) == paths.MAX_SEGMENTS + 1


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/{}"), min_size=1)))
def test_whatever_is_asked_is_split_and_never_fails(parts: list[str]) -> None:
    assert paths.asked_segments("/" + "/".join(parts)) is not None
