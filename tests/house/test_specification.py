"""The page of promises has the promises that the benchmarks measure, and keeps them."""

import re

from tests.bench.promises import HEADER, Promise
from tests.house.tree import ROOT


def test_the_page_has_every_promise_with_its_bound_and_none_is_broken() -> None:
    page = (ROOT / "docs" / "specification.md").read_text()
    assert HEADER in page
    rows = re.findall(r"^\| (.+?) \| .+? \| ([0-9.]+) \| ([0-9.]*) \| (.*?) \|$", page, re.M)
    assert [words for words, *_ in rows] == [promise.words for promise in Promise]
    for (words, value, bound, kept), promise in zip(rows, Promise, strict=True):
        if promise.bound is None:
            assert (bound, kept) == ("", ""), words
        else:
            assert float(bound) == promise.bound >= float(value), words
            assert kept == "yes", words
    assert re.search(r"\d+ cores, Python 3\.\d+\.\d+, \d{4}-\d\d-\d\d", page), "machine and date"
