"""The trace of a request: the client's own, or one that begins here for some.

Where neither is the case there is no trace, and nothing is paid for one.
"""

from typing import Final

from aiohttp import web

from common import tracing
from common.entropy import Entropy
from common.tracing import Trace

TRACE: Final = web.RequestKey("trace", Trace)
_PARTS: Final = 1 << 32


class Traces:
    """Begins traces. One for each that does, in one thread."""

    def __init__(self, sample_share: float) -> None:
        """Begin a trace for *sample_share* of the requests that bring none, from 0 to 1."""
        self._bound = round(sample_share * _PARTS)
        self._entropy = Entropy()

    def of(self, parent: str | None, state: str | None) -> Trace | None:
        """Return at which step of which trace a request is, with the headers of these names."""
        found = tracing.read(parent, state or "") if parent else None
        if found is not None:
            return found.at(self._entropy.take(8).hex())
        return self.begun()

    def begun(self) -> Trace | None:
        """Return a trace for a request that brings none, if it is one of those that get one."""
        if not self._bound or self._entropy.bits(32) >= self._bound:
            return None
        return tracing.begun(self._entropy.take(24))
