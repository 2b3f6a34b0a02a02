"""Identities: made, shared, rotated, blocked, deleted, and what a kill in between leaves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.entity.namespace_limits import NotALimit
from common.ids import DocId, Namespace, Rev, Subject
from common.settings import StoreSettings, ThrottleSettings
from common.store.port import Body, Conflict, Doc, DocStore, Missing, StoreUnavailable
from common.store.secrets_file import InstallationSecret
from common.store.sqlite import SqliteStores
from common.store.subject_admin import (
    IllegalSubject,
    NamespaceExists,
    NoIdentity,
    NoSubject,
    SubjectAdmin,
    SubjectIsBlocked,
)
from common.store.subjects import SubjectStore

ADA, BOB = Subject("ada12"), Subject("bob12")
HOME, TEAM = Namespace("ada12"), Namespace("team")
UUIDS = [f"23bc46b1-71f6-4ed5-8c54-816aa4f8c50{n}" for n in range(6)]
KEY, OTHER_KEY = "k3y" * 21 + "K", "n3w" * 21 + "N"
SECRET = InstallationSecret(b"s" * 32)


@pytest.fixture
async def docs(tmp_path: Path) -> AsyncIterator[DocStore]:
    stores = await SqliteStores.open(tmp_path / "data", StoreSettings(), SystemClock())
    yield stores.subjects
    await stores.close()


@pytest.fixture
def admin(docs: DocStore) -> SubjectAdmin:
    return SubjectAdmin(docs, SECRET, SystemClock())


async def opens(docs: DocStore, uuid: str, key: str) -> tuple[str, str] | None:
    """Return whom a process that has just started takes for the owner of a key."""
    identity = await SubjectStore(docs, SECRET, ThrottleSettings()).identify(uuid, key)
    return None if identity is None else (identity.subject, identity.namespace)


async def all_documents(docs: DocStore) -> set[DocId]:
    return {doc.id async for doc in docs.every()}


async def test_a_subject_has_a_key_for_each_of_its_namespaces(
    admin: SubjectAdmin, docs: DocStore
) -> None:
    await admin.create(ADA, HOME, UUIDS[0], KEY)
    await admin.create(ADA, TEAM, UUIDS[1], OTHER_KEY)
    assert [(each.namespace, each.auth) for each in await admin.held(ADA)] == [
        (HOME, f"{UUIDS[0]}:{KEY}"),
        (TEAM, f"{UUIDS[1]}:{OTHER_KEY}"),
    ]
    assert await opens(docs, UUIDS[1], OTHER_KEY) == (ADA, TEAM)
    assert await opens(docs, UUIDS[1], KEY) is None
    assert await admin.owner(UUIDS[0], KEY) == (await admin.held(ADA))[0]
    assert await admin.owner(UUIDS[0], OTHER_KEY) is None
    assert KEY not in repr(await admin.held(ADA))


async def test_a_namespace_is_shared_and_stays_while_somebody_has_it(
    admin: SubjectAdmin, docs: DocStore
) -> None:
    await admin.create(ADA, TEAM, UUIDS[0], KEY)
    with pytest.raises(Conflict, match="namespace team is taken"):
        await admin.create(BOB, TEAM, UUIDS[1], OTHER_KEY)
    await admin.create(BOB, TEAM, UUIDS[1], OTHER_KEY, may_share=True)
    assert [each.subject for each in await admin.members(TEAM)] == [ADA, BOB]
    assert await opens(docs, UUIDS[1], OTHER_KEY) == (BOB, TEAM)

    await admin.delete(ADA)
    assert [each.subject for each in await admin.members(TEAM)] == [BOB]
    assert await opens(docs, UUIDS[0], KEY) is None
    await admin.delete(BOB, TEAM)
    assert await all_documents(docs) == set()
    assert await admin.members(TEAM) == []


async def test_with_a_new_key_the_old_one_opens_nothing(
    admin: SubjectAdmin, docs: DocStore
) -> None:
    await admin.create(ADA, HOME, UUIDS[0], KEY)
    held = await admin.rotate(ADA, HOME, key=OTHER_KEY)
    assert (held.uuid, held.key) == (UUIDS[0], OTHER_KEY)
    assert await opens(docs, UUIDS[0], KEY) is None
    assert await opens(docs, UUIDS[0], OTHER_KEY) == (ADA, HOME)

    assert (await admin.rotate(ADA, HOME, key=KEY, uuid=UUIDS[1])).uuid == UUIDS[1]
    assert await opens(docs, UUIDS[0], OTHER_KEY) is None
    assert await opens(docs, UUIDS[1], KEY) == (ADA, HOME)
    assert [each.uuid for each in await admin.members(HOME)] == [UUIDS[1]]


async def test_the_keys_of_a_blocked_subject_open_nothing_and_stay_its(
    admin: SubjectAdmin, docs: DocStore
) -> None:
    await admin.create(ADA, TEAM, UUIDS[0], KEY)
    await admin.create(BOB, TEAM, UUIDS[1], KEY, may_share=True)
    await admin.block(ADA, is_blocked=True)
    assert await opens(docs, UUIDS[0], KEY) is None
    assert await opens(docs, UUIDS[1], KEY) == (BOB, TEAM)
    assert [each.subject for each in await admin.members(TEAM)] == [BOB]
    with pytest.raises(SubjectIsBlocked, match="The subject you want to edit is blocked"):
        await admin.create(ADA, HOME, UUIDS[2], KEY)
    with pytest.raises(SubjectIsBlocked):
        await admin.rotate(ADA, TEAM, key=OTHER_KEY)
    await admin.block(ADA, is_blocked=False)
    assert await opens(docs, UUIDS[0], KEY) == (ADA, TEAM)


async def test_what_is_not_there_or_is_taken_is_said(admin: SubjectAdmin, docs: DocStore) -> None:
    await admin.create(ADA, HOME, UUIDS[0], KEY)
    before = await all_documents(docs)
    with pytest.raises(NamespaceExists, match="Namespace already exists"):
        await admin.create(ADA, HOME, UUIDS[1], KEY)
    with pytest.raises(Conflict, match=r"uuid .* is taken"):
        await admin.create(BOB, TEAM, UUIDS[0], OTHER_KEY)
    with pytest.raises(IllegalSubject):
        await admin.create(Subject("a/b/c"), HOME, UUIDS[2], KEY)
    with pytest.raises(NoIdentity, match='namespace "team" not found for "ada12"'):
        await admin.rotate(ADA, TEAM, key=KEY)
    with pytest.raises(NoIdentity):
        await admin.delete(ADA, TEAM)
    for nobody in (admin.held(BOB), admin.delete(BOB), admin.block(BOB, is_blocked=True)):
        with pytest.raises(NoSubject):
            await nobody
    assert await all_documents(docs) == before


async def test_limits_are_merged_and_outlive_the_subject(
    admin: SubjectAdmin, docs: DocStore
) -> None:
    await admin.create(ADA, HOME, UUIDS[0], KEY)
    assert await admin.limits(HOME) is None
    await admin.set_limits(HOME, {"invocationsPerMinute": 5})
    await admin.set_limits(HOME, {"allowedKinds": ["python:3.11"]})
    identity = await SubjectStore(docs, SECRET, ThrottleSettings()).identify(UUIDS[0], KEY)
    assert identity is not None
    assert (identity.invocations_per_minute, identity.own.allowed_kinds) == (5, ("python:3.11",))
    with pytest.raises(NotALimit):
        await admin.set_limits(HOME, {"invocationsPerMinute": -1})
    await admin.delete(ADA)
    assert await admin.limits(HOME) == {"invocationsPerMinute": 5, "allowedKinds": ["python:3.11"]}
    for _ in range(2):
        await admin.delete_limits(HOME)
    assert await admin.limits(HOME) is None


class Breaking:
    """Documents that can be written *left* more times."""

    def __init__(self, docs: DocStore, left: int) -> None:
        self._docs = docs
        self._left = left

    async def get(self, doc_id: DocId) -> Doc:
        return await self._docs.get(doc_id)

    async def create(self, doc_id: DocId, body: Body) -> Rev:
        self._spend()
        return await self._docs.create(doc_id, body)

    async def replace(self, doc_id: DocId, rev: Rev, body: Body) -> Rev:
        self._spend()
        return await self._docs.replace(doc_id, rev, body)

    async def delete(self, doc_id: DocId, rev: Rev) -> None:
        self._spend()
        await self._docs.delete(doc_id, rev)

    def _spend(self) -> None:
        if not self._left:
            raise StoreUnavailable("killed here")
        self._left -= 1


@pytest.mark.parametrize("after", [1, 2])
async def test_what_was_broken_off_anywhere_is_finished_by_doing_it_again(
    admin: SubjectAdmin, docs: DocStore, after: int
) -> None:
    def breaking() -> SubjectAdmin:
        return SubjectAdmin(Breaking(docs, after), SECRET, SystemClock())  # type: ignore[arg-type]

    with pytest.raises(StoreUnavailable):
        await breaking().create(ADA, HOME, UUIDS[0], KEY)
    assert await opens(docs, UUIDS[0], KEY) is None
    await admin.create(ADA, HOME, UUIDS[0], KEY)
    assert await opens(docs, UUIDS[0], KEY) == (ADA, HOME)

    with pytest.raises(StoreUnavailable):
        await breaking().rotate(ADA, HOME, key=OTHER_KEY, uuid=UUIDS[1])
    assert await opens(docs, UUIDS[0], KEY) is None
    await admin.rotate(ADA, HOME, key=OTHER_KEY, uuid=UUIDS[2])
    assert await opens(docs, UUIDS[2], OTHER_KEY) == (ADA, HOME)

    with pytest.raises(StoreUnavailable):
        await breaking().delete(ADA)
    assert await opens(docs, UUIDS[2], OTHER_KEY) is None
    await admin.delete(ADA)
    assert await all_documents(docs) == set()
    with pytest.raises(Missing):
        await docs.get(DocId("sub/ada12"))
