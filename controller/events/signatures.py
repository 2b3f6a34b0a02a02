"""Whether who calls a hook knows its secret: the signatures that senders use. Pure.

What is signed is the body, in some with the moment at which it was sent; a moment that is too far
away is refused, so that what somebody has recorded is of no use later. Everything is compared in
constant time. Sources: the documentation of GitHub's, Slack's and Stripe's webhooks.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["generic", "github", "slack", "stripe"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SIGNATURE: Final[Mapping[Kind, str]] = {
    "generic": "X-Signature",
    "github": "X-Hub-Signature-256",
    "slack": "X-Slack-Signature",
    "stripe": "Stripe-Signature",
}
"""Which header has it; that of `generic` may be another one."""
WINDOW_S: Final = 300
"""How far the moment at which something was sent may be away, unless a hook says otherwise."""
SLACK_TIME: Final = "X-Slack-Request-Timestamp"
_MOST_SIGNATURES: Final = 16
_MOST_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How one hook is signed."""

    kind: Kind = "generic"
    header: str = ""
    """Of a `generic` one: which header has the signature; empty is the usual one."""
    time_header: str = ""
    """Of a `generic` one: which header has the moment, in seconds, that is signed before the body
    and a dot; empty if only the body is signed."""
    window_s: int = WINDOW_S

    @property
    def signature_header(self) -> str:
        """Which header has the signature."""
        return (self.header if self.kind == "generic" else "") or SIGNATURE[self.kind]


@dataclass(frozen=True, slots=True)
class Signed:
    """A call by somebody who knows the secret. *name*: the same for the same event."""

    name: str


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A call by nobody known, and why it is taken for one."""

    why: str


def check(
    scheme: Scheme, secret: bytes, headers: Mapping[str, str], body: bytes, now_s: int
) -> Signed | Unsigned:
    """Judge one call. *headers* are found whatever their case."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    signature = given.get(scheme.signature_header.lower(), "")[:_MOST_CHARACTERS]
    if not signature:
        return Unsigned(f"There is no header {scheme.signature_header}.")
    match scheme.kind:
        case "github":
            is_right = _is_one(_hex(secret, body), [signature.removeprefix("sha256=")])
            return _verdict(is_right, body)
        case "slack":
            sent = given.get(SLACK_TIME.lower(), "")
            signed = _hex(secret, b"v0:" + sent.encode() + b":" + body)
            is_right = _is_one(signed, [signature.removeprefix("v0=")])
            return _in_time(scheme, sent, now_s) or _verdict(is_right, body)
        case "stripe":
            parts = [part.strip().partition("=") for part in signature.split(",")]
            sent = next((value for name, _, value in parts if name == "t"), "")
            offered = [value for name, _, value in parts if name == "v1"][:_MOST_SIGNATURES]
            is_right = _is_one(_hex(secret, sent.encode() + b"." + body), offered)
            return _in_time(scheme, sent, now_s) or _verdict(is_right, body)
        case "generic":
            offered = [signature.removeprefix("sha256=")]
            if not scheme.time_header:
                return _verdict(_is_one(_hex(secret, body), offered), body)
            sent = given.get(scheme.time_header.lower(), "")
            text = sent.encode() + b"." + body
            is_right = _is_one(_hex(secret, text), offered)
            return _in_time(scheme, sent, now_s) or _verdict(is_right, text)


def _in_time(scheme: Scheme, sent: str, now_s: int) -> Unsigned | None:
    if not (sent.isascii() and sent.isdigit()) or len(sent) > len("99999999999"):
        return Unsigned("The moment at which it was sent is missing, or no number of seconds.")
    if abs(now_s - int(sent)) > scheme.window_s:
        return Unsigned(
            f"It was not sent within {scheme.window_s} seconds of now, by the platform's clock."
        )
    return None


def _verdict(is_right: bool, event: bytes) -> Signed | Unsigned:
    if not is_right:
        return Unsigned("The signature is not that of the body under the secret of this hook.")
    return Signed(sha256(event).hexdigest())


def _hex(secret: bytes, text: bytes) -> bytes:
    return hmac.digest(secret, text, sha256).hex().encode()


def _is_one(wanted: bytes, offered: Iterable[str]) -> bool:
    # Each is compared, whatever the ones before it were.
    found = [hmac.compare_digest(wanted, each.lower().encode()) for each in offered]
    return any(found)
