"""Records, seals, drops and restarts in any order: what is billed is what was taken, once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.entity.activation import ActivationRecord
from common.ids import ActivationId
from common.store.days import day_of
from common.store.port import NotSealed, Stores
from common.store.shard import Shard, State
from tests.contract.closed import GUEST, TODAY, bill, written
from tests.contract.stores import HISTORY_PARAMS, STORES, require
from tests.fakes.records import HOUR_MS, NOON_MS, a_record, an_action, an_id

Open: TypeAlias = Callable[[], Awaitable[Stores]]


@dataclass
class World:
    """A store, and what it should have."""

    open: Open
    stores: Stores
    places: dict[ActivationId, tuple[Shard, ActivationRecord]] = field(default_factory=dict)

    async def shards(self) -> dict[Shard, State]:
        return dict(await self.stores.activations.shards())

    async def put(self, record: ActivationRecord) -> None:
        own = Shard(day_of(record.activation_id, record.start_ms))
        state = (await self.shards()).get(own, State.OPEN)
        await written(self.stores, record)
        if record.activation_id in self.places:
            return
        if state is State.OPEN:
            self.places[record.activation_id] = own, record
        elif state.has_records:
            [late] = [
                shard
                for shard, each in (await self.shards()).items()
                if shard.is_late and each is State.OPEN
            ]
            self.places[record.activation_id] = late, record

    async def put_and_crash(self, record: ActivationRecord) -> None:
        """Leave a record in the spool; which place it gets is seen when it is written."""
        own = Shard(day_of(record.activation_id, record.start_ms))
        if (await self.shards()).get(own, State.OPEN) is State.OPEN:
            self.stores.activations.put(record)
            self.places.setdefault(record.activation_id, (own, record))
        await self.restart()

    async def restart(self) -> None:
        await self.stores.close()
        self.stores = await self.open()

    async def seal(self, number: int) -> None:
        if shard := await self.any(number):
            state = (await self.stores.activations.seal(shard)).state
            assert state in (State.SEALED, State.DROPPED)

    async def drop(self, number: int) -> None:
        if shard := await self.any(number):
            if (await self.shards())[shard] is State.OPEN:
                with pytest.raises(NotSealed):
                    await self.stores.activations.drop(shard)
            else:
                await self.stores.activations.drop(shard)

    async def any(self, number: int) -> Shard | None:
        shards = sorted(await self.shards())
        return shards[number % len(shards)] if shards else None

    async def check(self) -> None:
        records = [record for _, record in self.places.values()]
        assert await bill(self.stores.activations) == (
            len(records),
            sum(record.billed_ms for record in records),
            sum(record.billed_ms * record.memory_mb for record in records),
        )
        known = await self.shards()
        there = {aid for aid, (shard, _) in self.places.items() if known[shard].has_records}
        audit = await self.stores.activations.audit(GUEST)
        assert audit.recomputed.activations == len(there)
        for activation_id in there:
            found = await self.stores.activations.get(GUEST, activation_id)
            assert found.billed_ms == self.places[activation_id][1].billed_ms


def _record(number: int, hours: int, billed_ms: int, name: str, ours: bool) -> ActivationRecord:
    # The day of a record follows from its number, so that it is the same whenever it comes.
    start_ms = NOON_MS + (number % 3 * 24 + hours) * HOUR_MS
    return a_record(
        number,
        start_ms=start_ms,
        billed_ms=billed_ms,
        action=an_action(name),
        activation_id=an_id(number, at_ms=start_ms) if ours else ActivationId(f"foreign{number}"),
    )


RECORDS = st.builds(
    _record,
    number=st.integers(0, 8),
    hours=st.just(0),
    billed_ms=st.integers(0, 300_000),
    name=st.sampled_from(["a", "p/a"]),
    ours=st.just(True),
) | st.builds(
    _record,
    number=st.integers(10, 14),
    hours=st.just(11),
    billed_ms=st.integers(0, 300_000),
    name=st.just("a"),
    ours=st.just(False),
)
STEPS = (
    st.tuples(st.just("put"), RECORDS)
    | st.tuples(st.just("put_and_crash"), RECORDS)
    | st.tuples(st.sampled_from(["seal", "seal", "drop"]), st.integers(0, 5))
)


@pytest.mark.parametrize("adapter", HISTORY_PARAMS)
@given(steps=st.lists(STEPS, min_size=3, max_size=14))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_billed_is_what_was_taken(
    adapter: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, ActivationRecord | int]],
) -> None:
    require(adapter, request)

    async def live() -> None:
        folder = tmp_path_factory.mktemp("closed")

        async def reopened() -> Stores:
            return await STORES[adapter](folder)

        world = World(reopened, await reopened())
        for name, argument in steps:
            await getattr(world, name)(argument)
            await world.check()
        await world.stores.close()

    assert TODAY.day == NOON_MS // (24 * HOUR_MS)
    asyncio.run(live())
