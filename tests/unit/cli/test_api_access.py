"""`brisk api key` and `brisk api limit`."""

import json

import pytest

from tests.fakes.rest import FakeApi
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("configured")

AT = "/api/brisk/v1/namespaces/_/apis"
KEY = {"id": "0a1b2c3d", "label": "the shop", "perMinute": None, "created": 1_795_000_000_000}
ACCESS = {"needsKey": True, "header": "X-API-Key", "perMinute": 60, "showsDocs": False}


def test_a_key_is_printed_when_it_is_made(line: Run, api: FakeApi) -> None:
    api.answer(f"POST {AT}/keys", KEY | {"key": "0a1b2c3d.secret"})
    done = line("brisk api key create /a --label 'the shop' --per-minute 60")
    assert done.stdout == (
        "ok: created key 0a1b2c3d for API /a; it is not told again\n0a1b2c3d.secret\n"
    )
    assert api.targets == [f"POST {AT}/keys?api=%2Fa"]
    assert api.asked[0].body == {"label": "the shop", "perMinute": 60}
    line("brisk api key create letters")
    assert api.asked[1].body == {}
    assert line("brisk api key create /a -o name").stdout == "0a1b2c3d\n"


def test_keys_are_listed_without_what_opens(line: Run, api: FakeApi) -> None:
    limited = KEY | {"id": "x", "label": "", "perMinute": 5}
    api.answer(f"GET {AT}", [{"keys": [KEY, limited], "access": ACCESS}])
    assert line("brisk api key list /a").stdout.splitlines() == [
        "KEY       LABEL     CREATED              PER MINUTE",
        "0a1b2c3d  the shop  2026-11-18 11:06:40    no limit",
        "x                   2026-11-18 11:06:40           5",
    ]
    assert api.targets == [f"GET {AT}?api=%2Fa"]
    assert json.loads(line("brisk api key list /a --json").stdout) == [KEY, limited]


def test_a_key_is_revoked_by_its_id(line: Run, api: FakeApi) -> None:
    api.answer(f"DELETE {AT}/keys/0a1b2c3d", [])
    assert line("brisk api key revoke /a 0a1b2c3d").stdout == (
        "ok: revoked key 0a1b2c3d of API /a\n"
    )
    assert api.targets == [f"DELETE {AT}/keys/0a1b2c3d?api=%2Fa"]


def test_limits_are_shown_and_changed(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}", [{"keys": [], "access": ACCESS}])
    api.answer(f"PUT {AT}/access", ACCESS | {"needsKey": False, "showsDocs": True})
    assert line("brisk api limit /a").stdout.splitlines() == [
        "ok: got limits of API /a",
        "key: needed, in the header X-API-Key",
        "calls per minute: 60 of each key",
        "documentation: not shown",
    ]
    flags = "--per-minute NONE --needs-key no --header X-Mine --docs yes"
    assert line(f"brisk api limit /a {flags}").stdout.splitlines() == [
        "ok: changed limits of API /a",
        "key: not needed",
        "calls per minute: 60",
        "documentation: for everybody",
    ]
    assert api.asked[1].body == {
        "perMinute": None,
        "needsKey": False,
        "header": "X-Mine",
        "showsDocs": True,
    }


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("limit /a --per-minute many", "Cannot use value 'many' for per-minute."),
        ("limit /a --needs-key maybe", "Cannot use value 'maybe' for needs-key."),
        ("limit /a --docs 1", "Cannot use value '1' for docs."),
        ("limit", "Invalid argument(s). An API base path or API name is required."),
        ("key create", "Invalid argument(s). An API base path or API name is required."),
        ("key revoke /a", "Invalid argument(s). An API base path or API name, and the id of a"),
    ],
)
def test_a_line_that_is_wrong(line: Run, api: FakeApi, typed: str, text: str) -> None:
    refused = line(f"brisk api {typed}")
    assert refused.exit == 1
    assert refused.stderr.startswith(f"error: {text}")
    assert api.asked == []


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("key create /a", "Unable to create a key for API '/a': There is no API"),
        ("key revoke /a x", "Unable to revoke key 'x' of API '/a': There is no API"),
        ("key list /a", "Unable to get API '/a': There is no API"),
        ("limit /a", "Unable to get API '/a': There is no API"),
        ("limit /a --docs no", "Unable to change API '/a': There is no API"),
    ],
)
def test_an_answer_that_refuses(line: Run, api: FakeApi, typed: str, text: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        api.refuse(f"{method} {AT}", 404, "There is no API at this address.")
    refused = line(f"brisk api {typed}")
    assert refused.exit == 148
    assert refused.stderr.startswith(f"error: {text}")


def test_an_api_that_is_not_there(line: Run, api: FakeApi) -> None:
    api.answer(f"GET {AT}", [])
    refused = line("brisk api key list x")
    assert (refused.exit, refused.stderr) == (1, "error: API does not exist for basepath x\n")


def test_openwhisks_command_line_has_no_such_commands(line: Run, api: FakeApi) -> None:
    helped = line("wsk api --help").stdout
    assert "create" in helped and "\n  key " not in helped and "\n  limit" not in helped
    for typed in ("key list /a", "limit /a"):
        shown = line(f"wsk api {typed}")
        assert (shown.exit, shown.stdout) == (0, helped)
    assert api.asked == []
    helped = line("brisk api --help").stdout
    assert "\n  key " in helped and "\n  limit " in helped
