"""GET /metrics tells what a platform has done and what it holds, to the last activation."""

import asyncio
import gc
import re
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import standalone
from common import metrics
from common.settings import HttpSettings, PoolSettings, Settings
from invoker.pool import opening
from invoker.pool.books import Books
from invoker.pool.stock import DEFAULT_MEMORY_MB
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH, RunningPlatform, running_platform

WITHIN_S = 10.0
MEMORY_MB = 128


def series(text: str) -> dict[str, float]:
    return {
        name: float(value) for name, value in re.findall(r"^(brisk_\S+) (\S+)$", text, re.MULTILINE)
    }


class Watched:
    """A platform, and what it has said of itself."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.api = Api(platform.url, platform.auth)

    def read(self) -> dict[str, float]:
        return series(self.api.call("GET", "/metrics").body)

    def read_when(self, is_wanted: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        give_up_s = time.monotonic() + WITHIN_S
        while not is_wanted(said := self.read()):
            assert time.monotonic() < give_up_s, said
            time.sleep(0.02)
        return said

    def started(self) -> dict[str, float]:
        said = self.read()
        return {kind: said[f'brisk_pool_starts_total{{start="{kind}"}}'] for kind in STARTS}

    def hints(self) -> dict[str, float]:
        said = self.read()
        return {fate: said[f'brisk_pool_hints_total{{hint="{fate}"}}'] for fate in HINTS}


STEP_S = 1.0
"""Longer than it takes to make a sandbox while the machine is busy."""
HINTS = ("taken", "needless", "dropped")
STARTS = ("cold", "stem", "warm")


def test_what_was_called_is_counted(tmp_path: Path) -> None:
    with running_platform(tmp_path, settings={"BRISK_POOL__STEM_CELLS": "0"}) as platform:
        watched = Watched(platform)
        limits = {"memory": MEMORY_MB}
        watched.api.put_action("echo", "def main(a): return a", limits=limits)
        watched.api.put_action("fails", "def main(a): return {'error': 'no'}", limits=limits)
        assert [watched.api.invoke("echo").status for _ in range(3)] == [200] * 3
        assert [watched.api.invoke("fails").status for _ in range(2)] == [502] * 2
        accepted = watched.api.call("POST", "actions/echo", {})
        _ = watched.api.record(accepted.body["activationId"])

        said = watched.read_when(
            lambda said: (
                said["brisk_store_written_records_total"] == 6
                and said["brisk_bus_journal_pending_messages"] == 0
            )
        )
        assert said['brisk_invoker_activations_total{status="success"}'] == 4
        assert said['brisk_invoker_activations_total{status="application_error"}'] == 2
        for phase, count in {"wait": 6, "init": 2, "run": 6}.items():
            name = f"brisk_invoker_{phase}_duration_seconds"
            assert said[f"{name}_count"] == said[f'{name}_bucket{{le="+Inf"}}'] == count
        assert watched.started() == {"cold": 2, "stem": 0, "warm": 4}
        assert said['brisk_pool_sandboxes{state="ready"}'] == 2
        assert said["brisk_pool_reserved_memory_megabytes"] == 2 * MEMORY_MB
        assert said["brisk_store_pending_records"] == 0
        assert said["brisk_store_spool_bytes"] > 0  # a file goes when it is full, or at the end


def test_a_stem_cell_that_is_taken_is_counted_as_one(tmp_path: Path) -> None:
    settings = {
        "BRISK_POOL__STEM_CELLS": "1",
        "BRISK_POOL__STEM_SHAPES": "nodejs:default@512=1",
    }
    with running_platform(tmp_path, settings=settings) as platform:
        watched = Watched(platform)
        watched.api.put_action("echo", "def main(a): return a")
        limits = {"memory": 512}
        watched.api.put_action("node", "const main = a => a", kind="nodejs:default", limits=limits)
        blank = 'brisk_pool_sandboxes{state="blank"}'
        _ = watched.read_when(lambda said: said[blank] == 2)
        for name in ("echo", "node"):
            assert watched.api.invoke(name).status == 200
        assert watched.started() == {"cold": 0, "stem": 2, "warm": 0}


def test_what_is_under_way_is_shown(tmp_path: Path) -> None:
    settings = {"BRISK_POOL__MEMORY_MB": "256", "BRISK_POOL__STEM_CELLS": "0"}
    with running_platform(tmp_path, settings=settings) as platform:
        watched = Watched(platform)
        code = "import time\ndef main(a):\n    time.sleep(2)\n    return a"
        watched.api.put_action("slow", code)
        ids = [watched.api.call("POST", "actions/slow", {}).body["activationId"] for _ in range(2)]
        said = watched.read_when(lambda said: said['brisk_pool_sandboxes{state="busy"}'] == 1)
        assert said["brisk_pool_waiting_activations"] == 1
        assert said["brisk_pool_reserved_memory_megabytes"] == 256
        assert said["brisk_bus_journal_pending_messages"] == 2
        for activation_id in ids:
            _ = watched.api.record(activation_id)
        _ = watched.read_when(lambda said: said["brisk_bus_journal_pending_messages"] == 0)
        assert watched.started() == {"cold": 1, "stem": 0, "warm": 1}


def test_who_calls_too_often_is_counted(tmp_path: Path) -> None:
    settings = {"BRISK_THROTTLE__INVOCATIONS_PER_MINUTE": "1"}
    with running_platform(tmp_path, settings=settings) as platform:
        watched = Watched(platform)
        watched.api.put_action("echo", "def main(a): return a")
        assert [watched.api.invoke("echo").status for _ in range(3)] == [200, 429, 429]
        name = 'brisk_entitlement_throttled_requests_total{limit="invocations_per_minute"}'
        assert watched.read()[name] == 2


async def test_a_platform_that_stopped_is_neither_shown_nor_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books: list[weakref.ref[Books]] = []
    make = opening.opened

    def remembered(*given: Any) -> Books:
        made = make(*given)
        books.append(weakref.ref(made))
        return made

    monkeypatch.setattr(opening, "opened", remembered)
    settings = Settings(http=HttpSettings(port=0), pool=PoolSettings(stem_cells=1))
    for turn in ("first", "second"):
        async with standalone.running(settings, tmp_path / turn, auth=GUEST_AUTH):
            await wait_for_a_stem_cell()
        assert reserved_mb() == 0
        gc.collect()
        assert books[-1]() is None
    assert len(books) == 2


async def wait_for_a_stem_cell() -> None:
    async with asyncio.timeout(WITHIN_S):
        while reserved_mb() != DEFAULT_MEMORY_MB:  # noqa: ASYNC110 - a gauge tells nobody
            await asyncio.sleep(0.02)


def reserved_mb() -> float | None:
    return metrics.REGISTRY.get_sample_value("brisk_pool_reserved_memory_megabytes")


def test_the_next_step_of_a_cold_sequence_finds_a_sandbox_ready(tmp_path: Path) -> None:
    with running_platform(tmp_path, settings={"BRISK_POOL__STEM_CELLS": "0"}) as platform:
        watched = Watched(platform)
        waits = f"import time\ndef main(a):\n    time.sleep({STEP_S})\n    return a"
        watched.api.put_action("slow", waits, limits={"memory": MEMORY_MB})
        watched.api.put_action("next", "def main(a): return a", limits={"memory": 2 * MEMORY_MB})
        body = {"exec": {"kind": "sequence", "components": ["/_/slow", "/_/next"]}}
        assert watched.api.call("PUT", "actions/both", body).status == 200

        answer = watched.api.invoke("both", {"n": 1})
        assert answer.body["response"]["result"] == {"n": 1}
        assert watched.started() == {"cold": 1, "stem": 1, "warm": 0}
        assert watched.hints() == {"taken": 1, "needless": 0, "dropped": 0}
        said = watched.read_when(lambda said: said["brisk_store_written_records_total"] >= 3)
        assert said["brisk_store_written_records_total"] == 3, "what is made ahead has no record"

        assert watched.api.invoke("both", {"n": 1}).status == 200
        assert watched.started() == {"cold": 1, "stem": 1, "warm": 2}
        assert watched.hints() == {"taken": 1, "needless": 1, "dropped": 0}
