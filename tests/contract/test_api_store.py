"""APIs in every store: found by tenant and base path, and forgotten when somebody changes them."""

import asyncio
from dataclasses import replace

import pytest

from common.clock import SystemClock
from common.entity.api import Api, api_name
from common.entity.names import QualifiedName
from common.ids import Namespace, Rev
from common.settings import GatewaySettings
from common.store.apis import ApiStore
from common.store.cache import Lifetimes
from common.store.port import Conflict, Gap, Invalidation, Missing, Stores
from controller.gateway.apis import Apis
from controller.gateway.document import Endpoint

ANN, BOB = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502", "23bc46b1-71f6-4ed5-8c54-816aa4f8c503"


def an_api(base_path: str = "/a", tenant: str = ANN, title: str = "letters") -> Api:
    document = {
        "swagger": "2.0",
        "info": {"title": title, "version": "1.0.0"},
        "basePath": base_path,
        "paths": {"/{id}": {"get": {"x-openwhisk": {"url": "é"}}}},
    }
    return Api(tenant=tenant, namespace=Namespace("guest"), base_path=base_path, document=document)


@pytest.fixture
def apis(stores: Stores) -> ApiStore:
    return ApiStore(stores.entities, lifetimes=Lifetimes(fresh_s=3600))


@pytest.fixture
def neighbour(stores: Stores) -> ApiStore:
    """What another controller has, which would not look again for an hour."""
    return ApiStore(stores.entities, lifetimes=Lifetimes(fresh_s=3600))


async def put(apis: ApiStore, api: Api, over: Rev | None = None) -> Api:
    return replace(api, rev=await apis.write(api, over))


async def test_an_api_comes_back_as_it_was(apis: ApiStore) -> None:
    written = await put(apis, an_api())
    assert await apis.get(written.name) == written
    assert await apis.of(ANN) == [replace(written, rev=Rev(""))]
    assert list(await apis.base_paths(ANN)) == ["/a"]


async def test_a_tenant_has_one_api_at_a_base_path(apis: ApiStore) -> None:
    await put(apis, an_api())
    with pytest.raises(Conflict):
        await apis.write(an_api(title="others"), None)
    await put(apis, an_api(tenant=BOB))
    assert [len(await apis.of(tenant)) for tenant in (ANN, BOB)] == [1, 1]


async def test_nothing_is_found_of_others(apis: ApiStore) -> None:
    await put(apis, an_api())
    assert list(await apis.base_paths(BOB)) == []
    assert await apis.of(BOB) == []
    with pytest.raises(Missing):
        await apis.get(api_name(BOB, "/a"))


async def test_all_of_many_are_found_the_newest_first(apis: ApiStore) -> None:
    for number in range(53):
        await put(apis, replace(an_api(f"/{number}"), updated_ms=number))
    found = [each.base_path for each in await apis.of(ANN)]
    assert found == [f"/{number}" for number in reversed(range(53))]
    assert len(await apis.base_paths(ANN)) == 53


async def test_what_a_process_changes_it_sees_at_once(apis: ApiStore) -> None:
    assert list(await apis.base_paths(ANN)) == []
    written = await put(apis, an_api())
    assert list(await apis.base_paths(ANN)) == ["/a"]
    again = await put(apis, replace(written, document=an_api(title="x").document), written.rev)
    assert (await apis.get(written.name)).title == "x"
    await apis.delete(again)
    assert list(await apis.base_paths(ANN)) == []


async def test_what_another_changes_it_sees_when_it_is_told(
    apis: ApiStore, neighbour: ApiStore
) -> None:
    written = await put(apis, an_api())
    assert list(await neighbour.base_paths(ANN)) == ["/a"]
    assert (await neighbour.get(written.name)).title == "letters"
    second = await put(apis, an_api("/b"))
    changed = await put(apis, replace(written, document=an_api(title="x").document), written.rev)
    assert list(await neighbour.base_paths(ANN)) == ["/a"]
    for one in (second, changed):
        neighbour.forget(Invalidation(one.name.doc_id, one.rev))
    assert sorted(await neighbour.base_paths(ANN)) == ["/a", "/b"]
    assert (await neighbour.get(written.name)).title == "x"
    await apis.delete(changed)
    neighbour.forget(Gap())
    assert list(await neighbour.base_paths(ANN)) == ["/b"]


async def test_who_change_an_api_at_the_same_moment_all_get_through(stores: Stores) -> None:
    namespace = Namespace("guest")
    controllers = [
        Apis(ApiStore(stores.entities), SystemClock(), GatewaySettings()) for _ in range(2)
    ]

    async def put(number: int) -> None:
        endpoint = Endpoint(
            base_path="/a",
            path=f"/{number}",
            verb="get",
            action=QualifiedName(namespace, None, "echo"),
            address="https://host/api/v1/web/guest/default/echo.json",
        )
        await controllers[number % 2].put_endpoint(ANN, namespace, endpoint)

    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            _ = tasks.create_task(put(number))
    [api] = await controllers[0].found(ANN, "/a")
    assert sorted(api.document["paths"]) == [f"/{number}" for number in range(10)]
