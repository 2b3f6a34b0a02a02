"""Web answers that travel small, or not at all: only where the action asks for it."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.web.delivery import LEAST_BYTES, Hopes, delivered, hopes_of
from controller.web.response import WebAnswer

PAGE = b"<p>the same again and again</p>" * 100
ON = {"web-compress": True}
TAGS = {"web-etag": True}
PLAIN = Hopes(reads=True, has=None, takes=None)
GZIP = Hopes(reads=True, has=None, takes="gzip, br")


def page(*headers: tuple[str, str], status: int = 200, body: bytes = PAGE) -> WebAnswer:
    return WebAnswer(status, "text/html; charset=UTF-8", body, headers)


def header(answer: WebAnswer, wanted: str) -> str | None:
    found = [value for name, value in answer.headers if name.lower() == wanted]
    assert len(found) < 2
    return found[0] if found else None


def test_nothing_changes_unless_the_action_asks_for_it() -> None:
    for answer in (page(), page(status=500), page(("Vary", "Cookie"))):
        for annotations in ({}, {"web-compress": "true"}, {"web-etag": 1}):
            assert delivered(answer, annotations, GZIP) == answer


def test_text_travels_as_gzip() -> None:
    sent = delivered(page(("X-Own", "1")), ON, GZIP)
    assert gzip.decompress(sent.body) == PAGE
    assert header(sent, "content-encoding") == "gzip"
    assert header(sent, "vary") == "Accept-Encoding"
    assert header(sent, "x-own") == "1"
    assert sent == delivered(page(("X-Own", "1")), ON, GZIP), "the same each time"


def test_who_does_not_take_it_is_told_that_others_get_something_else() -> None:
    sent = delivered(page(), ON, PLAIN)
    assert (sent.body, header(sent, "vary")) == (PAGE, "Accept-Encoding")


@pytest.mark.parametrize(
    ("takes", "is_taken"),
    [
        ("gzip", True),
        ("GZip;q=0.5, identity", True),
        ("deflate, *", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("br", False),
        ("", False),
        (";;q=,gzip", True),
    ],
)
def test_what_a_client_takes(takes: str, is_taken: bool) -> None:
    sent = delivered(page(), ON, GZIP._replace(takes=takes))
    assert (header(sent, "content-encoding") == "gzip") is is_taken


@pytest.mark.parametrize(
    "answer",
    [
        page(body=b"x" * (LEAST_BYTES - 1)),
        page(("Content-Encoding", "br")),
        page(("Cache-Control", "public, No-Transform")),
        page(status=206),
        WebAnswer(200, "image/png", PAGE),
        WebAnswer(200, "application/octet-stream", PAGE),
        WebAnswer(204, None, b""),
    ],
)
def test_what_is_left_as_it_is(answer: WebAnswer) -> None:
    assert delivered(answer, ON, GZIP) == answer


@pytest.mark.parametrize("kind", ["application/json", "image/svg+xml", "application/ld+json"])
def test_what_else_is_text(kind: str) -> None:
    assert header(delivered(WebAnswer(200, kind, PAGE), ON, GZIP), "content-encoding") == "gzip"


@pytest.mark.parametrize(
    ("said", "says"),
    [("Cookie", "Cookie, Accept-Encoding"), ("*", "*"), ("accept-encoding", "accept-encoding")],
)
def test_what_an_answer_varies_by_is_added_to(said: str, says: str) -> None:
    assert header(delivered(page(("Vary", said)), ON, GZIP), "vary") == says


def test_a_tag_of_bytes_stands_for_the_page_once_the_bytes_are_others() -> None:
    assert header(delivered(page(("ETag", '"a"')), ON, GZIP), "etag") == 'W/"a"'
    assert header(delivered(page(("ETag", 'W/"a"')), ON, GZIP), "etag") == 'W/"a"'
    assert header(delivered(page(("ETag", '"a"')), ON, PLAIN), "etag") == '"a"'


@pytest.mark.parametrize("has", ['"a"', 'W/"a"', '"x", "a"', "*", '"x,y" , W/"a"'])
def test_who_has_it_is_not_sent_it_again(has: str) -> None:
    answer = page(("ETag", '"a"'), ("Cache-Control", "max-age=5"), ("Content-Language", "de"))
    sent = delivered(answer, {}, PLAIN._replace(has=has))
    assert sent == WebAnswer(304, None, b"", (("ETag", '"a"'), ("Cache-Control", "max-age=5")))


@pytest.mark.parametrize("has", [None, "", '"b"', "a", '"a', '"xa"'])
def test_who_has_something_else_is_sent_it(has: str | None) -> None:
    answer = page(("ETag", '"a"'))
    assert delivered(answer, {}, PLAIN._replace(has=has)) == answer


def test_only_a_page_that_is_read_is_not_modified() -> None:
    has = PLAIN._replace(has='"a"')
    for answer in (page(("ETag", '"a"'), status=201), page(("ETag", '"a"'), status=404), page()):
        assert delivered(answer, {}, has) == answer
    posted = page(("ETag", '"a"'))
    assert delivered(posted, {}, has._replace(reads=False)) == posted


def test_a_tag_is_made_where_it_is_asked_for() -> None:
    tag = header(delivered(page(), TAGS, PLAIN), "etag")
    assert tag
    assert tag == header(delivered(page(), TAGS, PLAIN), "etag")
    assert tag != header(delivered(page(body=PAGE + b"!"), TAGS, PLAIN), "etag")
    assert delivered(page(), TAGS, PLAIN._replace(has=tag)).status == 304
    own = page(("etag", '"own"'))
    assert delivered(own, TAGS, PLAIN) == own
    for answer in (page(status=500), WebAnswer(204, None, b"")):
        assert delivered(answer, TAGS, PLAIN) == answer
    both = delivered(page(), TAGS | ON, GZIP)
    assert header(both, "etag") == f"W/{tag}"
    assert delivered(page(), TAGS | ON, GZIP._replace(has=f"W/{tag}")).status == 304


def test_hopes_are_read_from_all_headers_of_their_names() -> None:
    pairs = [("If-None-Match", '"a"'), ("accept-encoding", "br"), ("Accept-Encoding", "gzip")]
    assert hopes_of("HEAD", pairs) == Hopes(True, '"a"', "br, gzip")
    assert hopes_of("POST", []) == Hopes(False, None, None)


@given(st.text(), st.text(), st.binary(max_size=3000))
def test_no_request_breaks_an_answer(has: str, takes: str, body: bytes) -> None:
    sent = delivered(page(body=body), ON | TAGS, Hopes(True, has, takes))
    if header(sent, "content-encoding") == "gzip":
        assert gzip.decompress(sent.body) == body
    elif sent.status == 200:
        assert sent.body == body
