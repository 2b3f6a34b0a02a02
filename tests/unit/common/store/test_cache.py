"""A cache over a store that may be away: something at hand, for a bounded time, and never wrong."""

import asyncio

import pytest

from common import metrics
from common.store.cache import ASK_AGAIN_S, REFRESH_S, Cache, Lifetimes
from common.store.port import Corrupted, Denied, Missing, StoreUnavailable
from tests.fakes.clock import FakeClock


class Store:
    """Has one value for every key, which can be changed, made to fail, or made to wait."""

    def __init__(self) -> None:
        self.value = "old"
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0

    async def load(self, key: str) -> str:
        self.reads += 1
        value, failure = f"{self.value} {key}", self.failure
        await self.gate.wait()
        if failure is not None:
            raise failure
        return value


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def cache(store: Store, clock: FakeClock) -> Cache[str, str]:
    lifetimes = Lifetimes(fresh_s=10, stale_s=100, absent_s=2)
    return Cache(store.load, clock, capacity=3, lifetimes=lifetimes)


@pytest.mark.parametrize("failure", [StoreUnavailable(), Denied()])
async def test_what_is_old_is_used_while_the_store_is_away_and_for_a_bounded_time(
    cache: Cache[str, str], store: Store, clock: FakeClock, failure: Exception
) -> None:
    await cache.get("a")
    store.failure = failure
    clock.advance(s=10)
    before = _stale_reads()

    assert await cache.get("a") == "old a"
    assert _stale_reads() == before + 1
    reads = store.reads
    for _ in range(5):
        assert cache.fresh("a") == await cache.get("a") == "old a"
    assert store.reads == reads, "the store is left alone for a while"
    clock.advance(s=ASK_AGAIN_S)
    assert await cache.get("a") == "old a"
    assert store.reads == reads + 1
    with pytest.raises(type(failure)):
        await cache.get("b")

    clock.advance(s=100)
    with pytest.raises(type(failure)):
        await cache.get("a")


async def test_what_comes_back_is_read_anew(
    cache: Cache[str, str], store: Store, clock: FakeClock
) -> None:
    await cache.get("a")
    store.failure = StoreUnavailable()
    clock.advance(s=10)
    await cache.get("a")

    store.failure, store.value = None, "new"
    clock.advance(s=ASK_AGAIN_S)
    assert await cache.get("a") == "new a"
    clock.advance(s=9)
    assert cache.fresh("a") == "new a"


@pytest.mark.looptime
async def test_who_has_something_at_hand_waits_for_a_store_that_hangs_no_longer_than_a_second(
    cache: Cache[str, str], store: Store, clock: FakeClock
) -> None:
    await cache.get("a")
    clock.advance(s=10)
    store.gate.clear()
    loop = asyncio.get_running_loop()

    async with asyncio.TaskGroup() as tasks:
        leader = tasks.create_task(cache.get("a"))
        await asyncio.sleep(0)
        assert await cache.get("a") == "old a"
        assert loop.time() == 0, "only the first waits"
        assert await leader == "old a"
    assert loop.time() == REFRESH_S


@pytest.mark.parametrize("failure", [Missing(), Corrupted()])
async def test_what_the_store_knows_to_be_wrong_is_not_used_any_more(
    cache: Cache[str, str], store: Store, clock: FakeClock, failure: Exception
) -> None:
    await cache.get("a")
    clock.advance(s=10)
    store.failure = failure
    with pytest.raises(type(failure)):
        await cache.get("a")


async def test_what_is_known_to_have_changed_is_never_used_again(
    cache: Cache[str, str], store: Store
) -> None:
    for key in ("a", "b", "c"):
        await cache.get(key)
    store.failure = StoreUnavailable()
    cache.forget("a")
    cache.forget_where(lambda value: value.endswith("b"))
    for key in ("a", "b"):
        with pytest.raises(StoreUnavailable):
            await cache.get(key)
    assert await cache.get("c") == "old c"
    cache.clear()
    with pytest.raises(StoreUnavailable):
        await cache.get("c")


async def test_what_is_only_doubtful_is_asked_for_and_used_if_nobody_answers(
    cache: Cache[str, str], store: Store
) -> None:
    await cache.get("a")
    cache.expire("a")
    assert cache.fresh("a") is None
    assert await cache.get("a") == "old a"
    assert store.reads == 2
    cache.expire("a")
    store.failure = StoreUnavailable()
    assert await cache.get("a") == "old a"
    with pytest.raises(StoreUnavailable):
        await cache.reload("a")
    assert cache.kept("a") == "old a"


async def test_that_something_is_absent_is_remembered_for_a_moment(
    cache: Cache[str, str], store: Store, clock: FakeClock
) -> None:
    store.failure = Missing()
    for _ in range(3):
        with pytest.raises(Missing):
            await cache.get("a")
    assert store.reads == 1
    store.failure = None
    clock.advance(s=2)
    assert await cache.get("a") == "old a"
    store.failure = Missing()
    cache.forget("a")
    with pytest.raises(Missing):
        await cache.get("a")
    cache.keep("a", "made")
    assert await cache.get("a") == "made"


@pytest.mark.parametrize("change", ["forget", "forget_where", "clear", "keep", "expire"])
async def test_a_load_that_a_change_overtook_is_not_kept(
    cache: Cache[str, str], store: Store, change: str
) -> None:
    store.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(cache.get("a"))
        await asyncio.sleep(0)
        match change:
            case "forget_where":
                cache.forget_where(lambda _: False)
            case "clear":
                cache.clear()
            case "keep":
                cache.keep("a", "new a")
            case _:
                getattr(cache, change)("a")
        store.gate.set()
    assert loading.result() == "old a"
    assert cache.kept("a") == ("new a" if change == "keep" else None)


async def test_a_reload_is_newer_than_what_was_being_loaded(
    cache: Cache[str, str], store: Store
) -> None:
    store.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(cache.get("a"))
        await asyncio.sleep(0)
        store.value = "new"
        second = tasks.create_task(cache.reload("a"))
        await asyncio.sleep(0)
        store.gate.set()
    assert (first.result(), second.result()) == ("old a", "new a")
    assert cache.kept("a") == "new a"


def _stale_reads() -> float:
    return metrics.REGISTRY.get_sample_value("brisk_store_stale_reads_total") or 0
