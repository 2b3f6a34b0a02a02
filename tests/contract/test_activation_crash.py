"""No record that a store has acknowledged is lost by the death of its process."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.ids import Namespace
from common.store.port import ActivationFilter
from tests.contract.stores import STORE_PARAMS, STORES, require

ALL = ActivationFilter(namespace=Namespace("guest"))

WRITER = """
import asyncio, sys
from pathlib import Path
from tests.contract.stores import STORES
from tests.fakes.records import a_record

async def write():
    stores = await STORES[sys.argv[1]](Path(sys.argv[2]))
    for number in range(1_000_000):
        stores.activations.put(a_record(number))
        sys.stdout.buffer.write(b"%d\\n" % number)
        sys.stdout.buffer.flush()
        if number % 50 == 0:
            await asyncio.sleep(0)

asyncio.run(write())
"""


def killed_writer(adapter: str, folder: Path, least: int) -> int:
    """Let a child put records until *least* are acknowledged, kill it; return how many were."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, adapter, str(folder)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    with child.stdout:
        lines = [child.stdout.readline() for _ in range(least)]
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.readlines()
    assert child.wait(10) == -signal.SIGKILL
    return len([line for line in lines if line.endswith(b"\n")])


@pytest.mark.parametrize("adapter", STORE_PARAMS)
def test_no_acknowledged_record_is_lost_by_kill_9(
    adapter: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    require(adapter, request)
    folder = tmp_path / "data"
    many = 1000 if adapter == "pouchdb" else 3000  # it counts hundreds a second, alone
    acknowledged = max(killed_writer(adapter, folder, least) for least in (200, many))

    async def check() -> None:
        stores = await STORES[adapter](folder)
        stored = await stores.activations.count(ALL)
        # One may have been written whose acknowledgement was not.
        assert acknowledged <= stored <= acknowledged + 1
        audit = await stores.activations.audit(ALL.namespace)
        assert audit.is_exact
        assert audit.ledger.activations == stored
        await stores.close()

    asyncio.run(check())
