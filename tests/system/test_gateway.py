"""An API from its making to its last call, typed and called as people do it."""

import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.program import run
from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

CODE = """
def main(args):
    said = {key: args[key] for key in ("__ow_path", "__ow_method", "name") if key in args}
    if args["__ow_path"]:
        return {"statusCode": 201, "headers": {"X-Mine": "1"}, "body": said}
    return said
"""


@dataclass(frozen=True)
class Said:
    status: int
    headers: dict[str, str]
    body: Any


def call(url: str, method: str = "GET", **headers: str) -> Said:
    """Send a request without credentials."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, told, text = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, told, text = error.code, error.headers, error.read()
    lower = {name.lower(): value for name, value in told.items()}
    is_json = lower.get("content-type", "").startswith("application/json")
    return Said(status, lower, json.loads(text) if is_json and text else text.decode())


@pytest.fixture
def typed(
    platform: RunningPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Type a line, which has to succeed; return what it printed."""
    (tmp_path / "wskprops").write_text(f"APIHOST={platform.url}\nAUTH={platform.auth}\n")
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    monkeypatch.chdir(tmp_path)

    def type_in(line: str) -> list[str]:
        out, err = io.StringIO(), io.StringIO()
        program, *words = line.split()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(program, words)
        assert code == 0, err.getvalue()
        return out.getvalue().splitlines()

    api = Api(platform.url, platform.auth)
    web = [{"key": "web-export", "value": True}]
    api.put_action("visited", CODE, annotations=web)
    yield type_in
    for each in api.call("GET", "/api/brisk/v1/namespaces/_/apis").body:
        type_in(f"wsk api delete {each['basePath']}")
    api.call("DELETE", "actions/visited")


def test_an_api_is_made_called_and_taken_away(typed: Any, platform: RunningPlatform) -> None:
    said, url = typed("wsk api create /visits /all get visited --apiname Visits")
    assert said == "ok: created API /visits/all GET for action /_/visited"
    assert url.startswith(f"{platform.url}/gw/api/")
    answer = call(f"{url}?name=Ada")
    assert (answer.status, answer.body) == (
        200,
        {"__ow_path": "", "__ow_method": "get", "name": "Ada"},
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert call(url, "HEAD").status == 200
    assert (call(url, "POST").status, call(url, "POST").headers["allow"]) == (405, "GET, HEAD")
    assert call(url, "OPTIONS", Origin="https://x").status == 204
    assert (
        call(f"{url}/more").body["error"] == "The API 'Visits' has no path that fits '/all/more'."
    )
    _, one = typed("wsk api create /visits /one/{id} put visited --response-type http")
    answer = call(one.replace("{id}", "17"), "PUT")
    assert (answer.status, answer.headers["x-mine"]) == (201, "1")
    assert answer.body == {"__ow_path": "/visits/one/17", "__ow_method": "put"}
    assert len(typed("wsk api list /visits")) == 4
    typed("wsk api delete /visits /all get")
    assert call(url).status == 404
    typed("wsk api delete /visits")
    assert call(one).body["error"] == "There is no API at this address."


def test_a_document_goes_out_and_comes_in_again(typed: Any, tmp_path: Path) -> None:
    typed("wsk api create /visits /all get visited")
    document = "\n".join(typed("wsk api get /visits"))
    (tmp_path / "api.json").write_text(document.replace('"/visits"', '"/again"'))
    said, url = typed("wsk api create --config-file api.json")
    assert said.startswith("ok: created API /again/all get for action /guest/visited")
    assert call(url).status == 200
    assert json.loads("\n".join(typed("wsk api get /again"))) == json.loads(
        document.replace('"/visits"', '"/again"')
    )


def test_a_key_lets_in_as_often_as_it_may(typed: Any) -> None:
    _, url = typed("wsk api create /visits /all get visited")
    typed("brisk api limit /visits --per-minute 2")
    _, key = typed("brisk api key create /visits --label test")
    assert call(url).status == 401
    assert call(url, **{"X-API-Key": key + "x"}).status == 401
    assert [call(url, **{"X-API-Key": key}).status for _ in range(3)] == [200, 200, 429]
    refused = call(url, **{"X-API-Key": key})
    assert 0 < int(refused.headers["retry-after"]) <= 60
    _, row = typed("brisk api key list /visits")
    typed(f"brisk api key revoke /visits {row.split()[0]}")
    assert call(url, **{"X-API-Key": key}).status == 401


def test_a_secret_is_between_the_gateway_and_the_action(
    typed: Any, platform: RunningPlatform
) -> None:
    api = Api(platform.url, platform.auth)
    annotations = [
        {"key": "web-export", "value": True}, {"key": "require-whisk-auth", "value": "s3cret"},
    ]  # fmt: skip
    api.put_action("visited", CODE, annotations=annotations)
    _, url = typed("wsk api create /visits /all get visited")
    assert call(f"{platform.url}/api/v1/web/guest/default/visited.json").status == 401
    assert call(url).status == 200
