from typing import Any

import pytest

from cli.jsontext import decode
from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")

STORED: dict[str, Any] = {
    "namespace": "guest",
    "name": "tr",
    "version": "0.0.1",
    "annotations": [],
    "parameters": [{"key": "x", "value": 1}],
    "limits": {},
    "publish": False,
    "rules": {},
    "updated": 7,
}
FEED = {"key": "feed", "value": "/_/f/feed"}
FED = STORED | {"annotations": [FEED], "parameters": []}
ACTIVATION = {"activationId": "1" * 32, "name": "feed", "response": {"success": True}}
CALL = "POST actions/f/feed?blocking=true&result=false"
MISSING = "The requested resource does not exist. (code tid42)\n"


def arguments(event: str, **sent: object) -> dict[str, object]:
    return sent | {"lifecycleEvent": event, "triggerName": "/_/tr", "authKey": "uuid:key"}


def test_create_without_a_feed(line: Run, api: FakeApi) -> None:
    api.answer("PUT triggers/tr", STORED)
    done = line("wsk trigger create tr -p x 1")
    assert (done.exit, done.stdout, done.stderr) == (0, "ok: created trigger tr\n", "")
    assert api.targets == ["PUT triggers/tr?overwrite=false"]
    assert api.asked[0].body == {"name": "tr", "parameters": [{"key": "x", "value": 1}]}


@pytest.mark.parametrize(
    ("typed", "stored", "sent"),
    [
        ("-p a 1", None, {"a": 1}),
        ("-F a 1", None, {"a": 1}),
        ("-T b 2", [{"key": "b", "value": 2}], {}),
        ("-F a 1 -T b 2", [{"key": "b", "value": 2}], {"a": 1}),
    ],
)
def test_create_with_a_feed(
    line: Run, api: FakeApi, typed: str, stored: Any, sent: dict[str, Any]
) -> None:
    api.answer("PUT triggers/tr", FED)
    api.answer("POST actions/f/feed", ACTIVATION)
    done = line(f"wsk trigger create tr --feed f/feed -a k v {typed}")
    assert (done.exit, done.stderr) == (0, "")
    assert api.targets == ["PUT triggers/tr?overwrite=false", CALL]
    body = {"name": "tr", "annotations": [{"key": "k", "value": "v"}, FEED]}
    assert api.asked[0].body == (body if stored is None else body | {"parameters": stored})
    assert api.asked[1].body == arguments("CREATE", **sent)
    first, *between, last = done.stdout.splitlines()
    assert first == f"ok: invoked /_/f/feed with id {'1' * 32}"
    assert decode("\n".join(between)) == ACTIVATION
    assert last == "ok: created trigger tr"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ((502, ACTIVATION), 246, f"the feed action failed (activation {'1' * 32})"),
        ((202, ACTIVATION), 202, f"the feed action has not yet finished (activation {'1' * 32})"),
        ((404, {"error": "gone", "code": "t"}), 148, "gone (code t)"),
    ],
)
@pytest.mark.parametrize("program", ["wsk", "brisk"])
def test_a_feed_that_fails_takes_its_trigger_along(
    line: Run, api: FakeApi, program: str, answer: tuple[int, Any], code: int, said: str
) -> None:
    api.answer("PUT triggers/tr", FED)
    api.answer("POST actions/f/feed", answer[1], answer[0])
    api.answer("GET triggers/tr", FED)
    api.answer("DELETE triggers/tr", FED)
    refused = line(f"{program} trigger create tr --feed f/feed -p a 1")
    assert refused.exit == code
    assert api.targets[:5] == [
        "PUT triggers/tr?overwrite=false",
        CALL,
        "GET triggers/tr",
        CALL,
        "DELETE triggers/tr",
    ]
    assert api.asked[3].body == arguments("DELETE", a=1)
    note = "ok: deleted trigger tr\n"
    assert (refused.stdout == note) is (program == "wsk")
    assert (note in refused.stderr) is (program == "brisk")
    text = f"Unable to create trigger 'tr': Unable to configure feed '/_/f/feed': {said}"
    assert f"error: {text}\n" in refused.stderr
    assert "Run 'wsk" not in refused.stderr


def test_what_cannot_be_rolled_back_is_told_and_hides_nothing(line: Run, api: FakeApi) -> None:
    api.answer("PUT triggers/tr", FED)
    api.answer("GET triggers/tr", FED)
    api.refuse("DELETE triggers/tr", 503, "closed")
    refused = line("wsk trigger create tr --feed f/feed")
    assert (refused.exit, refused.stdout) == (148, "")
    assert (
        refused.stderr.splitlines()[0] == "note: the trigger tr is still there: closed (code tid42)"
    )
    assert "Unable to configure feed" in refused.stderr


def test_a_trigger_that_is_there_already_is_not_fed(line: Run, api: FakeApi) -> None:
    api.refuse("PUT triggers/tr", 409, "resource already exists")
    refused = line("wsk trigger create tr --feed f/feed")
    assert (refused.exit, refused.stdout) == (153, "")
    assert refused.stderr == (
        "error: Unable to create trigger 'tr': resource already exists (code tid42)\n"
    )
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (
            "create tr -p a 1 -F b 2 --feed f",
            "Incorrect usage. Cannot combine --feed-param or --trigger-param flag with neither "
            "--param nor --param-file flag",
        ),
        (
            "create tr -F b 2",
            "Incorrect usage. Trigger without a feed cannot have feed parameters",
        ),
    ],
)
def test_flags_that_exclude_each_other(line: Run, api: FakeApi, typed: str, text: str) -> None:
    refused = line(f"wsk trigger {typed}")
    assert (refused.exit, refused.stdout) == (149, "")
    assert refused.stderr.startswith(f"error: {text}\n")
    assert api.asked == []


def test_update_of_a_trigger_that_is_not_there_creates_it(line: Run, api: FakeApi) -> None:
    api.answer("PUT triggers/tr", STORED)
    assert line("wsk trigger update tr -p x 1").stdout == "ok: created trigger tr\n"
    assert api.targets == ["GET triggers/tr", "PUT triggers/tr?overwrite=false"]


def test_update_without_a_feed(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", STORED)
    api.answer("PUT triggers/tr", STORED)
    assert line("wsk trigger update tr -p x 2").stdout == "ok: updated trigger tr\n"
    assert api.targets == ["GET triggers/tr", "PUT triggers/tr?overwrite=true"]
    refused = line("wsk trigger update tr -F x 2")
    assert refused.exit == 1
    assert "this trigger does not contain a feed" in refused.stderr
    assert len(api.asked) == 3, "nothing is written before it is refused"


def test_update_of_a_feed_in_the_old_style_writes_no_trigger(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", FED)
    api.answer("POST actions/f/feed", ACTIVATION)
    done = line("wsk trigger update tr -p a 2")
    assert api.targets == ["GET triggers/tr", CALL]
    assert api.asked[1].body == arguments("UPDATE", a=2)
    assert done.stdout.startswith("{\n")
    assert done.stdout.endswith("}\nok: updated trigger tr\n")


def test_update_of_a_feed_in_the_new_style_keeps_the_feed(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", FED)
    api.answer("PUT triggers/tr", FED)
    api.answer("POST actions/f/feed", ACTIVATION)
    done = line("wsk trigger update tr -T b 3 -F a 2 -a k v")
    assert api.targets == ["GET triggers/tr", "PUT triggers/tr?overwrite=true", CALL]
    assert api.asked[1].body == {
        "name": "tr",
        "annotations": [{"key": "k", "value": "v"}, FEED],
        "parameters": [{"key": "b", "value": 3}],
    }
    assert api.asked[2].body == arguments("UPDATE", a=2)
    assert done.stdout.startswith("{\n")


def test_update_of_the_trigger_alone_is_no_news_for_the_feed(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", FED)
    api.answer("PUT triggers/tr", FED)
    done = line("wsk trigger update tr -T b 3")
    assert api.targets == ["GET triggers/tr", "PUT triggers/tr?overwrite=true"]
    assert done.stdout == "ok: updated trigger tr\n"


def test_get(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", STORED)
    shown = line("wsk trigger get tr").stdout
    assert shown.startswith('ok: got trigger tr\n{\n    "namespace": "guest",')
    assert line("wsk trigger get tr limits").stdout.endswith("displaying field limits\n{}\n")
    assert line("wsk trigger get tr -s").stdout == (
        "trigger /guest/tr: Returns a result based on parameter x\n   (parameters: *x)\n"
    )
    refused = line("wsk trigger get gone")
    assert (refused.exit, refused.stderr) == (
        148,
        f"error: Unable to get trigger 'gone': {MISSING}",
    )


def test_get_of_one_with_a_feed_asks_the_feed(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", FED)
    api.answer("POST actions/f/feed", ACTIVATION)
    shown = line("wsk trigger get tr").stdout
    assert shown.startswith("{\n")
    assert api.asked[1].body == arguments("READ")
    assert "ok: got trigger" not in shown
    assert line("wsk trigger get tr name").stdout.endswith('field name\n"tr"\n')
    assert line("brisk trigger get tr -o name").stdout == "/guest/tr\n"


def test_delete(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", STORED)
    api.answer("DELETE triggers/tr", STORED)
    assert line("wsk trigger delete tr").stdout == "ok: deleted trigger tr\n"
    assert api.targets == ["GET triggers/tr", "DELETE triggers/tr"]
    refused = line("wsk trigger delete gone")
    assert refused.stderr == f"error: Unable to get trigger 'gone': {MISSING}"


def test_delete_of_one_with_a_feed(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", FED)
    api.answer("POST actions/f/feed", ACTIVATION)
    api.answer("DELETE triggers/tr", FED)
    done = line("wsk trigger delete tr")
    assert api.targets == ["GET triggers/tr", CALL, "DELETE triggers/tr"]
    assert api.asked[1].body == arguments("DELETE")
    assert done.stdout.endswith("}\nok: deleted trigger tr\n")


def test_a_feed_that_is_gone_keeps_no_trigger_alive(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers/tr", FED)
    api.answer("DELETE triggers/tr", FED)
    done = line("wsk trigger delete tr")
    assert (done.exit, done.stdout) == (0, "ok: deleted trigger tr\n")
    assert done.stderr.startswith("note: Unable to configure feed '/_/f/feed'")


def test_fire(line: Run, api: FakeApi) -> None:
    api.answer("POST triggers/tr", {"activationId": "2" * 32}, 202)
    api.answer("POST triggers/quiet", "", 204)
    assert line("wsk trigger fire tr -p y 1").stdout == (
        f"ok: triggered /_/tr with id {'2' * 32}\n"
    )
    assert api.asked[0].body == {"y": 1}
    assert line("wsk trigger fire quiet").stdout == "ok: triggered /_/quiet with id \n"
    assert api.asked[1].body == {}
    assert line("brisk trigger fire tr -o name").stdout == f"{'2' * 32}\n"
    assert line("wsk trigger fire tr payload").exit == 1
    refused = line("wsk trigger fire gone")
    assert refused.stderr == f"error: Unable to fire trigger 'gone': {MISSING}"


def test_list(line: Run, api: FakeApi) -> None:
    api.answer("GET triggers", [STORED])
    assert line("wsk trigger list").stdout == f"triggers\n{'/guest/tr':<70} private\n"
