"""What a test of closed days does again and again, whichever store it is about."""

import asyncio
from typing import Any, Protocol, cast

from common.entity.activation import ActivationRecord
from common.ids import Namespace
from common.store.port import ActivationFilter, DayStore, Period, SealReport, Stores, UsageRow
from common.store.shard import Shard, State
from tests.fakes.records import DAY_MS, NOON_MS

GUEST = Namespace("guest")
ALL = ActivationFilter(namespace=GUEST)
TODAY = Shard(NOON_MS // DAY_MS)
"""The day of a usual record."""
EVER: Any = {"from_ms": 0, "to_ms": NOON_MS * 2}


class _Pending(Protocol):
    pending_records: int


async def written(stores: Stores, *records: ActivationRecord) -> None:
    """Put *records*, and return when nothing waits for the database any more."""
    for record in records:
        stores.activations.put(record)
    async with asyncio.timeout(20):
        while cast(_Pending, stores).pending_records:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.002)


async def sealed(store: DayStore, shard: Shard = TODAY) -> SealReport:
    """Seal a place and see to it that it is."""
    report = await store.seal(shard)
    assert report.state is State.SEALED
    assert (await store.shards())[shard] is State.SEALED
    return report


async def usage(store: DayStore, by: Period = "hour") -> list[UsageRow]:
    return list(await store.usage(GUEST, by=by, **EVER))


async def bill(store: DayStore, namespace: Namespace = GUEST) -> tuple[int, int, int]:
    """Return what a namespace has ever used, and see to it that every way to count it agrees."""
    rows = await store.usage(namespace, by="month", **EVER)
    whole = (
        sum(row.activations for row in rows),
        sum(row.billed_ms for row in rows),
        sum(row.mb_ms for row in rows),
    )
    audit = await store.audit(namespace)
    assert audit.is_exact, audit
    parts = (audit.ledger, audit.dropped)
    assert whole == (
        sum(part.activations for part in parts),
        sum(part.billed_ms for part in parts),
        sum(part.mb_ms for part in parts),
    )
    wanted = ActivationFilter(namespace=namespace)
    there = await store.count(wanted)
    assert there == audit.recomputed.activations
    listed = await store.list(wanted, limit=there + 10, skip=0)
    assert len({record.activation_id for record in listed}) == len(listed) == there
    return whole
