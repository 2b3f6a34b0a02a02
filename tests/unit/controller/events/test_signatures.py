"""Whose call of a hook is believed: vectors of those who send them, and what is made up."""

import hmac
from hashlib import sha256

import pytest

from controller.events.signatures import Scheme, Signed, Unsigned, check

NOW_S = 1_795_000_000
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def signed(secret: bytes, text: bytes) -> str:
    return hmac.new(secret, text, sha256).hexdigest()


def test_githubs_own_example() -> None:
    """As "Validating webhook deliveries" of its documentation has it."""
    given = {
        "x-hub-signature-256": "sha256="
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    secret = b"It's a Secret to Everybody"
    found = check(Scheme(kind="github"), secret, given, b"Hello, World!", NOW_S)
    assert isinstance(found, Signed)
    for body in (b"Hello, World", b"Hello, World!\n", b""):
        assert isinstance(check(Scheme(kind="github"), secret, given, body, NOW_S), Unsigned)


def test_slacks_own_example() -> None:
    """As "Verifying requests from Slack" of its documentation has it."""
    given = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    scheme, secret = Scheme(kind="slack"), b"8f742231b10e8888abcd99yyyzzz85a5"
    assert isinstance(check(scheme, secret, given, SLACK_BODY, 1531420618 + 300), Signed)
    late = check(scheme, secret, given, SLACK_BODY, 1531420618 + 301)
    assert late == Unsigned("It was not sent within 300 seconds of now, by the platform's clock.")
    early = check(scheme, secret, given, SLACK_BODY, 1531420618 - 301)
    assert early == late
    again = given | {"X-Slack-Request-Timestamp": "1531420619"}
    assert isinstance(check(scheme, secret, again, SLACK_BODY, 1531420618), Unsigned)


def test_stripes_signatures_while_a_secret_is_changed() -> None:
    secret, body = b"whsec_test", b'{"id": "evt_1"}'
    right = signed(secret, f"{NOW_S}.".encode() + body)
    other = signed(b"older", f"{NOW_S}.".encode() + body)
    for header in (
        f"t={NOW_S},v1={right}", f"t={NOW_S},v1={other},v1={right},v0=0", f"v1={right}, t={NOW_S}",
    ):  # fmt: skip
        given = {"Stripe-Signature": header}
        assert isinstance(check(Scheme(kind="stripe"), secret, given, body, NOW_S), Signed)
    for header in (
        f"t={NOW_S},v1={other}", f"t={NOW_S - 1},v1={right}", f"v1={right}", "t=,v1=", "t=x",
        f"t={NOW_S},v0={right}", ",,,=,", f"t={NOW_S},v1=" + "é" * 64,
        f"t={NOW_S}," + "v1=0," * 100 + f"v1={right}",
    ):  # fmt: skip
        given = {"Stripe-Signature": header}
        assert isinstance(check(Scheme(kind="stripe"), secret, given, body, NOW_S), Unsigned)


def test_a_hook_may_name_its_headers() -> None:
    secret, body = b"s", b"{}"
    scheme = Scheme(header="X-Sender-Signature")
    given = {"x-sender-signature": signed(secret, body)}
    assert isinstance(check(scheme, secret, given, body, NOW_S), Signed)
    timed = Scheme(header="X-Sender-Signature", time_header="X-Sent", window_s=10)
    given = {
        "X-SENDER-SIGNATURE": "sha256=" + signed(secret, f"{NOW_S}.".encode() + body).upper(),
        "X-Sent": str(NOW_S),
    }
    assert isinstance(check(timed, secret, given, body, NOW_S + 10), Signed)
    assert isinstance(check(timed, secret, given, body, NOW_S + 11), Unsigned)
    del given["X-Sent"]
    assert isinstance(check(timed, secret, given, body, NOW_S), Unsigned)


@pytest.mark.parametrize("kind", ["generic", "github", "slack", "stripe"])
@pytest.mark.parametrize("value", ["", " ", "sha256=", "v0=", "0" * 64, "\x00", "é", "=" * 9999])
def test_what_is_no_signature_is_none(kind: str, value: str) -> None:
    scheme = Scheme(kind=kind)  # type: ignore[arg-type]
    given = {scheme.signature_header: value, "X-Slack-Request-Timestamp": str(NOW_S)}
    assert isinstance(check(scheme, b"secret", given, b"{}", NOW_S), Unsigned)
    assert check(scheme, b"secret", {}, b"{}", NOW_S) == Unsigned(
        f"There is no header {scheme.signature_header}."
    )


def test_what_is_sent_again_has_the_same_name_and_what_says_something_else_another() -> None:
    secret = b"s"

    def name(body: bytes) -> str:
        given = {"X-Hub-Signature-256": signed(secret, body), "X-GitHub-Delivery": str(len(body))}
        found = check(Scheme(kind="github"), secret, given, body, NOW_S)
        assert isinstance(found, Signed)
        return found.name

    assert name(b"1") == name(b"1") != name(b"2")
