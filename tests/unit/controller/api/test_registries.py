"""Credentials of registries by the API: in, listed without passwords, and out again."""

from typing import Any

import pytest

from common.ids import Namespace
from common.store.registries import Login
from tests.fakes.running_api import Api

PATH = "/api/brisk/v1/namespaces/_/registries"
HOST = "registry.example:5000"
BODY = {"username": "ada", "password": "lovelace"}


async def test_they_are_kept_listed_and_deleted(api: Api) -> None:
    shown = {"host": HOST, "username": "ada", "updated": api.clock.now_ms()}
    assert (await api.ask("GET", PATH))[:2] == (200, [])
    assert (await api.ask("PUT", f"{PATH}/{HOST}", BODY))[:2] == (200, shown)
    assert (await api.ask("GET", PATH))[:2] == (200, [shown])
    kept = await api.services.registries.login(Namespace("guest"), HOST)
    assert kept == Login("ada", "lovelace")
    assert (await api.ask("DELETE", f"{PATH}/{HOST}"))[:2] == (200, shown)
    assert (await api.ask("DELETE", f"{PATH}/{HOST}"))[0] == 404
    assert (await api.ask("GET", PATH))[:2] == (200, [])


@pytest.mark.parametrize(
    ("host", "body"),
    [
        ("-wrong-", BODY),
        (HOST, []),
        (HOST, {"username": "ada"}),
        (HOST, {"username": "ada", "password": 7}),
        (HOST, {"username": "", "password": "x"}),
        (HOST, b"{"),
    ],
)
async def test_what_is_wrong_is_refused_and_not_quoted(api: Api, host: str, body: Any) -> None:
    status, told, _ = await api.ask("PUT", f"{PATH}/{host}", body)
    assert status == 400
    assert "lovelace" not in str(told)


async def test_they_are_nobody_elses(api: Api) -> None:
    other = PATH.replace("/_/", "/other/")
    for method, path in (("GET", other), ("PUT", f"{other}/{HOST}"), ("DELETE", f"{other}/{HOST}")):
        assert (await api.ask(method, path, BODY if method == "PUT" else None))[0] == 403
        assert (await api.ask(method, path, headers={"Authorization": None}))[0] == 401


async def test_they_are_no_actions(api: Api) -> None:
    await api.ask("PUT", f"{PATH}/{HOST}", BODY)
    assert (await api.ask("GET", "~/actions"))[:2] == (200, [])
    assert (await api.ask("GET", "~/actions/registries"))[0] == 404
