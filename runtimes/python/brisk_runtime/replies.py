"""What is asked and answered, in the words of OpenWhisk's ActionLoop proxy."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol

_decode = json.JSONDecoder().decode
_ascii = json.JSONEncoder(separators=(",", ":")).encode


class Reply(NamedTuple):
    """An answer in the terms of HTTP."""

    status: int
    body: bytes
    has_run_code: bool = True
    """Whether code of the user had the chance to print."""
    memory_exhausted: bool = False
    shares: bool = False
    """Whether runs may come beside others from now on."""


class AnyRunner(Protocol):
    """What stands behind a face, whatever language it runs. One call at a time."""

    def init(self, body: bytes) -> Reply:
        """Load the code that the body of /init carries."""
        ...

    def run(self, body: bytes) -> Reply:
        """Run it with the value that the body of /run carries."""
        ...


INITIALISED = Reply(200, b'{"ok":true}\n')
NO_CODE = "Missing main/no code to execute."
ONCE = "Cannot initialize the action more than once."
NOT_READY = "no action defined yet"
EXITED = "command exited"
NO_OBJECT = "The action did not return a dictionary or array."


def read_request(body: bytes) -> dict[str, Any]:
    """Return the object in *body*. Raises ValueError."""
    if not body:
        raise ValueError("unexpected end of JSON input")
    request = _decode(body.decode("utf-8"))
    if not isinstance(request, dict):
        raise ValueError("the body is not an object")
    return request


def refusal(status: int, text: str) -> Reply:
    """Return an answer that no code of the user had a part in."""
    return Reply(status, error_body(text), has_run_code=False)


def error_body(text: str) -> bytes:
    """Return *text* as the body of an error."""
    return _ascii({"error": text.encode("utf-8", "replace").decode()}).encode()


def text_of(error: BaseException) -> str:
    """Return what *error* says; its kind where its own code fails to say it."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__
