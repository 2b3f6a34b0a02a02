"""Alarms at a live platform, from the command line to the activation; also over its death."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.jsontext import decode
from tests.fakes import embedded
from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform
from tests.fakes.terminal import Outcome, in_process

ECHO = "def main(args):\n    return {'n': args.get('n')}\n"
WITHIN_S = 20.0


@pytest.fixture
def api(platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    (tmp_path / "props").write_text(f"APIHOST={platform.url}\nAUTH={platform.auth}\n")
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "props"))
    for name in ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return Api(platform.url, platform.auth)


def typed(*words: str) -> Outcome:
    return in_process(list(words))


def told(outcome: Outcome) -> dict[str, Any]:
    """Return what the feed answered, from the activation that was printed."""
    text = outcome.stdout + outcome.stderr
    record = decode(text[text.index("{") : text.rindex("}") + 1])
    result = record["response"]["result"]
    assert isinstance(result, dict)
    return result


def until(done: Callable[[], Any]) -> Any:
    """Return what *done* returns, once that is something."""
    give_up_s = time.monotonic() + WITHIN_S
    while not (found := done()):
        assert time.monotonic() < give_up_s, "it never happened"
        time.sleep(0.05)
    return found


def firings(api: Api, trigger: str) -> list[dict[str, Any]]:
    """Return the firings of *trigger*, the newest first."""
    found = api.call("GET", f"activations?name={trigger}&limit=200&docs=true").body
    assert isinstance(found, list)
    return found


def wait_for_two_more(api: Api, trigger: str) -> None:
    known = len(firings(api, trigger))
    until(lambda: len(firings(api, trigger)) > known + 1)


def a_rule(api: Api, trigger: str, action: str) -> None:
    api.put_action(action, ECHO)
    body = {"trigger": f"/_/{trigger}", "action": f"/_/{action}"}
    assert api.call("PUT", f"rules/on-{trigger}", body).status == 200


def test_an_alarm_lives_from_its_making_to_its_end(api: Api) -> None:
    made = typed(
        "trigger", "create", "each", "--feed", "/whisk.system/alarms/alarm",
        "-p", "cron", "* * * * * *", "-p", "trigger_payload", '{"n": 7}',
    )  # fmt: skip
    assert (made.exit, told(made)) == (0, {"status": "success"})
    a_rule(api, "each", "each-echo")
    until(lambda: len(firings(api, "each")) >= 3)
    [newest, before, *_] = firings(api, "each")
    assert newest["response"]["result"] == {"n": 7}
    assert newest["start"] // 1000 - before["start"] // 1000 == 1
    [line] = map(decode, newest["logs"])
    assert api.record(line["activationId"])["response"]["result"] == {"n": 7}

    read = told(typed("trigger", "get", "each"))
    assert read["config"] == {
        "cron": "* * * * * *", "timezone": "UTC", "name": "each", "namespace": "guest",
        "payload": {"n": 7}, "startDate": None, "stopDate": None,
    }  # fmt: skip
    assert read["status"]["active"] is True

    changed = typed("trigger", "update", "each", "-F", "cron", "0 0 1 1 *")
    assert (changed.exit, told(changed)) == (0, {"status": "success"})
    assert told(typed("trigger", "get", "each"))["config"]["cron"] == "0 0 1 1 *"

    gone = typed("trigger", "delete", "each")
    assert (gone.exit, told(gone)) == (0, {"status": "success"})
    assert api.call("GET", "triggers/each").status == 404


def test_an_alarm_that_cannot_be_leaves_no_trigger_and_no_feed(api: Api) -> None:
    refused = typed(
        "trigger", "create", "never", "--feed", "/whisk.system/alarms/alarm",
        "-p", "cron", "0 0 30 2 *",
    )  # fmt: skip
    assert refused.exit == 246
    assert "cron pattern '0 0 30 2 *' is not valid" in refused.stderr
    assert api.call("GET", "triggers/never").status == 404
    asked = {"lifecycleEvent": "READ", "triggerName": "/_/never", "authKey": embedded.GUEST_AUTH}
    answered = api.call(
        "POST", "/api/v1/namespaces/whisk.system/actions/alarms/alarm?blocking=true", asked
    )
    assert answered.body["response"]["result"]["error"].startswith(
        "Trigger authentication request failed with 404"
    )


def test_a_feed_is_nobodys_who_has_not_the_key_of_its_trigger(api: Api) -> None:
    typed(
        "trigger", "create", "mine", "--feed", "/whisk.system/alarms/interval", "-p", "minutes", "9"
    )
    for key in ("x" * 36 + ":" + "y" * 64, "nonsense", ""):
        for event in ("READ", "UPDATE", "DELETE", "PAUSE"):
            asked = {
                "lifecycleEvent": event, "triggerName": "/guest/mine", "authKey": key,
                "minutes": 1,
            }  # fmt: skip
            answered = api.call("POST", "/api/brisk/v1/feeds/alarms/interval", asked)
            assert answered.status in (400, 401), answered
    assert told(typed("trigger", "get", "mine"))["config"]["minutes"] == 9
    typed("trigger", "delete", "mine")


def test_a_date_fires_once_and_takes_its_trigger_and_rules_along(api: Api) -> None:
    date = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    made = typed(
        "trigger", "create", "onetime", "--feed", "/whisk.system/alarms/once",
        "-p", "date", date, "-p", "deleteAfterFire", "rules",
    )  # fmt: skip
    assert made.exit == 0, made
    a_rule(api, "onetime", "onetime-echo")
    until(lambda: api.call("GET", "triggers/onetime").status == 404)
    assert api.call("GET", "rules/on-onetime").status == 404
    assert len(firings(api, "onetime")) == 1


def test_an_alarm_goes_on_behind_a_kill_and_fires_nothing_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = embedded.start(data)
    try:
        api = Api(embedded.wait_ready(process), embedded.GUEST_AUTH)
        body = {
            "triggerName": "/_/kept", "authKey": embedded.GUEST_AUTH, "cron": "* * * * * *",
            "missed": "all",
        }  # fmt: skip
        assert api.call("PUT", "triggers/kept", {}).status == 200
        path = "/api/v1/namespaces/whisk.system/actions/alarms/alarm?blocking=true"
        assert api.call("POST", path, body).status == 200
        a_rule(api, "kept", "kept-echo")
        for _ in range(3):
            wait_for_two_more(api, "kept")
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()
            time.sleep(1.5)  # for which it is missed
            process = embedded.start(data)
            api = Api(embedded.wait_ready(process), embedded.GUEST_AUTH)
        wait_for_two_more(api, "kept")
        api.call("POST", "rules/on-kept", {"status": "inactive"})
        seen = firings(api, "kept")
        span_s = seen[0]["start"] // 1000 - seen[-1]["start"] // 1000 + 1
        assert abs(len(seen) - span_s) <= 1, "each second one, those of the pauses made up for"
        ran = [decode(line)["activationId"] for each in seen for line in each["logs"]]
        assert len(set(ran)) == len(ran)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
