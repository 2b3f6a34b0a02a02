"""Triggers with feeds, typed at a live platform: the feed is an action of the test's own."""

from pathlib import Path

import pytest

from cli.jsontext import decode
from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform
from tests.fakes.terminal import Outcome, in_process

ECHO = "def main(args):\n    print(args['lifecycleEvent'], args['triggerName'])\n    return args\n"
BROKEN = "def main(args):\n    return {'error': 'no source of events'}\n"


@pytest.fixture(autouse=True)
def configured(platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    (tmp_path / "props").write_text(f"APIHOST={platform.url}\nAUTH={platform.auth}\n")
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "props"))
    for name in ("WHISK_APIHOST", "WHISK_AUTH", "WHISK_APIVERSION", "WSK_CLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    api = Api(platform.url, platform.auth)
    api.put_action("echo", ECHO)
    api.put_action("broken", BROKEN)
    return api


def typed(line: str) -> Outcome:
    return in_process(line.split())


def told(outcome: Outcome) -> dict[str, object]:
    """Return what the feed was told, from the activation that was printed."""
    assert outcome.exit == 0, outcome
    text = outcome.stdout[outcome.stdout.index("{") : outcome.stdout.rindex("}") + 1]
    result = decode(text)["response"]["result"]
    assert isinstance(result, dict)
    return result


def test_a_feed_hears_of_its_trigger_from_the_first_to_the_last(
    platform: RunningPlatform, configured: Api
) -> None:
    made = typed("trigger create fed --feed echo -F every 5 -T kept 1")
    assert told(made) == {
        "every": 5,
        "lifecycleEvent": "CREATE",
        "triggerName": "/_/fed",
        "authKey": platform.auth,
    }
    assert made.stdout.startswith("ok: invoked /_/echo with id ")
    assert made.stdout.endswith("}\nok: created trigger fed\n")
    stored = configured.call("GET", "triggers/fed").body
    assert stored["parameters"] == [{"key": "kept", "value": 1}]
    assert {"key": "feed", "value": "/_/echo"} in stored["annotations"]

    assert told(typed("trigger get fed"))["lifecycleEvent"] == "READ"
    updated = told(typed("trigger update fed -F every 9 -a why later"))
    assert (updated["lifecycleEvent"], updated["every"]) == ("UPDATE", 9)
    stored = configured.call("GET", "triggers/fed").body
    assert {one["key"] for one in stored["annotations"]} == {"feed", "why"}
    assert stored["parameters"] == [{"key": "kept", "value": 1}], "what is not typed stays"

    gone = typed("trigger delete fed")
    assert told(gone)["lifecycleEvent"] == "DELETE"
    assert gone.stdout.endswith("}\nok: deleted trigger fed\n")
    assert configured.call("GET", "triggers/fed").status == 404


@pytest.mark.parametrize(("feed", "code"), [("broken", 246), ("nosuch", 148)])
def test_a_trigger_whose_feed_fails_is_not_there(configured: Api, feed: str, code: int) -> None:
    refused = typed(f"trigger create unfed --feed {feed} -p every 5")
    assert (refused.exit, refused.stdout) == (code, "ok: deleted trigger unfed\n")
    assert refused.stderr.splitlines()[-1].startswith(
        f"error: Unable to create trigger 'unfed': Unable to configure feed '/_/{feed}': "
    )
    assert configured.call("GET", "triggers/unfed").status == 404
