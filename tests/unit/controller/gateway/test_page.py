"""The page about an API: what it tells, and that no word of anybody becomes more than a word."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from common.entity.api import Access, Api
from common.ids import Namespace
from controller.gateway.description import described, public
from controller.gateway.page import Look, page
from controller.gateway.pages import Pages
from tests.unit.controller.gateway.documents import document, operation

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;{{7*7}}\u2028"
LOOK = Look("body {}", "'use strict'")


class Parsed(HTMLParser):
    """Tags with their attributes, and all text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def an_api(paths: dict[str, Any], **more: Any) -> Api:
    return Api(
        tenant="t",
        namespace=Namespace("guest"),
        base_path="/books",
        document=document(paths, **more),
    )


BOOKS = {
    "/books/{id}": {
        "parameters": [{"$ref": "#/parameters/id"}],
        "get": operation(
            "one",
            summary="Read a book",
            description="All\nof it.",
            parameters=[{"name": "page", "in": "query", "type": "integer", "enum": [1, 2]}],
        ),
        "put": operation(
            "two",
            deprecated=True,
            consumes=["application/xml"],
            parameters=[{"name": "book", "in": "body", "schema": {"$ref": "#/definitions/Book"}}],
        ),
        "post": {"responses": {"201": {"description": "Made", "schema": {"type": "object"}}}},
    },
}
SHARED: dict[str, Any] = {
    "parameters": {
        "id": {"name": "id", "in": "path", "required": True, "type": "string", "format": "uuid"}
    },
    "definitions": {"Book": {"type": "object", "properties": {"title": {"type": "string"}}}},
}


def test_the_page_tells_operations_with_parameters_and_answers() -> None:
    shown = Parsed(page(an_api(BOOKS, **SHARED), LOOK))
    for told in (
        "books", "1.0.0", "/books/{id}", "Read a book", "All\nof it.", "string (uuid)", "required",
        "integer: one of [1, 2]", "application/xml", '"title"', "Made", "201", "application/json",
    ):  # fmt: skip
        assert told in shown.text, told
    forms = [attributes for tag, attributes in shown.tags if tag == "form"]
    assert forms == [
        {"data-verb": verb, "data-path": "/books/{id}"} for verb in ("GET", "PUT", "POST")
    ]
    assert [
        (attributes["name"], attributes["data-in"])
        for tag, attributes in shown.tags
        if "data-in" in attributes
    ] == [
        ("id", "path"), ("page", "query"), ("id", "path"), ("book", "body"), ("id", "path"),
        ("body", "body"),
    ]  # fmt: skip


def test_no_word_of_anybody_becomes_more_than_a_word() -> None:
    hostile = {
        "parameters": [
            {"name": HOSTILE, "in": "query", "description": HOSTILE, "type": HOSTILE, "format": 7},
            {"name": {"a": HOSTILE}, "in": "header", "enum": [HOSTILE]},
            {"name": HOSTILE, "in": "body", "schema": {HOSTILE: HOSTILE}},
            {"in": HOSTILE},
            7,
        ],
        "summary": HOSTILE,
        "description": [HOSTILE],
        "consumes": [HOSTILE],
        "responses": {HOSTILE: {"description": HOSTILE, "schema": HOSTILE}, "200": 7},
    }
    paths = {f"/{HOSTILE}": {"get": hostile, "post": {"parameters": HOSTILE, "responses": []}}}
    api = an_api(paths, info={"title": HOSTILE, "version": HOSTILE, "description": {"x": HOSTILE}})
    api = replace(api, access=Access(needs_key=True, header="X-Mine"))
    shown = Parsed(page(api, LOOK))
    allowed = {
        "html", "head", "meta", "title", "link", "style", "body", "h1", "h2", "h3", "small", "p",
        "code", "a", "label", "input", "section", "details", "summary", "span", "div", "table",
        "tr", "td", "br", "pre", "form", "textarea", "button", "output", "script",
    }  # fmt: skip
    assert {tag for tag, _ in shown.tags} <= allowed
    assert [tag for tag, _ in shown.tags].count("script") == 1
    handlers = [
        name for _, attributes in shown.tags for name in attributes if name.startswith("on")
    ]
    assert handlers == []
    assert shown.text.count(HOSTILE) > 5


def test_nothing_is_fetched_from_anywhere() -> None:
    text = page(an_api(BOOKS, **SHARED), LOOK)
    assert re.findall(r"(?:src|href|action|url)\s*[=(]\s*[\"']?([^\"')>\s]+)", text) == [
        "data:,", "_docs/swagger.json",
    ]  # fmt: skip
    pages = Pages()
    whole = pages.of(an_api(BOOKS, **SHARED)).decode()
    assert "http://" not in whole and "https://" not in whole and "@import" not in whole


def test_the_policy_allows_the_style_and_the_script_of_the_page_alone() -> None:
    assert LOOK.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in LOOK.policy and "*" not in LOOK.policy
    headers = Pages().headers
    assert headers["Content-Security-Policy"].count("'sha256-") == 2
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_long_text_is_cut_and_a_deep_one_is_shown() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"x": deep}
    paths = {"/x": {"get": operation("one", description="y" * 100_000, summary=deep)}}
    text = page(an_api(paths), LOOK)
    assert len(text) < 20_000
    assert "y…" in text


def test_a_page_is_written_once_for_each_revision() -> None:
    pages = Pages()
    api = an_api(BOOKS, **SHARED)
    first = pages.of(api)
    assert pages.of(api) is first
    assert pages.of(replace(api, rev="2-x")) is not first  # type: ignore[arg-type]
    for number in range(100):
        pages.of(replace(api, base_path=f"/{number}"))
    assert repr(pages) == "<Pages 64 written>"


def test_the_document_for_everybody_holds_no_secret_and_no_action() -> None:
    secret = {"cors": {"enabled": True}, "assembly": {"execute": [{"value": "s3cret"}]}}
    api = an_api(BOOKS, **SHARED, **{"x-ibm-configuration": secret})
    given = public(api, "https://apis.example.com/x/api/t/books")
    assert (given["host"], given["schemes"], given["basePath"]) == (
        "apis.example.com",
        ["https"],
        "/x/api/t/books",
    )
    assert "s3cret" not in str(given) and "x-openwhisk" not in str(given)
    assert "securityDefinitions" not in given
    keyed = public(replace(api, access=Access(needs_key=True)), "http://h/b")
    assert keyed["securityDefinitions"] == {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    }
    assert "x-openwhisk" in str(api.document)


@pytest.mark.parametrize("listed", [None, "text", 7, [None], {"a": 1}])
def test_odd_lists_are_no_parameters(listed: Any) -> None:
    paths = {"/x": {"get": {"parameters": listed, "responses": listed, "consumes": listed}}}
    [one] = described(document(paths))
    assert (one.parameters, one.body_type) == ((), "application/json")
