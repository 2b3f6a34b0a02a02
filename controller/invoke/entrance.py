"""The one door for invocations: what is made of others goes one way, everything else the other."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from common import metrics
from common.message.activation import ActivationMessage
from common.service import serving
from controller.balance.inflight import InFlight, OnEnd
from controller.invoke.action import ActionInvoker
from controller.invoke.composite import is_composite
from controller.invoke.compositions import Compositions
from controller.invoke.invocation import Accepted, Invocation, Invoked


class Entrance:
    """Invokes any action. Who may, and how often, has been asked before."""

    def __init__(
        self, primitives: ActionInvoker, compositions: Compositions, inflight: InFlight
    ) -> None:
        """Send each to where it is carried out; *inflight* is what primitives have under way."""
        self._primitives = primitives
        self._compositions = compositions
        self._inflight = inflight

    @asynccontextmanager
    async def open(self, drain_s: Callable[[], float]) -> AsyncIterator[None]:
        """Carry out sequences and compositions while inside.

        drain_s: asked at the end how long those under way may take.
        """
        with metrics.shown({metrics.COMPOSITIONS: lambda: len(self._compositions)}):
            async with serving(self._compositions.serve(drain_s)):
                yield

    def end_waits(self) -> None:
        """Have whoever waits answered now, because the platform stops."""
        self._compositions.stop()
        self._inflight.expire(math.inf)

    async def invoke(self, asked: Invocation) -> Invoked:
        """Run an action; see `ActionInvoker.invoke`, and `Compositions.invoke`."""
        way = self._compositions if is_composite(asked.meant.action) else self._primitives
        return await way.invoke(asked)

    def try_begin(self, asked: Invocation, on_end: OnEnd) -> ActivationMessage | None:
        """Begin a blocking invocation, if nothing has to be waited for before; else None."""
        if is_composite(asked.meant.action):
            return None
        return self._primitives.try_begin(asked, on_end)

    async def promise(self, message: ActivationMessage) -> Accepted:
        """Make an activation last that nobody waits for any more."""
        return await self._primitives.promise(message)
