"""Trace context: which trace a request belongs to, as it travels from hop to hop. Pure.

Source: W3C Trace Context, `traceparent` and `tracestate`. A trace is the client's own, or is begun
at the edge. Each activation is one step of it, known by the last half of its own id: whoever has a
record knows the step, and nothing has to be kept to find one from the other.
"""

import re
from typing import Final, NamedTuple

from common.ids import ActivationId

PARENT_HEADER: Final = "traceparent"
STATE_HEADER: Final = "tracestate"
MOST_STATE: Final = 512
"""Characters of a state that are passed on; of a longer one nothing is, as the standard allows."""

_PARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<step>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?"
)
_STATE: Final = re.compile(r"[!-~ \t]*")
_SAMPLED: Final = 1


class Trace(NamedTuple):
    """One step of a trace, which what comes next is told as its parent."""

    trace_id: str
    step: str
    """Sixteen hexadecimal digits; the standard calls it the parent's id."""
    flags: str
    state: str = ""
    """What others have to say; passed on unread."""

    @property
    def parent(self) -> str:
        """Return the value of `traceparent`."""
        return f"00-{self.trace_id}-{self.step}-{self.flags}"

    @property
    def is_sampled(self) -> bool:
        """Whether who began the trace wants it recorded."""
        return bool(int(self.flags, 16) & _SAMPLED)

    def at(self, step: str) -> "Trace":
        """Return the same trace at another step of it."""
        return self._replace(step=step)


def step_of(activation_id: ActivationId) -> str:
    """Return the step that an activation is."""
    return activation_id[16:]


def read(parent: str, state: str = "") -> Trace | None:
    """Return the trace that two headers tell of; None when they tell of none, or of nonsense.

    A later version is read as far as this one goes, and what it says more is not passed on.
    """
    found = _PARENT.fullmatch(parent.strip())
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not found["trace"].strip("0") or not found["step"].strip("0"):
        return None
    fits = len(state) <= MOST_STATE and _STATE.fullmatch(state)
    flags = f"{int(found['flags'], 16) & _SAMPLED:02x}"
    return Trace(found["trace"], found["step"], flags, state if fits else "")


def begun(random: bytes) -> Trace:
    """Return a trace of our own, which is to be recorded; *random*: 24 bytes."""
    return Trace(random[:16].hex(), random[16:24].hex(), f"{_SAMPLED:02x}")
