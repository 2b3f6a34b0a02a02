"""The cache of actions: one load for many, nothing old after a write, no shared cancellation."""

import asyncio
from dataclasses import replace

import pytest

from common.entity.action import Action, Exec
from common.errors import WrongCollection
from common.ids import DocId, Rev
from common.store.actions import ActionStore
from common.store.cache import Lifetimes
from common.store.port import Conflict, Corrupted, Doc, Missing, StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.records import an_action
from tests.fakes.running_api import MemoryBlobs, MemoryDocs

ACTION = Action(name=an_action(), exec=Exec(kind="python:3.11", code="x = 1"))
LONG = "ä" * 9_000


class GatedDocs(MemoryDocs):
    """Answers reads only when the test opens the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def get(self, doc_id: DocId) -> Doc:
        found = self.docs.get(doc_id)
        self.reads += 1
        self.begun.set()
        await self.gate.wait()
        if found is None:
            raise Missing
        return found


async def test_a_read_is_answered_from_the_cache_until_it_is_old(clock: FakeClock) -> None:
    docs = MemoryDocs()
    store = ActionStore(docs, MemoryBlobs(), clock=clock, lifetimes=Lifetimes(fresh_s=5.0))
    stored = await store.put(ACTION, None)

    assert await store.get(ACTION.name) is stored
    assert docs.reads == 0
    clock.advance(s=5)
    assert await store.get(ACTION.name) == stored
    assert docs.reads == 1


async def test_a_hit_does_not_yield_to_the_loop(clock: FakeClock) -> None:
    store = ActionStore(MemoryDocs(), MemoryBlobs(), clock=clock)
    await store.put(ACTION, None)
    with pytest.raises(StopIteration):
        store.get(ACTION.name).send(None)


async def test_the_cache_keeps_what_was_used_last(clock: FakeClock) -> None:
    docs = MemoryDocs()
    store = ActionStore(docs, MemoryBlobs(), clock=clock, cached_actions=2)
    for name in ("a", "b"):
        await store.put(replace(ACTION, name=an_action(name)), None)
    await store.get(an_action("a"))
    await store.put(replace(ACTION, name=an_action("c")), None)

    await store.get(an_action("a"))
    assert docs.reads == 0
    await store.get(an_action("b"))
    assert docs.reads == 1
    assert repr(store) == "<ActionStore [2 cached, 0 loading]>"


async def test_many_who_miss_share_one_load_and_its_end(clock: FakeClock) -> None:
    docs = GatedDocs()
    store = ActionStore(docs, MemoryBlobs(), clock=clock)
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(asyncio.wait_for(_outcome(store), 5)) for _ in range(10)]
        await docs.begun.wait()
        docs.gate.set()
    assert {reader.result() for reader in readers} == {Missing}
    assert docs.reads == 1


async def test_who_is_cancelled_cancels_nobody_else(clock: FakeClock) -> None:
    docs = GatedDocs()
    await ActionStore(docs, MemoryBlobs(), clock=clock).put(ACTION, None)
    store = ActionStore(docs, MemoryBlobs(), clock=clock)
    async with asyncio.TaskGroup() as tasks:
        leader, follower, last = (tasks.create_task(_outcome(store)) for _ in range(3))
        await docs.begun.wait()
        follower.cancel()
        leader.cancel()
        await asyncio.wait((leader, follower))
        docs.gate.set()
    assert (leader.cancelled(), follower.cancelled()) == (True, True)
    assert last.result() is Action
    assert repr(store) == "<ActionStore [1 cached, 0 loading]>"


async def test_a_load_that_a_write_overtook_is_not_kept(clock: FakeClock) -> None:
    docs = GatedDocs()
    first = await ActionStore(docs, MemoryBlobs(), clock=clock).put(ACTION, None)
    store = ActionStore(docs, MemoryBlobs(), clock=clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.get(ACTION.name))
        await docs.begun.wait()
        second = await store.put(replace(first, version="0.0.2"), first.rev)
        docs.gate.set()
    assert await store.get(ACTION.name) is second


async def test_long_code_is_kept_apart_and_read_back(clock: FakeClock) -> None:
    docs, blobs = MemoryDocs(), MemoryBlobs()
    store = ActionStore(docs, blobs, clock=clock)
    stored = await store.put(replace(ACTION, exec=Exec(kind="python:3.11", code=LONG)), None)

    assert stored.exec.code is None
    assert await store.code(stored) == LONG
    assert list(blobs.blobs.values()) == [LONG.encode()]
    inline = await store.put(replace(ACTION, name=an_action("b")), None)
    assert (await store.code(inline), inline.exec.code_ref) == ("x = 1", None)


async def test_a_write_over_an_old_revision_is_a_conflict_and_forgets_it(clock: FakeClock) -> None:
    docs = MemoryDocs()
    store = ActionStore(docs, MemoryBlobs(), clock=clock)
    stored = await store.put(ACTION, None)
    for attempt in (
        store.put(ACTION, None),
        store.put(ACTION, Rev("old")),
        store.delete(replace(stored, rev=Rev("old"))),
    ):
        with pytest.raises(Conflict):
            await attempt
        assert repr(store) == "<ActionStore [0 cached, 0 loading]>"
    await store.delete(stored)
    with pytest.raises(Missing):
        await store.get(ACTION.name)


async def test_what_is_no_action_is_told_apart(clock: FakeClock) -> None:
    docs = MemoryDocs()
    store = ActionStore(docs, MemoryBlobs(), clock=clock)
    doc_id = ACTION.name.doc_id
    docs.docs[doc_id] = Doc(doc_id, Rev("1"), {"entityType": "trigger"})
    with pytest.raises(WrongCollection):
        await store.get(ACTION.name)
    docs.docs[doc_id] = Doc(doc_id, Rev("1"), {"entityType": "action"})
    with pytest.raises(Corrupted):
        await store.get(ACTION.name)


async def _outcome(store: ActionStore) -> type:
    try:
        return type(await store.get(ACTION.name))
    except Missing as missing:
        return type(missing)


async def test_who_knows_the_revision_asks_once_for_each(clock: FakeClock) -> None:
    docs = MemoryDocs()
    writer = ActionStore(docs, MemoryBlobs(), clock=clock)
    reader = ActionStore(docs, MemoryBlobs(), clock=clock, lifetimes=Lifetimes(fresh_s=5.0))
    first = await writer.put(ACTION, None)
    assert await reader.get(ACTION.name, rev=first.rev) == first
    clock.advance(s=3600)
    docs.failure = StoreUnavailable()
    assert await reader.get(ACTION.name, rev=first.rev) == first
    assert docs.reads == 1, "it is the same revision for ever"

    docs.failure = None
    second = await writer.put(replace(first, version="0.0.2"), first.rev)
    assert await reader.get(ACTION.name, rev=second.rev) == second
    assert await reader.get(ACTION.name, rev=first.rev) == second, "the newest, if it is another"
    docs.failure = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await reader.get(ACTION.name, rev=Rev("3"))
    assert await reader.get(ACTION.name, rev=second.rev) == second


async def test_a_write_that_failed_for_the_stores_fault_leaves_something_at_hand(
    clock: FakeClock,
) -> None:
    docs = MemoryDocs()
    store = ActionStore(
        docs, MemoryBlobs(), clock=clock, lifetimes=Lifetimes(fresh_s=5, stale_s=60)
    )
    stored = await store.put(ACTION, None)
    for attempt in (
        store.put(replace(stored, version="0.0.2"), stored.rev),
        store.delete(stored),
        store.newest(ACTION.name),
    ):
        docs.failure = StoreUnavailable()
        with pytest.raises(StoreUnavailable):
            await attempt
        docs.failure = StoreUnavailable()
        assert await store.get(ACTION.name) == stored
        docs.failure = None
