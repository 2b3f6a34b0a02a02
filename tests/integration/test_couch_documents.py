"""What goes wrong while documents and code are written or read."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.upkeep.stores import Installation
from common.clock import SystemClock
from common.data_folder import DataFolder
from common.entity.action import Action, BlobRef, Exec
from common.ids import DocId, Namespace, Rev, Subject
from common.settings import CouchdbSettings, Settings, ThrottleSettings
from common.store.actions import ActionStore
from common.store.cache import Lifetimes
from common.store.couch import CouchStores
from common.store.couch_faults import Locked
from common.store.entities import follow
from common.store.port import (
    Conflict,
    Corrupted,
    Denied,
    Gap,
    Invalidation,
    Missing,
    StoreUnavailable,
)
from common.store.secrets_file import InstallationSecret
from common.store.subjects import SubjectStore
from tests.couchfake.server import CouchFake
from tests.fakes.records import an_action
from tests.integration.couch import open_stores, until

DOC = DocId("guest/a")
BODY = {"namespace": "guest", "entityType": "action", "updated": 1}
AWAY: list[dict[str, Any]] = [
    {"kind": "reset_before"},
    {"kind": "status", "status": 500, "error": "internal_server_error",
     "reason": "No DB shards could be opened."},
    {"kind": "status", "status": 503, "error": "service_unavailable"},
    {"kind": "status", "status": 429, "error": "too_many_requests"},
]  # fmt: skip
MAYBE_DONE = [*AWAY, {"kind": "reset_in_body"}, {"kind": "reset_after"}, {"kind": "accepted"}]


def kind(fault: dict[str, Any]) -> str:
    return f"{fault['kind']}{fault.get('status', '')}"


@pytest.mark.parametrize("fault", MAYBE_DONE, ids=kind)
async def test_a_write_whose_answer_is_lost_is_made_once_and_is_no_conflict(
    fake: CouchFake, stores: CouchStores, fault: dict[str, Any]
) -> None:
    fake.script.add(method="PUT", path="guest", **fault)
    first = await stores.entities.create(DOC, BODY)
    fake.script.add(method="PUT", path="guest", **fault)
    second = await stores.entities.replace(DOC, first, BODY | {"updated": 2})
    assert (await stores.entities.get(DOC)).rev == second
    assert second.startswith("2-")

    fake.script.add(method="DELETE", path="guest", **fault)
    await stores.entities.delete(DOC, second)

    with pytest.raises(Missing):
        await stores.entities.get(DOC)


async def test_a_conflict_with_somebody_else_stays_one_when_an_answer_was_lost(
    fake: CouchFake, stores: CouchStores
) -> None:
    await stores.entities.create(DOC, BODY)
    fake.script.add("reset_after", method="PUT", path="guest")

    with pytest.raises(Conflict):
        await stores.entities.create(DOC, BODY)


@pytest.mark.parametrize("fault", AWAY, ids=kind)
async def test_a_read_is_asked_again_while_the_database_is_away_for_a_moment(
    fake: CouchFake, stores: CouchStores, fault: dict[str, Any]
) -> None:
    await stores.entities.create(DOC, BODY)
    for method, path in (("GET", "guest"), ("POST", "_find")):
        fake.script.add(method=method, path=path, times=2, **fault)

    assert (await stores.entities.get(DOC)).body == BODY
    assert await stores.entities.count(Namespace("guest"), "action", package=None) == 1


async def test_who_waits_is_told_in_time_that_the_database_is_away(
    fake: CouchFake, stores: CouchStores
) -> None:
    await fake.stop()

    for ask in (stores.entities.get(DOC), stores.entities.create(DOC, BODY),
                stores.blobs.put(b"code")):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(2):  # it is tried again for one second
                await ask


async def test_stores_that_were_opened_without_the_database_make_it_when_it_comes(
    fake: CouchFake, tmp_path: Path
) -> None:
    await fake.stop()
    stores = await open_stores(fake, tmp_path)
    await fake.start(fake.port)

    rev = await stores.entities.create(DOC, BODY)

    assert (await stores.entities.get(DOC)).rev == rev
    assert await stores.entities.count(Namespace("guest"), "action", package=None) == 1
    await stores.close()


async def test_a_wrong_password_is_said_at_once_and_locks_nobody_out(tmp_path: Path) -> None:
    fake = CouchFake(auth=("brisk", "right"))
    await fake.start()
    with pytest.raises(Denied):
        await open_stores(fake, tmp_path, user="brisk", password="wrong")

    stores = await open_stores(fake, tmp_path, user="brisk", password="right")
    await stores.entities.create(DOC, BODY)
    fake.script.add("status", method="GET", status=403, error="forbidden",
                    reason="Account is temporarily locked", path="guest")  # fmt: skip
    asked = len(fake.script.requests)
    for _ in range(4):
        with pytest.raises(Locked, match="temporarily locked"):
            await stores.entities.get(DOC)
    assert len(fake.script.requests) == asked + 1
    await stores.close()
    await fake.stop()


@pytest.mark.parametrize("fault", MAYBE_DONE, ids=kind)
async def test_code_is_written_whole_whatever_breaks_in_between(
    fake: CouchFake, stores: CouchStores, fault: dict[str, Any]
) -> None:
    for path in ("/sha256-[0-9a-f]*$", "/code$"):
        fake.script.add(method="PUT", path=path, **fault)

    ref = await stores.blobs.put(b"code" * 5000)

    assert await stores.blobs.get(ref) == b"code" * 5000


async def test_code_that_a_crash_left_half_written_is_missing_and_then_finished(
    fake: CouchFake, stores: CouchStores
) -> None:
    ref = await stores.blobs.put(b"code")
    entry = fake.databases["brisk_code"].docs[f"sha256-{ref.sha256}"]
    entry.attachments.clear()
    with pytest.raises(Missing):
        await stores.blobs.get(ref)

    assert await stores.blobs.put(b"code") == ref
    assert await stores.blobs.get(ref) == b"code"


async def test_damaged_code_is_not_given_out(fake: CouchFake, stores: CouchStores) -> None:
    ref = await stores.blobs.put(b"code")
    entry = fake.databases["brisk_code"].docs[f"sha256-{ref.sha256}"]
    entry.attachments["code"].data = b"evil"

    with pytest.raises(Corrupted):
        await stores.blobs.get(BlobRef(ref.sha256, 4))


async def test_changes_are_told_and_a_feed_that_broke_goes_on_where_it_was(
    fake: CouchFake, stores: CouchStores, tmp_path: Path
) -> None:
    other = await open_stores(fake, tmp_path / "other")
    told = stores.changes.subscribe()
    async with asyncio.timeout(5):
        assert await anext(told) == Gap()
        first = await other.entities.create(DOC, BODY)
        assert await anext(told) == Invalidation(DOC, first)

        await fake.stop()
        await fake.start(fake.port)
        second: Rev = await other.entities.replace(DOC, first, BODY)

        assert await anext(told) == Invalidation(DOC, second)
    await told.aclose()
    await other.close()


async def test_an_action_that_another_process_changes_is_forgotten_at_once(
    stores: CouchStores, fake: CouchFake, tmp_path: Path
) -> None:
    other_stores = await open_stores(fake, tmp_path / "other")
    other = ActionStore(other_stores.entities, other_stores.blobs)
    ours = ActionStore(stores.entities, stores.blobs, lifetimes=Lifetimes(fresh_s=300))
    first = await other.put(Action(name=an_action("a"), exec=Exec(kind="python:3.11")), None)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow(stores.changes, ours))
        await until(lambda: fake.script.count("GET", "_changes"))
        assert (await ours.get(first.name)).version == "0.0.1"

        await other.put(replace(first, version="0.0.2"), first.rev)

        async with asyncio.timeout(5):
            while (await ours.get(first.name)).version != "0.0.2":  # noqa: ASYNC110 - a cache
                await asyncio.sleep(0.01)
        following.cancel()
    await other_stores.close()


async def test_a_key_that_another_process_withdraws_is_forgotten_at_once(
    stores: CouchStores, fake: CouchFake, tmp_path: Path
) -> None:
    secret = InstallationSecret(b"s" * 32)
    other_stores = await open_stores(fake, tmp_path / "other")
    other = SubjectStore(other_stores.subjects, secret, ThrottleSettings())
    ours = SubjectStore(
        stores.subjects, secret, ThrottleSettings(), lifetimes=Lifetimes(fresh_s=300)
    )
    uuid, key = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502", "k" * 64
    await other.create(Subject("guest"), Namespace("guest"), uuid, key)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(ours.follow(stores.subject_changes))
        await until(lambda: fake.script.count("GET", "brisk_subjects/_changes"))
        limits = DocId("lim/guest")
        rev = await other_stores.subjects.create(limits, {"invocationsPerMinute": 7})
        async with asyncio.timeout(5):
            while (await _limit(ours, uuid, key)) != 7:  # noqa: ASYNC110 - a cache
                await asyncio.sleep(0.01)
            await other_stores.subjects.replace(limits, rev, {"invocationsPerMinute": 8})
            while (await _limit(ours, uuid, key)) != 8:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            subject = await other_stores.subjects.get(DocId("sub/guest"))
            await other_stores.subjects.replace(
                subject.id, subject.rev, subject.body | {"blocked": True}
            )
            while (await _limit(ours, uuid, key)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        following.cancel()
    await other_stores.close()


async def test_what_an_operator_changes_is_seen_by_a_controller_at_once(
    stores: CouchStores, fake: CouchFake, tmp_path: Path
) -> None:
    folder = DataFolder(tmp_path / "operator")
    folder.path.mkdir()
    secret = InstallationSecret.load_or_create(folder.secret)
    await secret.require_same(stores.meta, folder.secret)
    installation = Installation(
        Settings(couchdb=CouchdbSettings(url=fake.url)),
        folder,
        is_cluster=True,
        clock=SystemClock(),
    )
    ours = SubjectStore(
        stores.subjects, secret, ThrottleSettings(), lifetimes=Lifetimes(fresh_s=300)
    )
    alice, team = Subject("alice"), Namespace("team")
    uuid, key = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502", "k" * 64
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(ours.follow(stores.subject_changes))
        await until(lambda: fake.script.count("GET", "brisk_subjects/_changes"))
        async with installation.identities() as admin, asyncio.timeout(10):
            await admin.create(alice, team, uuid, key)
            await admin.set_limits(team, {"invocationsPerMinute": 7})
            while (await _limit(ours, uuid, key)) != 7:  # noqa: ASYNC110 - a cache
                await asyncio.sleep(0.01)
            await admin.block(alice, is_blocked=True)
            while (await _limit(ours, uuid, key)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await admin.block(alice, is_blocked=False)
            await admin.rotate(alice, team, key="n" * 64)
            while (await _limit(ours, uuid, "n" * 64)) != 7:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert await _limit(ours, uuid, key) is None
            assert [each.auth for each in await admin.members(team)] == [f"{uuid}:{'n' * 64}"]
            await admin.delete(alice)
            while (await _limit(ours, uuid, "n" * 64)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        following.cancel()


async def _limit(subjects: SubjectStore, uuid: str, key: str) -> int | None:
    identity = await subjects.identify(uuid, key)
    return None if identity is None else identity.invocations_per_minute
