"""Changes of a database that fire a trigger: PouchDB's server, a live platform, and its deaths."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.stores import _POUCHDB_URL as POUCHDB_URL
from tests.fakes import embedded
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH

pytestmark = pytest.mark.pouchdb
FEED = "/api/v1/namespaces/whisk.system/actions/{}/changes?blocking=true"
HOST, _, PORT = POUCHDB_URL.removeprefix("http://").partition(":")
SETTINGS = {"BRISK_EVENTS__SOURCES": f"{HOST}:{PORT}"}
WITHIN_S = 30.0


def asked(method: str, path: str, value: Any = None) -> Any:
    body = None if value is None else json.dumps(value).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{POUCHDB_URL}/{path}", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture
def database() -> Iterator[str]:
    name = f"feeds-{secrets.token_hex(6)}"
    try:
        asked("PUT", name)
    except OSError as error:
        pytest.skip(f"no PouchDB at {POUCHDB_URL} ({error}): deploy/dev/couchdb start")
    yield name
    asked("DELETE", name)


class Platform:
    """A platform that can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.start()

    def start(self) -> None:
        self._process = embedded.start(self._data, settings=SETTINGS)
        self.api = Api(embedded.wait_ready(self._process), GUEST_AUTH)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path / "data")
    yield running
    running.kill()


def told(api: Api, event: str, package: str = "couchdb", **given: Any) -> Any:
    body = {"lifecycleEvent": event, "triggerName": "/_/t", "authKey": GUEST_AUTH, **given}
    return api.call("POST", FEED.format(package), body).body["response"]["result"]


def a_feed(api: Api, database: str, **given: Any) -> None:
    assert api.call("PUT", "triggers/t?overwrite=true", {}).status == 200
    place = {"host": HOST, "port": PORT, "protocol": "http", "dbname": database}
    assert told(api, "CREATE", **place, **given) == {"status": "success"}
    api.put_action("echo", "def main(a): return a")
    assert api.call("PUT", "rules/r", {"trigger": "/_/t", "action": "/_/echo"}).status == 200


def fired(api: Api) -> list[dict[str, Any]]:
    """Return what the trigger was fired with, in that order."""
    found = api.call("GET", "activations?name=t&limit=200&docs=true").body
    return [each["response"]["result"] for each in reversed(found)]


def until(done: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WITHIN_S
    while not done():
        assert time.monotonic() < give_up_s, "it never happened"
        time.sleep(0.1)


def test_each_change_is_one_firing_also_over_kills(platform: Platform, database: str) -> None:
    asked("PUT", f"{database}/before", {"n": 0})
    a_feed(platform.api, database)
    made = asked("PUT", f"{database}/a", {"n": 1})
    until(lambda: len(fired(platform.api)) == 1)
    [event] = fired(platform.api)
    assert event == {
        "id": "a", "seq": event["seq"], "changes": [{"rev": made["rev"]}], "dbname": database,
    }  # fmt: skip
    asked("DELETE", f"{database}/a?rev={made['rev']}")
    until(lambda: len(fired(platform.api)) == 2)
    assert fired(platform.api)[1]["deleted"] is True
    for turn in range(3):
        platform.kill()
        for n in range(10):
            asked("PUT", f"{database}/turn-{turn}-{n}", {})
        platform.start()
        until(lambda turn=turn: len(fired(platform.api)) >= 2 + 10 * turn + 5)  # type: ignore[misc]
    until(lambda: len(fired(platform.api)) >= 32)
    ids = [event["id"] for event in fired(platform.api)]
    assert ids == ["a", "a", *(f"turn-{turn}-{n}" for turn in range(3) for n in range(10))]


def test_a_filter_says_which_changes_count(platform: Platform, database: str) -> None:
    asked("PUT", f"{database}/_design/of", {
        "filters": {"kind": "function (doc, req) { return doc.kind === req.query.kind; }"}
    })  # fmt: skip
    a_feed(platform.api, database, filter="of/kind", query_params={"kind": "order"})
    for n, kind in enumerate(("order", "note", "order")):
        asked("PUT", f"{database}/d{n}", {"kind": kind})
    until(lambda: len(fired(platform.api)) == 2)
    assert [event["id"] for event in fired(platform.api)] == ["d0", "d2"]
    changed = told(platform.api, "UPDATE", query_params='{"kind": "note"}')
    assert changed == {"status": "success"}
    assert told(platform.api, "READ")["config"]["query_params"] == {"kind": "note"}
    asked("PUT", f"{database}/d3", {"kind": "note"})
    until(lambda: [event["id"] for event in fired(platform.api)][2:] == ["d3"])


def test_a_feed_ends_with_its_number_and_with_its_database(
    platform: Platform, database: str
) -> None:
    api = platform.api
    a_feed(api, database, maxTriggers=2)
    for n in range(5):
        asked("PUT", f"{database}/d{n}", {})
    until(lambda: not told(api, "READ")["status"]["active"])
    assert len(fired(api)) == 2
    said = told(api, "READ")["status"]["reason"]["message"]
    assert said == "Automatically disabled after reaching max triggers."

    other = f"{database}-other"
    asked("PUT", other)
    place = {"host": HOST, "port": PORT, "protocol": "http", "dbname": other}
    assert told(api, "CREATE", **place) == {"status": "success"}
    platform.kill()  # the server does not tell who waits for a change that the database is gone
    asked("DELETE", other)
    platform.start()
    api = platform.api
    until(lambda: not told(api, "READ")["status"]["active"])
    assert "the database answers 404" in told(api, "READ")["status"]["reason"]["message"]
    assert told(api, "DELETE") == {"status": "success"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"dbname": ""}, "cloudant trigger feed: missing dbname parameter"),
        ({"host": ""}, "cloudant trigger feed: missing host parameter"),
        ({"host": "a/b"}, "host parameter 'a/b' is no name of a host"),
        ({"host": "u:p@h"}, "host parameter 'u:p@h' is no name of a host"),
        ({"port": "0"}, "port parameter '0' is no port"),
        ({"protocol": "file"}, "protocol parameter must be one of [https, http]."),
        (
            {"username": "a"},
            "cloudant trigger feed: Must specify parameter/s of username/password",
        ),
        (
            {"query_params": {"a": 1}},
            "The query_params parameter is only allowed if the filter parameter is defined",
        ),
        (
            {"filter": "a/b", "query_params": "{"},
            "The query_params parameter cannot be parsed. Ensure it is valid JSON.",
        ),
        (
            {"filter": "a/b", "query_params": "[]"},
            "The query_params parameter is not a valid JSON Object",
        ),
        (
            {"host": "169.254.169.254", "port": 80},
            "feeds may not read from 169.254.169.254:80: the operator lists where they may "
            "(BRISK_EVENTS__SOURCES)",
        ),
        (
            {"port": 22},
            f"feeds may not read from {HOST}:22: the operator lists where they may "
            "(BRISK_EVENTS__SOURCES)",
        ),
        ({"dbname": "nosuch"}, "error connecting to database nosuch: "),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(
    platform: Platform, database: str, given: dict[str, Any], text: str
) -> None:
    platform.api.call("PUT", "triggers/t", {})
    place = {"host": HOST, "port": PORT, "protocol": "http", "dbname": database}
    said = told(platform.api, "CREATE", "cloudant", **(place | given))["error"]
    assert said.startswith(text)
    assert "There is no feed" in told(platform.api, "READ", "cloudant")["error"]
