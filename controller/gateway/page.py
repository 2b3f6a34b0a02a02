"""The page about an API: one document of HTML that fetches nothing and tries calls. Pure.

Every word of it that is not from here is somebody's: it is escaped wherever it goes. The policy
that is sent along allows the one style and the one script that are written here, by their hashes,
and calls of the host that the page is from: so that nothing else would run, should a word ever slip
through.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from itertools import groupby
from typing import Final

from common.entity.api import Api
from controller.gateway.description import Described, Parameter, described, text_of

DOCS: Final = "_docs"
"""What follows the base path in the address of the page, where no path of the API is in its way."""
FILE: Final = "swagger.json"
"""What follows that in the address of the document."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the page is shown with."""

    style: str
    script: str

    @property
    def policy(self) -> str:
        """The header `Content-Security-Policy`."""
        return "; ".join(
            (
                "default-src 'none'",
                f"style-src '{_hash(self.style)}'",
                f"script-src '{_hash(self.script)}'",
                "connect-src 'self'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        )


def page(api: Api, look: Look) -> str:
    """Return the page about *api*."""
    info = api.document["info"]
    title = escape(text_of(api.title))
    version = escape(text_of(info.get("version"), 40))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>{look.style}</style></head>",
        f'<body class="without-script"><h1>{title} <small>{version}</small></h1>',
        _text(text_of(info.get("description"))),
        f"<p>Base path: <code>{escape(api.base_path)}</code> · ",
        f'<a href="{DOCS}/{FILE}" download>description for tools</a></p>',
        *_key(api),
    ]
    for path, same in groupby(described(api.document), lambda each: each.path):
        parts.append(f"<section><h2>{escape(path)}</h2>")
        for each in same:
            parts += _operation(each)
        parts.append("</section>")
    parts.append(f"<script>{look.script}</script></body></html>")
    return "\n".join(parts)


def _operation(each: Described) -> Iterator[str]:
    old = ' class="old"' if each.is_old else ""
    yield f'<details><summary><span class="verb">{each.verb}</span>'
    yield f"<span{old}>{escape(each.summary or each.path)}</span></summary><div>"
    yield _text(each.text)
    if each.parameters:
        yield "<h3>Parameters</h3><table>"
        for one in each.parameters:
            needed = " · required" if one.is_required else ""
            yield f"<tr><td><code>{escape(one.name)}</code></td>"
            yield f"<td>{one.place}{needed}<br>{escape(one.kind)}</td>"
            yield f"<td>{_text(one.text)}{_code(one.example)}</td></tr>"
        yield "</table>"
    if each.answers:
        yield "<h3>Answers</h3><table>"
        for answer in each.answers:
            yield f"<tr><td><code>{escape(answer.status)}</code></td>"
            yield f"<td>{_text(answer.text)}{_code(answer.schema)}</td></tr>"
        yield "</table>"
    yield from _form(each)
    yield "</div></details>"


def _form(each: Described) -> Iterator[str]:
    yield f'<form data-verb="{each.verb}" data-path="{escape(each.path)}">'
    for one in each.parameters:
        yield _field(one, each.body_type)
    has_body = any(one.place == "body" for one in each.parameters)
    if each.verb in ("POST", "PUT", "PATCH") and not has_body:
        yield _area("body", each.body_type)
    yield "<button>Send</button><output></output></form>"


def _field(one: Parameter, body_type: str) -> str:
    if one.place == "body":
        return _area(one.name, body_type)
    if one.place == "formData":
        return ""
    needed = " required" if one.is_required else ""
    name = escape(one.name)
    return f'<label>{name}<input name="{name}" data-in="{one.place}"{needed}></label>'


def _area(name: str, body_type: str) -> str:
    shown = escape(name)
    return (
        f"<label>{shown} · {escape(body_type)}"
        f'<textarea name="{shown}" data-in="body" data-type="{escape(body_type)}" rows="4">'
        "</textarea></label>"
    )


def _key(api: Api) -> Iterator[str]:
    if api.access.needs_key:
        header = escape(api.access.header)
        yield f"<p>Calls need a key, in the header <code>{header}</code>.</p>"
        yield f'<label class="key">{header}<input id="key" name="{header}" type="password"'
        yield ' autocomplete="off"></label>'


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _code(text: str) -> str:
    return f"<pre>{escape(text)}</pre>" if text else ""


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode()
