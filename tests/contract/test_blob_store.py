"""What every store of code does."""

import asyncio
from hashlib import sha256

import pytest

from common.entity.action import BlobRef
from common.store.port import Missing, Stores
from tests.contract.conftest import Reopen

FOREVER_MS = 1 << 50


async def test_bytes_come_back_under_their_digest(stores: Stores) -> None:
    data = bytes(range(256)) * 1000

    ref = await stores.blobs.put(data)

    assert ref == BlobRef(sha256(data).hexdigest(), len(data))
    assert await stores.blobs.get(ref) == data


async def test_nothing_is_something_too(stores: Stores) -> None:
    assert await stores.blobs.get(await stores.blobs.put(b"")) == b""


async def test_unknown_bytes_are_missing(stores: Stores) -> None:
    with pytest.raises(Missing):
        await stores.blobs.get(BlobRef("0" * 64, 1))


async def test_writing_again_is_the_same(stores: Stores) -> None:
    refs = await asyncio.gather(*(stores.blobs.put(b"code") for _ in range(8)))

    assert len(set(refs)) == 1
    assert await stores.blobs.sweep(set(), older_than_ms=FOREVER_MS) == 1


async def test_a_sweep_takes_what_is_old_and_dead(stores: Stores) -> None:
    live, dead = await stores.blobs.put(b"live"), await stores.blobs.put(b"dead")

    assert await stores.blobs.sweep({live.sha256}, older_than_ms=0) == 0
    assert await stores.blobs.get(dead) == b"dead"
    assert await stores.blobs.sweep({live.sha256}, older_than_ms=FOREVER_MS) == 1

    assert await stores.blobs.get(live) == b"live"
    with pytest.raises(Missing):
        await stores.blobs.get(dead)


async def test_an_acknowledged_blob_survives_a_crash(reopen: Reopen) -> None:
    ref = await (await reopen()).blobs.put(b"code")

    assert await (await reopen()).blobs.get(ref) == b"code"
