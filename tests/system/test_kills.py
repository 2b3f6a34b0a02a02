"""Whatever of an embedded platform is killed, each promise has one record and one bill.

A seed chooses what is killed under load, and when: the server, a zygote, a sandbox's first process,
or what runs in it. At the end the ledger of the clients equals the records, the bill is their sum,
and nothing of any of the platforms is left on this host.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import pytest

from invoker import outcome
from invoker.driver.process.sandbox import ZYGOTE
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH, start, wait_ready
from tests.fakes.traces import Traces, children_of, mounted_below, traces_of, wait_until

CALLERS: Final = 4
SANDBOXES: Final = 3
SETTINGS: Final = {
    "BRISK_POOL__MEMORY_MB": str(256 * SANDBOXES),
    "BRISK_CHECK_INVARIANTS": "true",
}
WORK: Final = "import time\ndef main(a):\n print('runs')\n time.sleep(a['s'])\n return a"
OTHER: Final = "async function main(a) { console.log('runs'); return a }"
VICTIMS: Final = ("zygote", "sandbox", "runtime", "server")
QUIET: Final = ('brisk_pool_sandboxes{state="busy"}', "brisk_pool_waiting_activations",
                "brisk_bus_journal_pending_messages")  # fmt: skip
_WHISK, _DEVELOPER = "whisk internal error", "action developer error"
EXITED: Final = {(_DEVELOPER, outcome.ABNORMAL_INIT), (_DEVELOPER, outcome.ABNORMAL_RUN)}
"""A function could have ended its own sandbox, so what it was doing is said and billed as that."""
ENDS: Final = {
    "server": {(_WHISK, outcome.INTERRUPTED)},
    "zygote": {(_WHISK, outcome.lost_text(ZYGOTE))},
    "sandbox": EXITED,
    "runtime": EXITED,
}


@dataclass
class Ledger:
    """What clients were promised, and what they were told that is neither yes nor come again."""

    promised: set[str] = field(default_factory=set)
    unknown: int = 0
    odd: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    """Each in words, for who reads a failure."""

    def has(self, promised: int) -> bool:
        """Tell whether so many were promised; or it does not matter, as something odd was seen."""
        return len(self.promised) >= promised or bool(self.odd)


class Platforms:
    """One platform after the other on one folder, and what each of them had on this host."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.traces: list[Traces] = []
        self.begin()

    def begin(self) -> None:
        """Start one, and have its actions there."""
        self.process = start(self.data, settings=SETTINGS)
        self.api = Api(wait_ready(self.process), GUEST_AUTH)
        self.api.put_action("works", WORK)
        self.api.put_action("other", OTHER, kind="nodejs:default")

    def victim(self, kind: str, chance: random.Random) -> int | None:
        """Return a process of that kind; None while there is none."""
        zygotes = children_of(self.process.pid)
        sandboxes = [child for zygote in zygotes for child in children_of(zygote)]
        found = {
            "server": [self.process.pid],
            "zygote": zygotes,
            "sandbox": sandboxes,
            "runtime": [child for each in sandboxes for child in children_of(each)],
        }[kind]
        return chance.choice(found) if found else None

    def kill(self, kind: str, chance: random.Random) -> str:
        """Kill one of that kind; return it in words."""
        while (pid := self.victim(kind, chance)) is None:
            time.sleep(0.01)  # the load makes one
        self.traces.append(traces_of(self.process.pid))
        os.kill(pid, signal.SIGKILL)
        return f"{kind} {pid}"

    def after_server_kill(self) -> None:
        """Take the dead one away, and start the next."""
        self.process.communicate(timeout=15)
        self.begin()

    def left(self) -> list[str]:
        """Return what of all that any of them had is still there."""
        return [trace for traces in self.traces for trace in traces.left()]

    def stop(self) -> None:
        """Stop the last one as an operator would."""
        self.traces.append(traces_of(self.process.pid))
        self.process.terminate()
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0


@contextmanager
def platforms(folder: Path) -> Iterator[Platforms]:
    running = Platforms(folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.communicate()


@contextmanager
def load(running: Platforms, ledger: Ledger, seed: int) -> Iterator[None]:
    """Have callers go on until the end of the block, whatever happens to the platform."""
    over = threading.Event()

    def call(chance: random.Random) -> None:
        while not over.is_set():
            name, arguments = chance.choice([("works", {"s": chance.choice((0, 0.05, 0.3))}),
                                             ("works", {"s": 0}), ("other", {})])  # fmt: skip
            path = f"actions/{name}" + "?blocking=true&timeout=100" * (chance.random() < 0.3)
            try:
                answer = running.api.call("POST", path, arguments)
            except (OSError, HTTPException):
                ledger.unknown += 1
                over.wait(0.05)
                continue
            if "activationId" in answer.body:
                ledger.promised.add(answer.body["activationId"])
            elif answer.status in (429, 503):
                over.wait(0.05)
            else:
                ledger.odd.append(str(answer))
            over.wait(0.01)

    callers = [
        threading.Thread(target=call, args=(random.Random(seed + n),)) for n in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join(30)


@pytest.mark.parametrize("seed", [23])
def test_whatever_is_killed_each_promise_has_one_record_and_one_bill(
    tmp_path: Path, seed: int
) -> None:
    chance, ledger, began_s = random.Random(seed), Ledger(), time.monotonic()
    order = [*VICTIMS, chance.choice(VICTIMS)]
    chance.shuffle(order)
    with platforms(tmp_path) as running:
        with load(running, ledger, seed):
            for kind in order:
                felt = len(ledger.promised) + chance.randint(5, 40)
                wait_until(partial(ledger.has, felt), str(ledger), within_s=30)
                said = running.kill(kind, chance)
                at_s = time.monotonic() - began_s
                ledger.kills.append(f"{said} at {at_s:.2f} s, {len(ledger.promised)} promised")
                if kind == "server":
                    running.after_server_kill()
        assert ledger.odd == []
        api = running.api
        wait_until(lambda: sum(map(api.metric, QUIET)) == 0, f"it does not end: {ledger.kills}",
                   within_s=30)  # fmt: skip
        check(api, ledger, order)
        running.stop()
    wait_until(lambda: running.left() == [], f"left after {ledger.kills}: {running.left()}",
                   within_s=30)  # fmt: skip
    assert mounted_below(tmp_path) == []
    sandboxes = running.data / "sandboxes"
    assert [path.name for path in sandboxes.rglob("*") if path.is_file()] == []


def check(api: Api, ledger: Ledger, order: list[str]) -> None:
    """Compare the ledger with the records and the bill."""
    found: list[dict[str, Any]] = []
    while page := api.call("GET", f"activations?docs=true&limit=200&skip={len(found)}").body:
        found += page
    ends = {str(record["activationId"]): record["response"] for record in found}
    assert len(ends) == len(found), "one has two records"
    assert ledger.promised - ends.keys() == set(), ledger.kills
    assert len(ends) - len(ledger.promised) <= ledger.unknown
    allowed = set[tuple[str, str]]().union(*(ENDS[kind] for kind in order))
    broken = [
        (end["status"], end["result"]["error"]) for end in ends.values() if not end["success"]
    ]
    assert set(broken) <= allowed, ledger.kills
    assert len(broken) <= SANDBOXES * len(order)
    own = "/api/brisk/v1/namespaces/_"
    billed = [api.call("GET", f"{own}/activations/{each}").body for each in ends]
    total = api.call("GET", f"{own}/usage").body["total"]
    assert total["activations"] == len(ends)
    assert total["billed_ms"] == sum(each["billed_ms"] for each in billed)
    assert api.call("GET", f"{own}/usage/verify").body["exact"] is True
    ours = [each for each in billed if each["response"]["status"] == _WHISK]
    assert all(each["billed_ms"] == 0 for each in ours), "our faults are billed"
