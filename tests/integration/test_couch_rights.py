"""Invokers have a user of their own in CouchDB: what it may do, and what is made for it ahead.

Against the double, which has the rights that CouchDB documents, and against PouchDB's server with
an admin, which runs the function that guards documents itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from common import codec
from common.clock import SystemClock
from common.ids import DocId
from common.settings import CouchdbSettings, StoreSettings
from common.store import couch_layout as layout
from common.store.couch import CouchStores
from common.store.couch_admin import CouchAdmin
from common.store.couch_http import CouchHttp
from common.store.port import Denied, StoreUnavailable
from common.store.shard import DAY_MS, Shard, State
from tests.contract.closed import TODAY
from tests.fakes.couchdb import Operator, couch_process
from tests.fakes.own_service import own_service
from tests.fakes.records import NOON_MS, a_record
from tests.integration.couch import ALL, until, written

ADMIN, MEMBER, PASSWORD = "root", "invoker", "secret"
NOW_MS = SystemClock().now_ms()
NEW = Shard(NOW_MS // DAY_MS)
NAME = DocId("guest/a")


@pytest.fixture(scope="module")
def double() -> Iterator[Operator]:
    with couch_process(auth=f"{ADMIN}:{PASSWORD}") as double:
        double.operator.add_user(MEMBER, PASSWORD)
        yield double.operator


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with own_service("couchdb", tmp_path_factory.mktemp("couchdb")) as peer:
        Operator(f"http://{peer.address}").ask("PUT", f"_config/admins/{ADMIN}", PASSWORD)
        operator = Operator(f"http://{peer.address}", f"{ADMIN}:{PASSWORD}")
        operator.add_user(MEMBER, PASSWORD)
        yield operator


class Installation:
    """Databases with a prefix of their own, and processes that use them."""

    def __init__(self, server: Operator, folder: Path) -> None:
        self.server = server
        self.prefix = f"t{abs(hash(folder))}_"
        self._folder = folder

    def settings(self, user: str, **changes: Any) -> CouchdbSettings:
        usual = {
            "url": self.server.url, "prefix": self.prefix, "user": user, "password": PASSWORD,
            "member": MEMBER, "connect_s": 1, "request_s": 5, "bulk_s": 5, "retry_s": 1,
            "settle_s": 0,
        }  # fmt: skip
        return CouchdbSettings.model_validate(usual | changes)

    @asynccontextmanager
    async def stores(self, user: str, **changes: Any) -> AsyncIterator[CouchStores]:
        """Open them as a process of *user* does."""
        settings = self.settings(user, **changes)
        stores = await CouchStores.open(
            self._folder / user, settings, StoreSettings(close_s=3), SystemClock()
        )
        try:
            yield stores
        finally:
            await stores.close()


@pytest.fixture
def here(double: Operator, tmp_path: Path) -> Installation:
    return Installation(double, tmp_path)


@pytest.fixture(params=["double", pytest.param("peer", marks=pytest.mark.pouchdb)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    return Installation(request.getfixturevalue(request.param), tmp_path)


async def test_the_user_of_invokers_reads_actions_writes_records_and_nothing_else(
    either: Installation,
) -> None:
    async with either.stores(ADMIN) as all_of_it, either.stores(MEMBER) as stores:
        rev = await all_of_it.entities.create(NAME, {"a": 1})
        secret = await all_of_it.subjects.create(DocId("guest"), {"key": "sealed"})
        code = await all_of_it.blobs.put(b"def main(a): pass")

        assert (await stores.entities.get(NAME)).body == {"a": 1}
        assert await stores.blobs.get(code) == b"def main(a): pass"
        await stores.check()
        stores.activations.put(a_record(1, start_ms=NOW_MS))
        stores.activations.put(a_record(2, start_ms=NOW_MS, logs=["x" * 300_000]))
        await written(stores)
        assert len(await all_of_it.activations.list(ALL, limit=9, skip=0)) == 2

        forbidden: list[Callable[[], Awaitable[object]]] = [
            lambda: stores.subjects.get(DocId("guest")),
            lambda: stores.subjects.create(DocId("me"), {}),
            lambda: stores.subjects.delete(DocId("guest"), secret),
            lambda: stores.entities.create(DocId("guest/b"), {}),
            lambda: stores.entities.replace(NAME, rev, {"a": 2}),
            lambda: stores.entities.delete(NAME, rev),
            lambda: stores.blobs.put(b"other code"),
            lambda: stores.meta.create(DocId("lease"), {}),
            lambda: stores.activations.seal(NEW),
        ]
        for each in forbidden:
            with pytest.raises(Denied, match="needs this right"):
                await each()
        assert (await all_of_it.entities.get(NAME)).body == {"a": 1}


async def test_the_user_of_invokers_changes_nothing_past_our_stores_either(
    either: Installation,
) -> None:
    settings = either.settings(MEMBER)
    entities, place = f"{either.prefix}entities", layout.shard_plan(either.prefix, NEW, None).name
    async with either.stores(ADMIN) as all_of_it:
        rev = await all_of_it.entities.create(NAME, {"a": 1})
        http = CouchHttp(settings, SystemClock())
        try:
            docs = [{"_id": "guest/b"}, {"_id": NAME, "_rev": rev, "_deleted": True}]
            rows = (await http.bulk(entities, codec.encode({"docs": docs}))).json()
            assert [row["error"] for row in rows] == ["forbidden"] * 2
            for path in (
                (entities, NAME, "attachment"),
                (entities, "_design", layout.GUARD),
                (entities, "_security"),
                (place, "_design", "mine"),
                (place, "_security"),
            ):
                with pytest.raises(Denied):
                    await http.write("PUT", *path, body=b"{}")
            with pytest.raises(Denied):
                await http.read("GET", f"{either.prefix}usage", "_all_docs")
        finally:
            await http.close()
        assert (await all_of_it.entities.get(NAME)).body == {"a": 1}


async def test_the_user_of_invokers_makes_and_drops_no_database(here: Installation) -> None:
    async with here.stores(ADMIN):
        admin = CouchAdmin(here.settings(MEMBER))  # PouchDB's server dies of the first
        try:
            with pytest.raises(Denied, match="not a server admin"):
                await admin.prepare([layout.Plan(f"{here.prefix}mine", {}, {})])
            with pytest.raises(Denied, match="not a server admin"):
                await admin.drop([f"{here.prefix}entities"])
        finally:
            admin.close()


async def test_an_invoker_waits_for_databases_and_its_records_for_their_day(
    here: Installation,
) -> None:
    async with here.stores(MEMBER) as stores:
        with pytest.raises(StoreUnavailable, match="A controller makes them"):
            await stores.check()
        async with here.stores(ADMIN) as all_of_it:
            await stores.check()
            stores.activations.put(a_record(1, start_ms=NOON_MS))
            await until(lambda: "A controller makes it" in str(stores.fault))
            assert stores.pending_records == 1
            await all_of_it.activations.prepare(TODAY)
            await written(stores)
            assert len(await all_of_it.activations.list(ALL, limit=9, skip=0)) == 1


async def test_what_is_late_goes_where_a_controller_has_made_room_for_it(
    here: Installation,
) -> None:
    async with here.stores(ADMIN) as all_of_it, here.stores(MEMBER) as stores:
        places = await all_of_it.activations.shards()
        late = NEW._replace(is_late=True)
        assert places[late] is State.OPEN
        await all_of_it.activations.prepare(TODAY)
        await all_of_it.activations.seal(TODAY)
        stores.activations.put(a_record(1, start_ms=NOON_MS))
        await written(stores)
        found = here.server.ask(
            "GET", f"{layout.shard_plan(here.prefix, late, None).name}/_all_docs"
        )
        assert [row["id"] for row in found["rows"] if not row["id"].startswith("_")]


async def test_invokers_are_let_into_what_was_made_before_they_had_a_user(
    here: Installation,
) -> None:
    async with here.stores(ADMIN, member=None) as before:
        await before.activations.prepare(NEW)
        await before.activations.prepare(TODAY)
    async with here.stores(ADMIN), here.stores(MEMBER) as stores:
        stores.activations.put(a_record(1, start_ms=NOON_MS))
        stores.activations.put(a_record(2, start_ms=NOW_MS))
        await written(stores)


async def test_a_sweep_of_code_leaves_the_guard(here: Installation) -> None:
    async with here.stores(ADMIN) as all_of_it, here.stores(MEMBER) as stores:
        await all_of_it.blobs.put(b"old")
        later_ms = SystemClock().now_ms() + DAY_MS
        assert await all_of_it.blobs.sweep((), older_than_ms=later_ms) == 1
        with pytest.raises(Denied):
            await stores.blobs.put(b"other")
