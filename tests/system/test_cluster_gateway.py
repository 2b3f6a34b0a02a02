"""APIs in a cluster: every controller serves them all, and hears of each change."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import running_cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH

pytestmark = pytest.mark.kafka

MANAGEMENT = "/api/v1/web/whisk.system/apimgmt"
CODE = "def main(args): return {'said': args['word']}"
TENANT = GUEST_AUTH.partition(":")[0]


def call(url: str, path: str, key: str = "") -> tuple[int, Any]:
    """Call an API at one controller, as anybody does."""
    headers = {"X-API-Key": key} if key else {}
    request = urllib.request.Request(f"{url}/gw/api/{TENANT}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def create(api: Api, path: str) -> None:
    apidoc = {
        "namespace": "_",
        "gatewayBasePath": "/words",
        "gatewayPath": path,
        "gatewayMethod": "get",
        "action": {
            "name": "says",
            "namespace": "_",
            "backendMethod": "get",
            "backendUrl": f"{api.url}/api/v1/web/_/default/says.json",
            "authkey": GUEST_AUTH,
        },
    }
    made = api.call("POST", f"{MANAGEMENT}/createApi.http", {"apidoc": apidoc})
    assert made.status == 200, made


def test_every_controller_serves_every_api_and_hears_of_each_change(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    with running_cluster(tmp_path, controllers=2, invokers=1) as cluster:
        here, there = (Api(each.url, GUEST_AUTH) for each in cluster.controllers)
        assert call(there.url, "/words/one?word=x")[0] == 404
        here.put_action("says", CODE, annotations=[{"key": "web-export", "value": True}])
        create(here, "/one")
        wait_until(lambda: call(there.url, "/words/one?word=x")[0] == 200, cluster.logs)
        for api in (here, there):
            assert call(api.url, "/words/one?word=x") == (200, {"said": "x"})
        create(there, "/two")
        wait_until(lambda: call(here.url, "/words/two?word=x")[0] == 200, cluster.logs)

        own = "/api/brisk/v1/namespaces/_/apis"
        key = here.call("POST", f"{own}/keys?api=/words", {}).body["key"]
        wait_until(lambda: call(there.url, "/words/one?word=x")[0] == 401, cluster.logs)
        assert call(there.url, "/words/one?word=x", key)[0] == 200

        assert cluster.couch
        cluster.couch.leave()  # what is warm needs no database
        assert call(there.url, "/words/one?word=y", key) == (200, {"said": "y"})
        assert call(there.url, "/words/one?word=y", key + "x")[0] == 401
        cluster.couch.come_back()

        wait_until(
            lambda: (
                there.call("DELETE", f"{MANAGEMENT}/deleteApi.http?basepath=/words").status
                in (200, 502)
            ),
            cluster.logs,
        )
        wait_until(lambda: call(here.url, "/words/one", key)[0] == 404, cluster.logs)
