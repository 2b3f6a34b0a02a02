"""Base paths, and paths with parameters in braces. Pure.

    /books/{id}/pages        a parameter is a segment, or a part of one: `{id}.json`
    /books/index             wins over /books/{id}: the first segment that differs decides
    /books/{id}.json         wins over it, too: it says more

A request is matched segment by segment, each decoded for itself, so that `%2F` in one does not make
it two. There is no backtracking in any of it: a path costs what its length is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from common.errors import ApiRefused

MAX_LENGTH: Final = 1024
MAX_SEGMENTS: Final = 32
_PARAMETER: Final = re.compile(r"\{([^{}/]+)\}")
_WORD_BREAK: Final = re.compile(r"[^0-9A-Za-z_-]+")
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f?#\\]")


@dataclass(frozen=True, slots=True)
class Segment:
    """What is between two slashes of a template."""

    is_open: bool
    """Whether it holds a parameter."""
    before: str
    """All of a literal; of another, what stands before its parameter."""
    after: str = ""
    parameter: str = ""

    def value_in(self, given: str) -> str | None:
        """Return what the parameter is in *given*; None when that does not fit."""
        if not self.is_open:
            return "" if given == self.before else None
        if not given.startswith(self.before) or not given.endswith(self.after):
            return None
        value = given[len(self.before) : len(given) - len(self.after)]
        fits = len(given) > len(self.before) + len(self.after)
        return value if fits else None


@dataclass(frozen=True, slots=True)
class Template:
    """A path of an API."""

    text: str
    segments: tuple[Segment, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(each.parameter for each in self.segments if each.is_open)

    @property
    def shape(self) -> tuple[Segment, ...]:
        """The same for templates that differ in names of parameters only."""
        return tuple(Segment(one.is_open, one.before, one.after) for one in self.segments)


def template(path: str) -> Template:
    """Return what *path* of a document means. Raises `ApiRefused`."""
    check(path)
    return Template(path, tuple(_segment(path, text) for text in split(path)))


def base_path(given: str) -> str:
    """Return *given* without a slash at its end; the root stays one. Raises `ApiRefused`."""
    check(given)
    if "{" in given or "}" in given:
        raise ApiRefused(
            f"The base path ({given}) cannot have parameters. "
            "Only the relative path supports path parameters."
        )
    if "%" in given:
        raise ApiRefused(f"The base path ({given}) has a '%': write its characters as they are.")
    return "/" + "/".join(split(given))


def check(path: str) -> None:
    """Refuse what is no path. Raises `ApiRefused`."""
    shown = path[:80]
    if not path.startswith("/"):
        raise ApiRefused(f"The path '{shown}' must begin with '/'.")
    if len(path) > MAX_LENGTH or path.count("/") > MAX_SEGMENTS:
        raise ApiRefused(
            f"The path '{shown}…' is too long: {MAX_LENGTH} characters and {MAX_SEGMENTS} "
            "segments are the most."
        )
    if _UNFIT.search(path):
        raise ApiRefused(
            f"The path '{shown}' has a character that stands in no path: a blank, '?', '#', '\\' "
            "or a control character."
        )


def split(path: str) -> list[str]:
    """Return the segments of *path*; a slash at its end makes none."""
    return [] if path == "/" else path.removesuffix("/")[1:].split("/")


def asked_segments(raw_path: str) -> list[str]:
    """Return the decoded segments of a request's path, which is as it was sent."""
    return [unquote(segment, errors="replace") for segment in split(raw_path or "/")]


def possible_bases(segments: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield each base path that a request may mean, the longest first, and how long it is."""
    for length in range(min(len(segments), MAX_SEGMENTS), -1, -1):
        yield "/" + "/".join(segments[:length]), length


def operation_id(verb: str, path: str) -> str:
    """Return what `verb` of `path` is called: `get`, `/path/in/it` is `getPathInIt`."""
    words = filter(None, _WORD_BREAK.split(path))
    return verb.lower() + "".join(word[:1].upper() + word[1:].lower() for word in words)


def _segment(path: str, text: str) -> Segment:
    before, *rest = _PARAMETER.split(text)
    if len(rest) > 2 or any("{" in each or "}" in each for each in (before, *rest)):
        raise ApiRefused(
            f"The segment '{text}' of path '{path}' cannot be read: it may have one parameter, "
            "such as {name}."
        )
    before = unquote(before, errors="replace")
    if not rest:
        return Segment(False, before)
    return Segment(True, before, unquote(rest[1], errors="replace"), rest[0])
