"""Calls to manage APIs, for the tests of routes."""

import json
from typing import Any

from common.entity.activation import Response, Status
from controller.invoke.invocation import Finished
from tests.fakes.records import a_record
from tests.fakes.running_api import UUID, Api

MANAGEMENT = "/api/v1/web/whisk.system/apimgmt"
AT = f"/gw/api/{UUID}"
ACTION = {
    "name": "echo",
    "namespace": "_",
    "backendMethod": "GET",
    "backendUrl": "http://host:1/api/v1/web/_/default/echo.http",
    "authkey": "uuid:key",
}


def endpoint(path: str = "/b", verb: str = "GET", **more: Any) -> dict[str, Any]:
    """Return the `apidoc` of an endpoint below `/a` that leads to the action `echo`."""
    return {
        "namespace": "_",
        "gatewayBasePath": "/a",
        "gatewayPath": path,
        "gatewayMethod": verb,
        "action": ACTION,
    } | more


async def export(api: Api, name: str = "echo", **annotations: Any) -> None:
    """Make a web action."""
    shown = [
        {"key": key, "value": value} for key, value in ({"web-export": True} | annotations).items()
    ]
    body = {"exec": {"kind": "python:default", "code": "x"}, "annotations": shown}
    status, _, _ = await api.ask("PUT", f"~/actions/{name}?overwrite=true", body)
    assert status == 200


async def create(
    api: Api, apidoc: Any = None, response_type: str = "json", **options: Any
) -> tuple[int, Any]:
    """Make an endpoint, or a whole API."""
    path = f"{MANAGEMENT}/createApi.http?accesstoken=T&spaceguid=x&responsetype={response_type}"
    body = {"apidoc": endpoint() if apidoc is None else apidoc}
    status, told, _ = await api.ask("POST", path, body, **options)
    return status, told


async def made(api: Api, apidoc: Any = None, response_type: str = "json") -> dict[str, Any]:
    """Make an endpoint, or a whole API, and return it."""
    status, told = await create(api, apidoc, response_type)
    assert status == 200, told
    return dict(told)


def answers(api: Api, result: Any, status: Status = Status.SUCCESS) -> None:
    """Have every action answer *result*."""
    response = Response(status=status, result=json.dumps(result).encode())
    api.invoker.outcome = Finished(a_record(response=response))


def told(api: Api) -> dict[str, Any]:
    """Return what the last action was given."""
    return dict(json.loads(api.invoker.asked[-1].payload or b""))
