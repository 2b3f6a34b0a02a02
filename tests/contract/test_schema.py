"""Migrations, in every store: an older layout, a kill between steps, two at once, a newer one."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.ids import DocId, Namespace
from common.store import schema
from common.store.port import (
    ActivationFilter,
    Conflict,
    LayoutUnknown,
    RestoreUnfinished,
    Stores,
)
from common.store.schema import RESTORING, SCHEMA, Step
from common.version import PROGRAM
from tests.contract import older
from tests.contract.conftest import Reopen
from tests.contract.stores import STORE_PARAMS, STORES, require

GUEST = Namespace("guest")

MIGRATES = """
import asyncio, sys
from pathlib import Path
from common.store import schema
from tests.contract.stores import STORES
from tests.contract.test_schema import steps

async def migrate():
    stores = await STORES[sys.argv[1]](Path(sys.argv[2]))
    async def hang():
        print("between", flush=True)
        await asyncio.Event().wait()
    await schema.bring_up(stores.meta, [*steps(stores)[:1], schema.Step(3, "hangs", hang)])

asyncio.run(migrate())
"""


def steps(stores: Stores, done: list[int] | None = None) -> Sequence[Step]:
    """Return steps to layout 4; each leaves one document of its own, however often it is done."""

    def step(version: int) -> Step:
        async def apply() -> None:
            await asyncio.sleep(0)
            try:
                await stores.entities.create(DocId(f"step/{version}"), {"of": version})
            except Conflict:
                assert (await stores.entities.get(DocId(f"step/{version}"))).body == {"of": version}
            if done is not None:
                done.append(version)

        return Step(version, f"step {version}", apply)

    return [step(version) for version in (2, 3, 4)]


async def test_fresh_stores_say_which_layout_they_have_and_who_wrote_it(stores: Stores) -> None:
    said = await stores.meta.get(SCHEMA)
    assert said.body == {"version": schema.LAYOUT, "written_by": PROGRAM}


async def test_opening_again_writes_nothing(reopen: Reopen) -> None:
    first = await (await reopen()).meta.get(SCHEMA)
    assert (await (await reopen()).meta.get(SCHEMA)).rev == first.rev


async def test_steps_are_done_once_and_in_order(stores: Stores) -> None:
    done: list[int] = []
    await schema.bring_up(stores.meta, steps(stores, done))
    await schema.bring_up(stores.meta, steps(stores, done))
    assert done == [2, 3, 4]
    assert (await stores.meta.get(SCHEMA)).body["version"] == 4


async def test_a_step_that_fails_is_done_again_and_those_before_it_are_not(stores: Stores) -> None:
    done: list[int] = []
    good = steps(stores, done)

    async def fail() -> None:
        raise OSError

    with pytest.raises(OSError):
        await schema.bring_up(stores.meta, [good[0], Step(3, "", fail), good[2]])
    assert (await stores.meta.get(SCHEMA)).body["version"] == 2
    await schema.bring_up(stores.meta, good)
    assert done == [2, 3, 4]


async def test_several_that_start_at_once_end_in_the_same_layout(reopen: Reopen) -> None:
    stores = await reopen()
    done: list[int] = []
    await asyncio.gather(*(schema.bring_up(stores.meta, steps(stores, done)) for _ in range(5)))
    assert (await stores.meta.get(SCHEMA)).body["version"] == 4
    assert set(done) == {2, 3, 4}
    assert sorted(done, key=done.index) == sorted(done)


@pytest.mark.parametrize("adapter", STORE_PARAMS)
def test_a_kill_between_steps_is_mended_by_the_next_start(
    adapter: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require(adapter, request)
    child = subprocess.Popen(
        [sys.executable, "-c", MIGRATES, adapter, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == "between\n"
        os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL

    done: list[int] = []

    def known(*_: object) -> Sequence[Step]:
        def step(version: int) -> Step:
            async def apply() -> None:
                done.append(version)

            return Step(version, "", apply)

        return [step(version) for version in (2, 3, 4)]

    async def go_on() -> None:
        with pytest.raises(LayoutUnknown):  # this program knows nothing of a layout 2
            await STORES[adapter](tmp_path / "data")
        monkeypatch.setattr(schema, "LAYOUT", 4)
        monkeypatch.setattr("common.store.sqlite.steps", known)
        monkeypatch.setattr("common.store.couch.steps", known)
        stores = await STORES[adapter](tmp_path / "data")
        assert done == [3, 4]
        assert (await stores.entities.get(DocId("step/2"))).body == {"of": 2}
        assert (await stores.meta.get(SCHEMA)).body["version"] == 4
        await stores.close()

    asyncio.run(go_on())


async def test_a_newer_layout_is_refused_and_not_touched(reopen: Reopen) -> None:
    stores = await reopen()
    written = await stores.meta.get(SCHEMA)
    newer = {"version": 99, "written_by": "Brisk 9.9.9", "also": ["unknown"]}
    rev = await stores.meta.replace(SCHEMA, written.rev, newer)
    for _ in range(2):
        with pytest.raises(LayoutUnknown, match=r"written by Brisk 9\.9\.9"):
            await reopen()
    left = await stores.meta.get(SCHEMA)
    assert (left.rev, left.body) == (rev, newer)


async def test_stores_that_are_being_restored_are_refused_until_that_has_ended(
    reopen: Reopen,
) -> None:
    stores = await reopen()
    rev = await stores.meta.create(RESTORING, {"file": "night.gz"})
    with pytest.raises(RestoreUnfinished, match=r"night\.gz"):
        await reopen()
    await stores.meta.delete(RESTORING, rev)
    assert (await (await reopen()).meta.get(SCHEMA)).body["version"] == schema.LAYOUT


@pytest.mark.parametrize("adapter", STORE_PARAMS)
async def test_stores_of_before_there_were_layouts_are_read_and_get_their_document(
    adapter: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    require(adapter, request)
    await older.lay_out_first(adapter, tmp_path / "data")
    stores = await STORES[adapter](tmp_path / "data")
    try:
        assert (await stores.meta.get(SCHEMA)).body["version"] == schema.LAYOUT
        assert (await stores.entities.get(older.ACTION_ID)).body == older.ACTION
        listed = await stores.entities.list(GUEST, "action", package=None, limit=9, skip=0)
        assert listed == [older.ACTION]
        assert await stores.blobs.get(older.CODE_REF) == older.CODE
        found = await stores.activations.list(ActivationFilter(namespace=GUEST), limit=9, skip=0)
        assert [each.billed_ms for each in found] == [older.BILLED_MS]
        audit = await stores.activations.audit(GUEST)
        assert audit.is_exact
        assert audit.ledger.billed_ms == older.BILLED_MS
    finally:
        await stores.close()
