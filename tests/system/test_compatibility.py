"""What docs/compatibility.md says is not there yet is played, row by row."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import ROOT, RunningPlatform

PAGE = (ROOT / "docs" / "compatibility.md").read_text()
CODE = "def main(args): return args"


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def no_images(api: Api) -> None:
    document = {"exec": {"kind": "blackbox", "image": "somebody/image"}}
    assert api.call("PUT", "actions/image", document).status == 200
    ended = api.invoke("image")
    assert ended.status == 502
    assert ended.body["response"]["status"] == "action developer error"
    text = "This platform runs no container images, so 'somebody/image' can't be run."
    assert ended.body["response"]["result"] == {"error": text}
    logs = api.record(ended.body["activationId"])["logs"]
    assert "BRISK_INVOKER__DRIVER=docker" in logs[0]


def no_other_kinds(api: Api) -> None:
    document = {"exec": {"kind": "cobol:85", "code": "MOVE A TO B."}}
    refused = api.call("PUT", "actions/cobol", document)
    assert refused.status == 400
    assert "Valid values are: " in refused.body["error"]
    assert "python:3" in refused.body["error"]


def no_other_packages(api: Api) -> None:
    for name in ("slack", "github", "websocket"):
        assert api.call("GET", f"/api/v1/namespaces/whisk.system/packages/{name}").status == 403


def no_producers(api: Api) -> None:
    there = api.call("GET", "/api/v1/namespaces/whisk.system/packages/messaging").body
    assert {each["name"] for each in there["feeds"]} == {"kafkaFeed", "messageHubFeed"}
    assert not there["actions"]


def no_actions_of_cloudant(api: Api) -> None:
    there = api.call("GET", "/api/v1/namespaces/whisk.system/packages/cloudant").body
    assert [each["name"] for each in there["feeds"]] == ["changes"]
    assert not there["actions"]


def no_other_samples(api: Api) -> None:
    there = api.call("GET", "/api/v1/namespaces/whisk.system/packages/samples").body["actions"]
    absent = {"countdown", "helloPromises", "httpGet", "invoke", "wordCountAsync"}
    assert not absent & {each["name"] for each in there}


ROWS: dict[str, Callable[[Api], None]] = {
    "container images (`--docker`) where sandboxes are processes, "
    "other than `openwhisk/dockerskeleton`": no_images,
    "other kinds": no_other_kinds,
    "packages `slack`, `github`, `websocket`": no_other_packages,
    "`kafkaProduce`, `messageHubProduce`": no_producers,
    "actions of `cloudant` that read and write documents": no_actions_of_cloudant,
    "samples `countdown`, `helloPromises`, `httpGet`, `invoke`, `wordCountAsync`": no_other_samples,
}


def test_every_row_of_the_page_is_played() -> None:
    table = PAGE.partition("## Not there yet")[2]
    told = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    assert told == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_what_is_not_there_yet(
    api: Api, row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    ROWS[row](api)
