"""Hooks at a live platform: who signs fires the trigger, once; nobody else does anything."""

import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from common.clock import SystemClock
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH, RunningPlatform

FEED = "/api/v1/namespaces/whisk.system/actions/webhooks/hook?blocking=true"
SECRET = "a secret of the sender's"


@pytest.fixture
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def told(api: Api, trigger: str, event: str, **given: Any) -> Any:
    asked = {
        "lifecycleEvent": event, "triggerName": f"/_/{trigger}", "authKey": GUEST_AUTH, **given,
    }  # fmt: skip
    return api.call("POST", FEED, asked).body["response"]["result"]


def a_hook(api: Api, trigger: str, **given: Any) -> str:
    """Make a hook with a rule; return where it is called."""
    assert api.call("PUT", f"triggers/{trigger}?overwrite=true", {}).status == 200
    made = told(api, trigger, "CREATE", secret=SECRET, **given)
    assert made["status"] == "success", made
    api.put_action("echo", "def main(a): return a")
    body = {"trigger": f"/_/{trigger}", "action": "/_/echo"}
    assert api.call("PUT", f"rules/r-{trigger}?overwrite=true", body).status == 200
    return str(made["url"])


def called(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def github(body: bytes, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push",
        "Content-Type": "application/json", "Authorization": "Basic AAAA",
    }  # fmt: skip


def events(api: Api, trigger: str) -> list[dict[str, Any]]:
    found = api.call("GET", f"activations?name={trigger}&docs=true").body
    return [each["response"]["result"] for each in found]


def test_a_push_fires_the_trigger_with_what_it_says_once(api: Api) -> None:
    url = a_hook(api, "pushed", kind="github")
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    for _ in range(3):  # GitHub sends it again, or somebody who has recorded it does
        assert called(url, body, github(body)) == (202, {})
    [event] = events(api, "pushed")
    assert event["ref"] == "refs/heads/main"
    assert event["__hook"]["headers"]["x-github-event"] == "push"
    assert not {"authorization", "x-hub-signature-256"} & event["__hook"]["headers"].keys()
    other = b'{"ref": "refs/heads/other"}'
    assert called(url, other, github(other))[0] == 202
    assert len(events(api, "pushed")) == 2


def test_who_does_not_sign_or_guesses_does_nothing(api: Api) -> None:
    url = a_hook(api, "guarded", kind="github")
    body = b"{}"
    wrong = github(body, "another secret")
    status, told = called(url, body, wrong)
    text = "The signature is not that of the body under the secret of this hook."
    assert (status, told["error"]) == (401, text)
    assert told.keys() == {"error", "code"}
    assert called(url, body, {})[0] == 401
    root, _, token = url.rpartition("/")
    elsewhere = root.replace("guarded", "nosuch")
    for guessed in (
        f"{root}/{'0' * 40}", f"{root}/{token[:-1]}", f"{elsewhere}/{token}",
        f"{root.replace('/guest/', '/other/')}/{token}", f"{root}/%20", f"{root}/{token}x",
    ):  # fmt: skip
        status, told = called(guessed, body, github(body))
        assert (status, told["error"]) == (404, "There is no such hook.")
    large = b'{"a": "' + b"x" * (1 << 20) + b'"}'
    assert called(url, large, github(large))[0] == 413
    assert not events(api, "guarded")


def test_a_form_of_slack_and_its_question(api: Api) -> None:
    url = a_hook(api, "slacked", kind="slack")

    def slack(body: bytes, content_type: str, at_s: int | None = None) -> tuple[int, Any]:
        sent = str(at_s or SystemClock().now_ms() // 1000)
        text = b"v0:" + sent.encode() + b":" + body
        headers = {
            "X-Slack-Request-Timestamp": sent, "Content-Type": content_type,
            "X-Slack-Signature": "v0=" + hmac.new(SECRET.encode(), text, sha256).hexdigest(),
        }  # fmt: skip
        return called(url, body, headers)

    question = json.dumps({"type": "url_verification", "challenge": "c4"}).encode()
    assert slack(question, "application/json") == (200, {"challenge": "c4"})
    form = "application/x-www-form-urlencoded"
    assert slack(b"command=%2Fdo&text=a+b", form) == (202, {})
    status, said = slack(b"command=%2Fdo&text=old", form, SystemClock().now_ms() // 1000 - 1000)
    assert (status, said["error"]) == (
        401, "It was not sent within 300 seconds of now, by the platform's clock.",
    )  # fmt: skip
    [event] = events(api, "slacked")
    assert (event["command"], event["text"]) == ("/do", "a b")


def test_the_life_of_a_hook(api: Api) -> None:
    url = a_hook(api, "lived", header="X-Sig", window=60)
    read = told(api, "lived", "READ")
    assert read["config"] == {
        "name": "lived", "namespace": "guest", "kind": "generic", "header": "X-Sig",
        "window": 60, "url": url,
    }  # fmt: skip
    assert SECRET not in json.dumps(read)

    def call(body: bytes, secret: str = SECRET) -> int:
        signature = hmac.new(secret.encode(), body, sha256).hexdigest()
        return called(url, body, {"X-Sig": signature, "Content-Type": "text/plain"})[0]

    assert call(b"plain text") == 202
    assert call(b"\xff\x00") == 202
    assert told(api, "lived", "PAUSE") == {"status": "success"}
    assert call(b"1") == 409
    assert told(api, "lived", "UNPAUSE") == {"status": "success"}
    assert call(b"1") == 202
    assert told(api, "lived", "UPDATE", secret="changed") == {"status": "success"}
    assert (call(b"2"), call(b"2", "changed")) == (401, 202)
    assert told(api, "lived", "UPDATE")["error"] == "no updatable parameters were specified"
    seen = [(each.get("payload"), each["__hook"].get("encoding")) for each in events(api, "lived")]
    assert sorted(seen, key=str) == sorted(
        [("plain text", None), ("/wA=", "base64"), (1, None), (2, None)], key=str
    )
    assert api.call("DELETE", "triggers/lived").status == 200
    assert call(b"3", "changed") == 409
    api.call("PUT", "triggers/lived", {})
    stopped = told(api, "lived", "READ")["status"]
    assert (stopped["active"], stopped["reason"]["statusCode"]) == (False, 404)
    assert told(api, "lived", "DELETE") == {"status": "success"}
    assert call(b"4", "changed") == 404


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"secret": ""}, "webhooks trigger feed is missing the secret parameter, a text"),
        ({"secret": 5}, "webhooks trigger feed is missing the secret parameter, a text"),
        ({"kind": "fax"}, "kind parameter must be one of [generic, github, slack, stripe]."),
        ({"header": "a b"}, "header parameter 'a b' is no name of a header"),
        (
            {"kind": "github", "header": "X-A"},
            "header parameter is for hooks of the kind generic",
        ),
        ({"window": 4000}, "window parameter must be an integer from 1 to 3600"),
        ({"window": "long"}, "window parameter must be an integer from 1 to 3600"),
    ],
)
def test_what_cannot_be_is_said(api: Api, given: dict[str, Any], text: str) -> None:
    api.call("PUT", "triggers/refused?overwrite=true", {})
    assert told(api, "refused", "CREATE", **({"secret": SECRET} | given))["error"] == text
    assert "There is no feed" in told(api, "refused", "READ")["error"]
