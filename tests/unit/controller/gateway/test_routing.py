"""Which path of an API fits a request."""

import time

import pytest

from controller.gateway.routing import Routes
from tests.unit.controller.gateway.documents import document, operation


def routes(*paths: str) -> Routes:
    return Routes(document({path: {"get": operation(path)} for path in paths}))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("/", "/"),
        ("/a", "/a"),
        ("/b", "/{x}"),
        ("/a/b", "/a/b"),
        ("/a/c", "/a/{y}"),
        ("/c/b", "/{x}/b"),
        ("/a/b.json", "/a/{y}.json"),
        ("/c/c", None),
        ("/a/b/c", "/{x}/b/c"),
        ("/a/z/c", None),
        ("/a/b/c/d", None),
        ("//", None),
    ],
)
def test_what_is_literal_is_tried_first_and_dead_ends_are_left(
    asked: str, found: str | None
) -> None:
    known = routes("/", "/a", "/{x}", "/a/b", "/a/{y}", "/{x}/b", "/a/{y}.json", "/{x}/b/c")
    leaf = known.find(asked[1:].split("/") if asked != "/" else [])
    assert (leaf and leaf.template.text) == found


def test_the_order_of_the_document_decides_nothing() -> None:
    paths = ["/{a}/{b}", "/{a}/x", "/x/{b}", "/x/x", "/{a}.x/x"]
    for order in (paths, paths[::-1], sorted(paths)):
        known = routes(*order)
        leaves = [known.find(asked.split("/")) for asked in ("x/x", "x/y", "y/x", "y/y", "y.x/x")]
        assert [leaf and leaf.template.text for leaf in leaves] == [
            "/x/x", "/x/{b}", "/{a}/x", "/{a}/{b}", "/{a}.x/x",
        ]  # fmt: skip


def test_many_paths_cost_no_more_than_few() -> None:
    few, many = routes("/p/x/{id}"), routes(*(f"/p/x{number}/{{id}}" for number in range(1_000)))

    def took_s(known: Routes, segments: list[str]) -> float:
        best_s = 1.0
        for _ in range(20):
            began_s = time.perf_counter()
            for _ in range(100):
                assert known.find(segments) is not None
            best_s = min(best_s, time.perf_counter() - began_s)
        return best_s

    assert took_s(many, ["p", "x999", "7"]) < 5 * took_s(few, ["p", "x", "7"])


def test_a_tree_of_parameters_is_walked_once() -> None:
    deep = "/" + "/".join(f"{{p{number}}}" for number in range(30))
    branches = [f"/{'a/' * depth}{{x}}/{'a/' * (28 - depth)}end" for depth in range(28)]
    known = routes(deep, *branches)
    leaf = known.find(["a"] * 30)
    assert leaf is not None and leaf.template.text == deep
