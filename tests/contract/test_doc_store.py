"""What every store of documents does."""

import asyncio
from typing import Any

import pytest

from common.ids import DocId, Namespace, Rev
from common.store.port import Conflict, DocStore, Missing, Stores
from tests.contract.conftest import Reopen

GUEST = Namespace("guest")


@pytest.fixture
def docs(stores: Stores) -> DocStore:
    return stores.entities


def an_action(name: str, updated: int = 1, path: str = "guest") -> dict[str, Any]:
    return {"name": name, "namespace": path, "entityType": "action", "updated": updated}


async def names(docs: DocStore, **arguments: Any) -> list[str]:
    defaults: dict[str, Any] = {"package": None, "limit": 30, "skip": 0}
    found = await docs.list(GUEST, "action", **(defaults | arguments))
    return [body["name"] for body in found]


async def test_a_document_comes_back_as_it_was(docs: DocStore) -> None:
    body = an_action("a") | {"n": 12345678901234567890123, "é": ["☃", None, 1.5], "empty": {}}

    rev = await docs.create(DocId("guest/a b/c@d"), body)
    doc = await docs.get(DocId("guest/a b/c@d"))

    assert (doc.id, doc.rev, doc.body) == ("guest/a b/c@d", rev, body)


async def test_nothing_is_there_before_it_is_created(docs: DocStore) -> None:
    with pytest.raises(Missing):
        await docs.get(DocId("guest/a"))
    with pytest.raises(Missing):
        await docs.replace(DocId("guest/a"), Rev("1-x"), {})
    with pytest.raises(Missing):
        await docs.delete(DocId("guest/a"), Rev("1-x"))


async def test_a_document_is_created_once(docs: DocStore) -> None:
    await docs.create(DocId("guest/a"), an_action("a"))

    with pytest.raises(Conflict):
        await docs.create(DocId("guest/a"), an_action("a"))


async def test_each_write_has_a_revision_of_its_own(docs: DocStore) -> None:
    first = await docs.create(DocId("guest/a"), an_action("a"))
    second = await docs.replace(DocId("guest/a"), first, an_action("a"))

    assert first != second
    assert (await docs.get(DocId("guest/a"))).rev == second


@pytest.mark.parametrize("wrong", ["", "2-x", "1-0000000000000000", "nonsense"])
async def test_only_the_newest_revision_may_be_changed(docs: DocStore, wrong: str) -> None:
    rev = await docs.create(DocId("guest/a"), an_action("a"))

    with pytest.raises(Conflict):
        await docs.replace(DocId("guest/a"), Rev(wrong), an_action("b"))
    with pytest.raises(Conflict):
        await docs.delete(DocId("guest/a"), Rev(wrong))

    assert (await docs.get(DocId("guest/a"))).rev == rev


async def test_a_deleted_document_is_gone_and_can_be_created_anew(docs: DocStore) -> None:
    old = await docs.create(DocId("guest/a"), an_action("a", 1))
    await docs.delete(DocId("guest/a"), old)

    with pytest.raises(Missing):
        await docs.get(DocId("guest/a"))
    assert await docs.count(GUEST, "action", package=None) == 0
    await docs.create(DocId("guest/a"), an_action("a", 2))
    with pytest.raises(Conflict):
        await docs.delete(DocId("guest/a"), old)


async def test_a_list_has_the_newest_first_and_ties_by_write(docs: DocStore) -> None:
    for name, updated in (("old", 1), ("tie1", 5), ("new", 9), ("tie2", 5)):
        await docs.create(DocId(f"guest/{name}"), an_action(name, updated))

    assert await names(docs) == ["new", "tie2", "tie1", "old"]
    assert await names(docs, limit=2, skip=1) == ["tie2", "tie1"]
    assert await names(docs, skip=4) == []


async def test_a_document_that_changes_moves_to_the_top(docs: DocStore) -> None:
    rev = await docs.create(DocId("guest/a"), an_action("a", 1))
    await docs.create(DocId("guest/b"), an_action("b", 2))

    await docs.replace(DocId("guest/a"), rev, an_action("a", 3))

    assert await names(docs) == ["a", "b"]


async def test_a_namespace_lists_its_packages_too_and_a_package_only_its_own(
    docs: DocStore,
) -> None:
    await docs.create(DocId("guest/a"), an_action("a", 1))
    await docs.create(DocId("guest/p/b"), an_action("b", 2, "guest/p"))
    await docs.create(DocId("guest/q/c"), an_action("c", 3, "guest/q"))
    await docs.create(DocId("guest/p"), {"namespace": "guest", "entityType": "package"})

    assert await names(docs) == ["c", "b", "a"]
    assert await names(docs, package="p") == ["b"]
    assert await docs.count(GUEST, "action", package=None) == 3
    assert await docs.count(GUEST, "action", package="p") == 1
    assert await docs.count(GUEST, "package", package=None) == 1


async def test_nobody_sees_another_namespace(docs: DocStore) -> None:
    for path in ("other", "guest2", "guest2/guest", "other/guest"):
        await docs.create(DocId(f"{path}/a"), an_action("a", 1, path))

    assert await names(docs) == []
    assert await docs.count(GUEST, "action", package=None) == 0


async def test_databases_are_apart(stores: Stores) -> None:
    await stores.entities.create(DocId("guest/a"), an_action("a"))

    with pytest.raises(Missing):
        await stores.subjects.get(DocId("guest/a"))
    assert await stores.subjects.count(GUEST, "action", package=None) == 0


async def test_of_racing_creators_one_wins(docs: DocStore) -> None:
    async def create(number: int) -> Rev:
        return await docs.create(DocId("guest/a"), an_action("a", number))

    outcomes = await asyncio.gather(*map(create, range(32)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 31 + ["str"]


async def test_no_update_is_lost_when_many_change_one_document(docs: DocStore) -> None:
    await docs.create(DocId("guest/n"), {"n": 0})

    async def add_one() -> None:
        while True:
            doc = await docs.get(DocId("guest/n"))
            try:
                await docs.replace(doc.id, doc.rev, {"n": doc.body["n"] + 1})
                return
            except Conflict:
                continue

    await asyncio.gather(*(add_one() for _ in range(16)))

    assert (await docs.get(DocId("guest/n"))).body == {"n": 16}


async def test_an_acknowledged_write_survives_a_crash(reopen: Reopen) -> None:
    before = await reopen()
    revs = await asyncio.gather(
        *(before.entities.create(DocId(f"guest/{i}"), an_action(str(i))) for i in range(50))
    )

    after = await reopen()

    found = [await after.entities.get(DocId(f"guest/{i}")) for i in range(50)]
    assert [doc.rev for doc in found] == revs


async def test_who_is_cancelled_leaves_a_document_whole_or_not_there(docs: DocStore) -> None:
    writes = [
        asyncio.ensure_future(docs.create(DocId(f"guest/{i}"), an_action(str(i), i)))
        for i in range(20)
    ]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert all(isinstance(outcome, str) for outcome in outcomes[1::2])
    for name in await names(docs):
        assert (await docs.get(DocId(f"guest/{name}"))).body == an_action(name, int(name))
    assert {str(i) for i in range(1, 20, 2)} <= set(await names(docs))


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"updated": 1 << 70},
        {"updated": "now"},
        {"updated": -1},
        {"namespace": ["guest"]},
        {"entityType": {"a": 1}},
    ],
)
async def test_odd_fields_disturb_nobody(docs: DocStore, odd: dict[str, Any]) -> None:
    odd_one, usual_one = await asyncio.gather(
        docs.create(DocId("guest/odd"), odd), docs.create(DocId("guest/a"), an_action("a"))
    )

    assert (await docs.get(DocId("guest/odd"))).body == odd
    assert odd_one != usual_one
    assert await names(docs) == ["a"]
