"""What a client gets of a result: by extension, by `statusCode`, `headers` and `body`."""

import json
from typing import Any

import pytest

from common.entity.activation import Response, Status
from common.errors import (
    BriskError,
    ErrorProcessingRequest,
    InvalidMedia,
    PropertyNotFound,
    ResponseTypeMismatch,
    ResponseTypeUnknown,
)
from controller.web.response import WebAnswer, rendered, split_extension

HTML = "text/html; charset=UTF-8"
JSON = "application/json"


def shown(result: Any, extension: str = ".http", status: Status = Status.SUCCESS) -> WebAnswer:
    return rendered(Response(status=status, result=json.dumps(result).encode()), extension)


@pytest.mark.parametrize(
    ("segment", "name", "extension"),
    [
        ("a", "a", ".http"),
        ("a.json", "a", ".json"),
        ("a.xyz", "a.xyz", ".http"),
        ("t.wxyz.json", "t.wxyz", ".json"),
        ("a.json.html", "a.json", ".html"),
    ],
)
def test_the_extension_is_the_end_of_the_name(segment: str, name: str, extension: str) -> None:
    assert split_extension(segment) == (name, extension)


@pytest.mark.parametrize(
    ("result", "status", "kind", "body"),
    [
        ({}, 204, None, b""),
        ({"body": ""}, 204, None, b""),
        ({"body": "x"}, 200, HTML, b"x"),
        ({"body": "x", "statusCode": 201}, 201, HTML, b"x"),
        ({"statusCode": "404"}, 404, None, b""),
        ({"statusCode": 302, "headers": {"content-type": "text/css"}}, 302, None, b""),
        ({"body": {"a": 1}}, 200, JSON, b'{\n  "a": 1\n}'),
        ({"body": 3}, 200, JSON, b"3"),
        ({"body": "hello", "headers": {"Content-Type": JSON}}, 200, JSON, b"hello"),
        ({"body": "aGk=", "headers": {"Content-Type": JSON}}, 200, JSON, b"hi"),
        ({"body": "aGk=", "headers": {"content-type": "image/png"}}, 200, "image/png", b"hi"),
        ({"body": "aGk=", "headers": {"content-type": "text/css"}}, 200, "text/css", b"aGk="),
    ],
)
def test_http_is_what_the_result_says(
    result: Any, status: int, kind: str | None, body: bytes
) -> None:
    answer = shown(result)
    assert (answer.status, answer.body) == (status, body)
    assert (answer.content_type or "").partition(";")[0] == (kind or "").partition(";")[0]


def test_headers_may_come_more_than_once_and_are_text() -> None:
    headers = {"Set-Cookie": ["a=1", "b=2"], "X-Yes": True, "X-Three": 3}
    answer = shown({"body": "x", "headers": headers})
    assert answer.headers == (
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-Yes", "true"),
        ("X-Three", "3"),
    )


@pytest.mark.parametrize(
    ("result", "extension", "refusal"),
    [
        ("text", ".http", InvalidMedia),
        ({"statusCode": 1.5}, ".http", InvalidMedia),
        ({"statusCode": "x"}, ".http", InvalidMedia),
        ({"statusCode": True}, ".http", InvalidMedia),
        ({"statusCode": 7000}, ".http", InvalidMedia),
        ({"headers": "x"}, ".http", InvalidMedia),
        ({"headers": {"a": None}}, ".http", InvalidMedia),
        ({"headers": {"a": "b\r\nSet-Cookie: c"}}, ".http", InvalidMedia),
        ({"body": "x", "headers": {"content-type": "xyzbar"}}, ".http", ResponseTypeUnknown),
        ({"body": "!!", "headers": {"content-type": "image/png"}}, ".http", ResponseTypeMismatch),
        ({"body": 3, "headers": {"content-type": "text/html"}}, ".http", ResponseTypeMismatch),
        ("text", ".json", InvalidMedia),
        ({"html": 3}, ".html", InvalidMedia),
        ({}, ".svg", InvalidMedia),
        ({}, ".text", PropertyNotFound),
    ],
)
def test_what_cannot_be_shown_is_refused(
    result: Any, extension: str, refusal: type[BriskError]
) -> None:
    with pytest.raises(refusal):
        shown(result, extension)


@pytest.mark.parametrize(
    ("result", "extension", "body"),
    [
        ({"a": 1}, ".json", b'{\n  "a": 1\n}'),
        ({"html": "<b>"}, ".html", b"<b>"),
        ({"body": "<i>", "html": "<b>"}, ".html", b"<i>"),
        ("<b>", ".html", b"<b>"),
        ({"svg": "<svg/>"}, ".svg", b"<svg/>"),
        ({"text": "t"}, ".text", b"t"),
        ({"text": None}, ".text", b"null"),
        ({"text": True}, ".text", b"true"),
        ({"text": [1]}, ".text", b"[\n  1\n]"),
        (7, ".text", b"7"),
    ],
)
def test_other_extensions_choose_a_field(result: Any, extension: str, body: bytes) -> None:
    answer = shown(result, extension)
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
def test_an_action_does_not_say_how_its_answer_is_framed(name: str) -> None:
    answer = shown({"body": "x", "headers": {name: "9", "X-Own": "1"}})
    assert answer.headers == (("X-Own", "1"),)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "\u00e9"])
def test_what_cannot_name_a_header_is_refused(name: str) -> None:
    with pytest.raises(InvalidMedia):
        shown({"body": "x", "headers": {name: "v"}})


def test_an_error_of_the_action_is_rendered_and_any_other_is_not() -> None:
    teapot = {"error": {"statusCode": 418, "body": "teapot"}}
    assert shown(teapot, status=Status.APPLICATION_ERROR).status == 418
    for status in (Status.DEVELOPER_ERROR, Status.WHISK_ERROR):
        with pytest.raises(ErrorProcessingRequest):
            shown({}, status=status)
