"""What goes wrong, and when: a script of faults, each for so many requests that match it."""

import re
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "reset_before", "reset_in_body", "reset_after", "half_bulk", "status", "delay", "row",
    "hang_after", "accepted",
]  # fmt: skip
LOCKED = "Account is temporarily locked due to multiple authentication failures"


@dataclass
class Fault:
    """`row`: rows of a bulk whose id matches *reason* answer *error* and are not stored.

    `accepted`: stored, and answered 202, as by a cluster that missed its quorum.
    """

    kind: Kind
    method: str = "POST"
    """`ANY` is any."""
    path: str = "_bulk_docs"
    """A regular expression that is found in the path."""
    times: int = 1
    status: int = 500
    error: str = "error"
    reason: str = ""
    seconds: float = 0.0
    after: int = 0
    """How many requests that match are let through before."""

    def matches(self, method: str, path: str) -> bool:
        return (
            self.times > 0 and self.method in (method, "ANY") and bool(re.search(self.path, path))
        )


class Script:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.unindexed = 0

    def add(self, kind: Kind, **fields: Any) -> None:
        self.faults.append(Fault(kind, **fields))

    def next(self, method: str, path: str) -> Fault | None:
        """Note a request, and return what goes wrong with it."""
        self.requests.append((method, path))
        del self.requests[:-10_000]
        fault = next((each for each in self.faults if each.matches(method, path)), None)
        if fault is None:
            return None
        if fault.after:
            fault.after -= 1
            return None
        fault.times -= 1
        return fault

    def count(self, method: str, path: str) -> int:
        return sum(m == method and bool(re.search(path, p)) for m, p in self.requests)
