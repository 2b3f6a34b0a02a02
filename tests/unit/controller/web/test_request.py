"""What a web action is given: precedence, names that are reserved, bodies of every type."""

import base64
from typing import Any

import pytest

from common.entity.action import Action, Exec, Parameter
from common.entity.names import QualifiedName
from common.errors import MalformedContent, ParametersNotAllowed
from common.ids import Namespace
from controller.web.request import WebRequest, arguments

NAME = QualifiedName(Namespace("guest"), None, "web")


def an_action(**annotations: Any) -> Action:
    bound = (Parameter("locked", 1), Parameter("open", None))
    return Action(
        name=NAME, exec=Exec(kind="python:3.11"), parameters=bound, annotations=annotations
    )


def a_request(body: bytes | None = None, kind: str | None = None, query: str = "") -> WebRequest:
    headers = [("X-A", "1"), ("x-a", "2")]
    if kind is not None:
        headers.append(("Content-Type", kind))
    return WebRequest(method="POST", headers=headers, path="/p", query=query, body=body, user=None)


def given(request: WebRequest, **annotations: Any) -> dict[str, Any]:
    named = arguments(request, an_action(**annotations))
    return {key: value for key, value in named.items() if key not in CONTEXT}


CONTEXT = ("__ow_method", "__ow_headers", "__ow_path")


def test_the_context_is_told_in_lower_case_and_the_last_header_counts() -> None:
    told = arguments(a_request(kind="text/plain"), an_action())
    assert told["__ow_method"] == "post"
    assert told["__ow_headers"] == {"x-a": "2", "content-type": "text/plain"}
    assert told["__ow_path"] == "/p"
    assert "__ow_user" not in told


def test_the_body_wins_over_the_query() -> None:
    request = a_request(b'{"b":3}', "application/json", query="a=1&a=2&b=2&c=")
    assert given(request) == {"a": "2", "b": 3, "c": ""}


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/json", b"[1]", {"__ow_body": [1]}),
        ("application/json", b"", {}),
        ("application/x+json", b'{"a":1}', {"a": 1}),
        ("application/x-www-form-urlencoded", b"a=1&a=%20&b", {"a": " ", "b": ""}),
        ("text/plain", b"t", {"__ow_body": "t"}),
        ("application/xml", b"<a/>", {"__ow_body": "<a/>"}),
        ("image/svg+xml", b"<a/>", {"__ow_body": base64.b64encode(b"<a/>").decode()}),
        ("application/foo", b"\x00", {"__ow_body": "AA=="}),
        ("application/foo; charset=utf-8", b"t", {"__ow_body": "t"}),
        ("multipart/form-data; boundary=x", b"--x--", {"__ow_body": "--x--"}),
        (None, b"\x00", {"__ow_body": "AA=="}),
        ("nonsense", b"\x00", {"__ow_body": "AA=="}),
    ],
)
def test_a_body_travels_by_its_type(kind: str | None, body: bytes, told: dict[str, Any]) -> None:
    assert given(a_request(body, kind)) == told


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("application/json", b'{"a":1}', base64.b64encode(b'{"a":1}').decode()),
        ("application/vnd.api+json", b"{}", "{}"),
        ("text/plain", b"t", "t"),
        ("image/png", b"\x00", "AA=="),
        (None, None, ""),
    ],
)
def test_a_raw_action_gets_query_and_body_as_they_are(
    kind: str | None, body: bytes | None, text: str
) -> None:
    request = a_request(body, kind, query="locked=2&__ow_path=x")
    annotations = {"raw-http": True, "final": True}
    told = given(request, **annotations)
    assert told == {"__ow_query": "locked=2&__ow_path=x", "__ow_body": text}


@pytest.mark.parametrize("name", ["__ow_body", "__ow_user", "__ow_path"])
def test_names_of_the_platform_are_refused(name: str) -> None:
    with pytest.raises(ParametersNotAllowed):
        given(a_request(query=f"{name}=1"))


def test_what_is_final_is_not_overridden_and_what_is_null_is_free() -> None:
    assert given(a_request(query="open=1&new=2"), final=True) == {"open": "1", "new": "2"}
    with pytest.raises(ParametersNotAllowed):
        given(a_request(query="locked=2"), final=True)
    assert given(a_request(query="locked=2")) == {"locked": "2"}


def test_json_that_is_none_is_refused() -> None:
    with pytest.raises(MalformedContent):
        given(a_request(b"nope", "application/json"))
