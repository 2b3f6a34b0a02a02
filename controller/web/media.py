"""Media types, as far as they decide how a body travels: as text, as base64, or as JSON.

Which types are text is the registry of the HTTP library that OpenWhisk is built on (Pekko's
`MediaTypes`); what is not in it is binary, unless its charset is given.
"""

import re
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
HTML: Final = "text/html"
CHARSET: Final = "charset=UTF-8"

_TYPE: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)/([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_TEXT: Final = frozenset(
    {
        "application/atom+xml",
        "application/base64",
        "application/javascript",
        "application/rss+xml",
        "application/soap+xml",
        "application/xhtml+xml",
        "application/xml",
        "application/xml-dtd",
        FORM,
        "text/asp",
        "text/cache-manifest",
        "text/calendar",
        "text/css",
        "text/csv",
        "text/event-stream",
        HTML,
        "text/markdown",
        "text/mcf",
        "text/plain",
        "text/richtext",
        "text/tab-separated-values",
        "text/uri-list",
        "text/vnd.wap.wml",
        "text/vnd.wap.wmlscript",
        "text/x-asm",
        "text/x-c",
        "text/x-component",
        "text/x-h",
        "text/x-java-source",
        "text/x-pascal",
        "text/x-script",
        "text/x-scriptcsh",
        "text/x-scriptelisp",
        "text/x-scriptksh",
        "text/x-scriptlisp",
        "text/x-scriptperl",
        "text/x-scriptperl-module",
        "text/x-scriptphyton",
        "text/x-scriptrexx",
        "text/x-scriptscheme",
        "text/x-scriptsh",
        "text/x-scripttcl",
        "text/x-scripttcsh",
        "text/x-scriptzsh",
        "text/x-server-parsed-html",
        "text/x-setext",
        "text/x-sgml",
        "text/x-speech",
        "text/x-uuencode",
        "text/x-vcalendar",
        "text/x-vcard",
        "text/xml",
    }
)
_JSON: Final = frozenset(
    {
        JSON,
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/problem+json",
        "application/vnd.api+json",
    }
)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A content type that was read. *name* is lower-case, `type/subtype`."""

    name: str
    parameters: tuple[str, ...] = ()

    @property
    def is_json(self) -> bool:
        """Whether it is of the family of JSON."""
        return self.name == JSON or self.name.endswith("+json")

    @property
    def is_known_json(self) -> bool:
        """Whether the registry has it as JSON."""
        return self.name in _JSON

    @property
    def is_form(self) -> bool:
        """Whether it is a form's, with its fields in the body."""
        return self.name == FORM

    @property
    def is_binary(self) -> bool:
        """Whether a body of it is no text."""
        if self.name in _TEXT or self.name in _JSON or self.name.startswith("multipart/"):
            return False
        return not self.has_charset

    @property
    def has_charset(self) -> bool:
        """Whether it says how its text is encoded."""
        return any(each.lower().startswith("charset=") for each in self.parameters)

    @property
    def header(self) -> str:
        """The value of `Content-Type` for an answer: text says that it is UTF-8, JSON never."""
        shown = [self.name, *self.parameters]
        if self.name in _TEXT and not self.has_charset:
            shown.append(CHARSET)
        return "; ".join(shown)


def media_type(text: str) -> MediaType | None:
    """Return the media type that *text* is, None when it is none."""
    name, *parameters = (part.strip() for part in text.split(";"))
    if not _TYPE.fullmatch(name):
        return None
    return MediaType(name.lower(), tuple(filter(None, parameters)))
