"""`--verbose`: each request and answer, as OpenWhisk's command line shows them."""

import re
from contextlib import suppress
from typing import Final, TextIO

from cli.jsontext import NotJson, decode, pretty
from cli.transport import Answer, Request

SHOWN_BYTES: Final = 1000
_SECRET: Final = re.compile(
    r'("[^"]*(?:passw|secret)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE
)


class Witness:
    """Prints exchanges on one stream. `hides_keys`: credentials are left out of the headers."""

    def __init__(self, stream: TextIO, *, hides_keys: bool) -> None:
        self._stream = stream
        self._hides_keys = hides_keys

    def __call__(self, request: Request, answer: Answer | None) -> None:
        """Show *request* when it has no answer yet, else its *answer*."""
        if answer is None:
            self._show_request(request)
        else:
            self._show_answer(answer)

    def _show_request(self, request: Request) -> None:
        self._say("REQUEST:")
        self._say(f"[{request.method}]\t{request.url}")
        self._say("Req Headers")
        self._headers(request.headers)
        if request.body is not None:
            self._say("Req Body")
            self._say(_body(request.body))

    def _show_answer(self, answer: Answer) -> None:
        self._say(f"RESPONSE:Got response with code {answer.status}")
        self._say("Resp Headers")
        self._headers(answer.headers)
        self._say(f"Response body size is {len(answer.body)} bytes")
        self._say("Response body received:")
        self._say(_body(answer.body))

    def _headers(self, headers: dict[str, str]) -> None:
        shown = {
            name.title(): ["Basic ..." if self._hides_keys and _is_key(name) else value]
            for name, value in sorted(headers.items())
        }
        self._say(pretty(shown).replace("    ", "  "))

    def _say(self, text: str) -> None:
        print(text, file=self._stream)


def _is_key(name: str) -> bool:
    return name.lower() in ("authorization", "proxy-authorization")


def _body(body: bytes) -> str:
    if len(body) > SHOWN_BYTES:
        head = body[:SHOWN_BYTES].decode(errors="replace")
        return f"The body is longer than {SHOWN_BYTES} bytes and is cut:\n{head}"
    text = body.decode(errors="replace")
    with suppress(NotJson):  # What is no JSON is shown as it came.
        text = pretty(decode(text))
    return _SECRET.sub(r'\1"..."', text)
