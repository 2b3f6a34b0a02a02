"""What every namespace finds in `whisk.system`, and what each of its actions returns."""

import re
from pathlib import Path
from typing import Any

import pytest

from controller.system.packages import PACKAGES
from tests.fakes import embedded
from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

LINES = [4, "b", 2.5, "a"]


@pytest.fixture
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def invoked(api: Api, action: str, given: dict[str, Any]) -> Any:
    path = f"/api/v1/namespaces/whisk.system/actions/{action}?blocking=true&result=true"
    return api.call("POST", path, given).body


@pytest.mark.parametrize(
    ("action", "given", "expected"),
    [
        ("utils/echo", {"payload": [1, {"a": None}]}, {"payload": [1, {"a": None}]}),
        ("utils/cat", {"lines": [4, "b"]}, {"lines": [4, "b"], "payload": "4\nb\n"}),
        (
            "utils/smash", {"a": 1, "b": {"c": 2}, "$fieldName": "p"},
            {"p": {"a": 1, "b": {"c": 2}}},
        ),
        ("utils/split", {"payload": "a\nb"}, {"lines": ["a", "b"], "payload": "a\nb"}),
        (
            "utils/split", {"payload": "a, b,c", "separator": ", ?"},
            {"lines": ["a", "b", "c"], "payload": "a, b,c"},
        ),
        ("utils/sort", {"lines": LINES}, {"lines": [2.5, 4, "a", "b"], "length": 4}),
        ("utils/head", {"lines": LINES, "num": 2}, {"lines": [4, "b"], "num": 2}),
        ("utils/namespace", {}, {"namespace": "guest"}),
        ("samples/greeting", {}, {"payload": "Hello, stranger from somewhere!"}),
        (
            "samples/greeting", {"name": "Cat", "place": "Narrowsburg"},
            {"payload": "Hello, Cat from Narrowsburg!"},
        ),
        ("samples/helloWorld", {"payload": "Cat"}, {}),
        ("samples/printParams", {"b": 1, "a": 2}, {"params": {"a": 2, "b": 1}}),
        ("samples/wordCount", {"payload": "Five fuzzy felines"}, {"count": 3}),
        ("samples/sort", {"lines": [3, 1]}, {"lines": [1, 3], "length": 2}),
    ],
)  # fmt: skip
def test_each_action_returns_what_the_catalog_says(
    api: Api, action: str, given: dict[str, Any], expected: Any
) -> None:
    assert invoked(api, action, given) == expected


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("utils/cat", {}), ("utils/smash", {"$fieldName": 1}), ("utils/split", {"payload": 1}),
        ("utils/split", {"payload": "a", "separator": "("}), ("utils/sort", {"lines": "a"}),
        ("utils/head", {"lines": [], "num": -1}), ("utils/hosturl", {}),
        ("utils/hosturl", {"path": "a", "ext": ".exe"}), ("samples/curl", {}),
        ("samples/curl", {"payload": "file:///etc/passwd"}),
    ],
)  # fmt: skip
def test_what_an_action_cannot_take_is_an_error(
    api: Api, action: str, given: dict[str, Any]
) -> None:
    assert isinstance(invoked(api, action, given)["error"], str)


def test_the_date_is_one_and_addresses_lead_to_what_they_name(api: Api) -> None:
    assert re.fullmatch(r"20..-..-..T..:..:..\....Z", invoked(api, "utils/date", {})["date"])
    urls = [
        invoked(api, "utils/hosturl", given)["url"].partition("/api/v1")[2]
        for given in (
            {"path": "utils/echo"}, {"path": "echo", "web": True},
            {"path": "pk/echo", "web": True, "ext": ".http"}, {"path": "t", "trigger": True},
        )
    ]  # fmt: skip
    assert urls == [
        "/namespaces/guest/actions/utils/echo",
        "/web/guest/default/echo.json",
        "/web/guest/pk/echo.http",
        "/namespaces/guest/triggers/t",
    ]


def test_everything_is_there_for_everybody_and_nobody_may_change_it(api: Api) -> None:
    for package in PACKAGES:
        shown = api.call("GET", f"/api/v1/namespaces/whisk.system/packages/{package.name}").body
        assert shown["publish"] is True
        names = {each["name"] for each in [*shown["actions"], *shown["feeds"]]}
        assert names == {each.name for each in package.actions}
        assert {each["name"] for each in shown["feeds"]} == {
            each.name for each in package.actions if each.is_feed
        }
    for method, path in (
        ("DELETE", "actions/utils/echo"), ("PUT", "actions/utils/echo?overwrite=true"),
        ("DELETE", "packages/utils"), ("PUT", "actions/mine"),
    ):  # fmt: skip
        body = {"exec": {"kind": "python:default", "code": "x"}} if method == "PUT" else None
        answered = api.call(method, f"/api/v1/namespaces/whisk.system/{path}", body)
        assert answered.status == 403, (path, answered)


def test_a_second_start_writes_nothing_anew(tmp_path: Path) -> None:
    versions = []
    for _ in range(2):
        with embedded.running_platform(tmp_path) as platform:
            api = Api(platform.url, platform.auth)
            shown = api.call("GET", "/api/v1/namespaces/whisk.system/actions/utils/echo").body
            versions.append((shown["version"], shown["updated"]))
    assert versions[0] == versions[1]
