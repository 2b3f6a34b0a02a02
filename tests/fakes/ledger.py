"""What clients of a cluster were promised while its parts are killed, and what became of it.

Each function tells that it runs, before it answers: so a second run is seen, whatever its record
says. At the end the ledger equals the records, and the bill is their sum.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from typing import Any, Final

from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, health, wait_until

ACTIVATIONS: Final = 2_000
CALLERS: Final = 8
ACTIONS: Final = 4
PAUSE_S: Final = 0.2
END_S: Final = 120.0
TELLS: Final = """
import os, socket

def main(a):
    print("runs")
    with socket.create_connection(("127.0.0.1", {port}), timeout=15) as teller:
        teller.sendall(os.environ["__OW_ACTIVATION_ID"].encode())
        assert teller.recv(1)
    return {{"number": a["number"]}}
"""


class Ledger:
    """What clients were promised, and how often each function said that it runs."""

    def __init__(self) -> None:
        self.promised: dict[str, int] = {}
        """The number of each call that was answered with an id."""
        self.unknown = 0
        """Calls whose connection broke: they may have been accepted."""
        self.refused: Counter[int] = Counter()
        self.odd: list[str] = []
        self.ran: Counter[str] = Counter()
        self.all_were_killed = False
        self._next = 0
        self._lock = threading.Lock()

    def hear(self, activation_id: str) -> None:
        """Note that a function runs."""
        self.ran[activation_id] += 1

    def next(self) -> int | None:
        """Return the number of the next call; None when there were enough."""
        with self._lock:
            self._next += 1
            is_enough = self.all_were_killed and len(self.promised) >= ACTIVATIONS
            return None if is_enough else self._next

    def has_reached(self, *, promised: int = 0, attempts: int = 0) -> bool:
        """Tell whether there are as many; or it does not matter, since something odd was seen."""
        enough = len(self.promised) >= promised and self.attempts >= attempts
        return enough or bool(self.odd)

    @property
    def attempts(self) -> int:
        """Calls that have ended somehow."""
        return len(self.promised) + self.unknown + self.refused.total()


@contextmanager
def calling(api: Api, ledger: Ledger, port: int) -> Iterator[None]:
    """Have clients call actions that tell *port* that they run; at the end there were enough."""
    for number in range(ACTIONS):
        api.put_action(f"tells{number}", TELLS.format(port=port))
    done = threading.Event()
    callers = [threading.Thread(target=_call, args=(api, ledger, done)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
        for caller in callers:
            caller.join(END_S)
    finally:
        done.set()
    assert ledger.odd == []


def _call(api: Api, ledger: Ledger, done: threading.Event) -> None:
    """Invoke until enough was accepted; what is refused is tried again later, as a client would."""
    while not done.is_set() and (number := ledger.next()) is not None:
        path = f"actions/tells{number % ACTIONS}" + "?blocking=true" * (number % 5 == 0)
        try:
            answered = api.call("POST", path, {"number": number})
        except (OSError, HTTPException):
            ledger.unknown += 1
            done.wait(PAUSE_S)
            continue
        if "activationId" in answered.body:
            ledger.promised[answered.body["activationId"]] = number
        elif answered.status in (429, 503):
            ledger.refused[answered.status] += 1
            done.wait(PAUSE_S)
        else:
            ledger.odd.append(str(answered))
            return


def killed_one_by_one(
    ledger: Ledger, kills: list[tuple[Callable[[], None], Callable[[], None]]]
) -> None:
    """Kill each in its turn, spread over the calls; start it when its absence has been felt."""
    for turn, (kill, start) in enumerate(kills, 1):
        due = ACTIVATIONS * turn // (len(kills) + 1)
        wait_until(partial(ledger.has_reached, promised=due), within_s=END_S)
        kill()
        felt = ledger.attempts + CALLERS
        wait_until(partial(ledger.has_reached, attempts=felt), within_s=END_S)
        start()
    ledger.all_were_killed = True


def check(cluster: Cluster, ledger: Ledger, *, texts: Collection[str], most_broken: int) -> None:
    """Compare the ledger with the records, the bill, and what the functions said.

    texts: what the record of an activation may say that was broken off; most_broken: how many were.
    """
    api = cluster.api
    wait_until(lambda: health(cluster) == ["up", "up"], cluster.logs)
    for activation_id in ledger.promised:
        api.record(activation_id, within_s=END_S)
    ends = _every_end(api)
    assert ends.keys() >= ledger.promised.keys()
    assert len(ends) - len(ledger.promised) <= ledger.unknown
    for activation_id, end in ends.items():
        response = end["response"]
        if response["success"]:
            result = response["result"]
            assert ledger.ran[activation_id] == 1, end
            assert len(end["logs"]) == 1, end
            assert result["number"] == ledger.promised.get(activation_id, result["number"])
        else:
            assert response["status"] == "whisk internal error", (response, end["logs"])
            assert response["result"]["error"] in texts, response
            assert ledger.ran[activation_id] <= 1
    assert ledger.ran.keys() <= ends.keys()
    broken = [end for end in ends.values() if not end["response"]["success"]]
    assert len(broken) <= most_broken  # nothing else breaks what runs
    own = "/api/brisk/v1/namespaces/_"
    total = api.call("GET", f"{own}/usage").body["total"]
    whole = [api.call("GET", f"{own}/activations/{each}").body for each in ends]
    assert total["activations"] == len(ends)
    assert total["billed_ms"] == sum(each["billed_ms"] for each in whole)


def _every_end(api: Api) -> dict[str, dict[str, Any]]:
    """Return every record by its id; none is there twice."""
    found: list[dict[str, Any]] = []
    while page := api.call("GET", f"activations?docs=true&limit=200&skip={len(found)}").body:
        found += page
    ends = {record["activationId"]: record for record in found}
    assert len(ends) == len(found)
    return ends
