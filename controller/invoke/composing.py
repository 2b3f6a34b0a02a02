"""Carries out one sequence or composition: obeys what `sequence` and `conductor` decide.

Each part is invoked like any action, through the same door, without another HTTP call. A part that
is made of others itself is handed back to whoever keeps the promises (`Inner`), because it has a
record and a promise of its own.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from common.clock import Clock
from common.entity.action import SEQUENCE, Action
from common.entity.activation import ActivationRecord, Response
from common.entity.forms import parsed
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.errors import BriskError, NotAuthorized
from common.ids import ActivationId
from common.log import logger
from common.message.activation import ActivationMessage
from common.tracing import step_of
from controller.invoke import conductor, sequence
from controller.invoke.composite import Part, is_conductor
from controller.invoke.invocation import Accepted, Invocation, Invoked
from controller.invoke.resolve import NOT_THERE, Resolved, Resolver

GRACE_MS: Final = 60_000
"""How much longer than its time limit a part is waited for. Source: OpenWhisk."""

FORETOLD_S: Final = 0.003
"""How long a step runs before the next one is foretold: a warm one as a rule ends before, and then
its successor is as warm, and a hint would only cost time."""

log = logger(__name__)


class Primitives(Protocol):
    """Invokes an action that is not made of others; `controller.invoke.action.ActionInvoker`."""

    @property
    def is_usable(self) -> bool:
        """Whether any invoker takes activations."""
        ...

    async def invoke(self, asked: Invocation) -> Invoked:
        """See there."""
        ...

    def foretell(self, identity: Identity, action: Action) -> None:
        """See there."""
        ...


@dataclass(slots=True)
class Tally:
    """What a tree has begun so far; inner ones of the same sort share it."""

    actions: int = 0
    """Of a sequence."""
    composition: conductor.Counts = field(default_factory=conductor.Counts)


@dataclass(frozen=True, slots=True)
class Order:
    """A sequence or composition that is to be carried out."""

    message: ActivationMessage
    asked: Invocation
    tally: Tally

    @property
    def id(self) -> ActivationId:
        """Return the activation of the whole."""
        return self.message.activation_id

    @property
    def action(self) -> Action:
        """Return the sequence, or the conductor."""
        return self.asked.meant.action

    @property
    def identity(self) -> Identity:
        """Return in whose name its parts are invoked."""
        return self.asked.identity

    def part(
        self, meant: Resolved, payload: bytes | None, *, received_ms: int, wait_ms: int
    ) -> Invocation:
        """Return the invocation of a part, which is waited for."""
        trace = self.message.trace
        return Invocation(
            identity=self.identity,
            meant=meant,
            payload=payload,
            transid=self.message.transid,
            received_ms=received_ms,
            wait_ms=wait_ms,
            cause=self.id,
            trace=trace and trace.at(step_of(self.id)),
        )


@dataclass(slots=True)
class Course:
    """What has become of an order so far: the parts that were invoked, in order."""

    parts: list[Part] = field(default_factory=list)


class Inner(Protocol):
    """Carries out a part that is made of others, to its record."""

    def inner_order(
        self, outer: Order, meant: Resolved, payload: bytes | None, tally: Tally
    ) -> Order:
        """Return the order for it, with an id of its own."""
        ...

    def carried_out(self, order: Order) -> Awaitable[ActivationRecord]:
        """Return its record, which is kept by then."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """A part has ended."""

    response: Response


@dataclass(frozen=True, slots=True)
class Late:
    """A part did not end in time; it goes on."""

    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class NotInvoked:
    """A part could not be invoked."""


Outcome: TypeAlias = Ended | Late | NotInvoked


class Composer:
    """Carries out orders; holds nothing of them."""

    def __init__(
        self,
        primitives: Primitives,
        resolver: Resolver,
        *,
        inner: Inner,
        clock: Clock,
        limit: int,
    ) -> None:
        """Make a composer for trees of at most *limit* actions."""
        self._primitives = primitives
        self._resolver = resolver
        self._inner = inner
        self._clock = clock
        self._limit = limit

    async def parts_of(
        self, identity: Identity, action: Action
    ) -> dict[QualifiedName, Resolved | None]:
        """Return the components of a sequence by name, None for those that are gone.

        Raises `NotAuthorized`, which names all that must not be invoked; `StoreUnavailable`.
        """
        parts: dict[QualifiedName, Resolved | None] = {}
        refused: set[str] = set()
        for name in map(parsed, action.exec.components):
            if name in parts:
                continue
            try:
                parts[name] = await self._resolver.resolve(identity, name)
            except NOT_THERE:
                parts[name] = None
            except NotAuthorized:
                refused.add(f"{name.namespace}/{name.package or name.name}")
        if refused:
            raise NotAuthorized(refused)
        return parts

    async def carry_out(self, order: Order, course: Course) -> Response:
        """Return how *order* ends; its parts are entered into *course* as they are invoked.

        Raises nothing but what cancels it, or is a fault of ours.
        """
        if order.action.exec.kind == SEQUENCE:
            return await self._run_sequence(order, course)
        return await self._run_composition(order, course)

    async def _run_sequence(self, order: Order, course: Course) -> Response:
        try:
            known = await self.parts_of(order.identity, order.action)
        except BriskError as error:
            log.warning("sequence_not_begun", **order.message.names, why=str(error))
            return sequence.broken()
        waiting = [known[parsed(each)] for each in order.action.exec.components]
        last: Response | None = None
        for meant, after in zip((*waiting, None), (*waiting[1:], None, None), strict=False):
            step = sequence.next_step(
                payload=order.asked.payload,
                last=last,
                is_over=len(course.parts) == len(waiting),
                is_there=meant is not None,
                run=order.tally.actions,
                limit=self._limit,
            )
            if isinstance(step, sequence.End):
                return step.response
            assert meant is not None, "it is there"
            with self._foretelling(order, meant, after):
                outcome = await self._component(order, meant, step.payload, course)
            match outcome:
                case Ended(response):
                    last = response
                case Late(activation_id):
                    return sequence.unanswered(activation_id)
                case NotInvoked():
                    break
        return sequence.broken()

    @contextmanager
    def _foretelling(self, order: Order, meant: Resolved, after: Resolved | None) -> Iterator[None]:
        """Have a sandbox made ready for *after* while *meant* runs, if that takes its time."""
        coming = sequence.foreseen(meant.action, after.action if after else None)
        if coming is None:
            yield
            return
        loop = asyncio.get_running_loop()
        foretell = self._primitives.foretell
        timer = loop.call_later(FORETOLD_S, foretell, order.identity, coming)
        try:
            yield
        finally:
            timer.cancel()

    async def _component(
        self, order: Order, meant: Resolved, payload: bytes | None, course: Course
    ) -> Outcome:
        """Invoke the next action of a sequence."""
        if meant.action.exec.kind == SEQUENCE:
            return await self._composite(order, meant, payload, course, order.tally)
        order.tally.actions += 1
        if is_conductor(meant.action):
            return await self._composite(order, meant, payload, course, Tally())
        return await self._primitive(order, meant, payload, course)

    async def _run_composition(self, order: Order, course: Course) -> Response:
        rules = conductor.Rules(order.identity.namespace, self._limit)
        composition = conductor.Composition()
        event: conductor.Event = conductor.Begun(order.asked.payload)
        found: Resolved | None = None
        while True:
            composition, order.tally.composition, command = conductor.step(
                composition, order.tally.composition, event, rules
            )
            match command:
                case conductor.End(response):
                    return response
                case conductor.Conduct(payload):
                    outcome = await self._primitive(order, order.asked.meant, payload, course)
                    event = _told(outcome, conductor.Conducted)
                case conductor.LookUp(name):
                    event, found = await self._find(order, name)
                case conductor.Work(payload):
                    assert found, "it was found"
                    outcome = await self._work(order, found, payload, course)
                    event = _told(outcome, conductor.Worked)

    async def _find(
        self, order: Order, name: QualifiedName
    ) -> tuple[conductor.Event, Resolved | None]:
        try:
            meant = await self._resolver.resolve(order.identity, name)
        except NotAuthorized:
            return conductor.Unusable(name, conductor.Why.NOT_OPEN), None
        except NOT_THERE:
            return conductor.Unusable(name, conductor.Why.NOT_FOUND), None
        except BriskError as error:
            log.warning("component_not_read", **order.message.names, why=str(error))
            return conductor.Failed(), None
        return conductor.Found(is_conductor(meant.action)), meant

    async def _work(
        self, order: Order, meant: Resolved, payload: bytes | None, course: Course
    ) -> Outcome:
        """Invoke what the conductor named."""
        if is_conductor(meant.action):
            return await self._composite(order, meant, payload, course, order.tally)
        if meant.action.exec.kind == SEQUENCE:
            return await self._composite(order, meant, payload, course, Tally())
        return await self._primitive(order, meant, payload, course)

    async def _composite(
        self, order: Order, meant: Resolved, payload: bytes | None, course: Course, tally: Tally
    ) -> Outcome:
        inner = self._inner.inner_order(order, meant, payload, tally)
        course.parts.append(Part(inner.id))
        record = await self._inner.carried_out(inner)
        course.parts[-1] = Part(inner.id, record.duration_ms, record.limits)
        return Ended(record.response)

    async def _primitive(
        self, order: Order, meant: Resolved, payload: bytes | None, course: Course
    ) -> Outcome:
        action = meant.action
        try:
            outcome = await self._primitives.invoke(
                order.part(
                    meant,
                    payload,
                    received_ms=self._clock.now_ms(),
                    wait_ms=action.limits.timeout_ms + GRACE_MS,
                )
            )
        except BriskError as error:
            log.warning("part_not_invoked", action=action.name.doc_id, **order.message.names,
                        why=str(error))  # fmt: skip
            return NotInvoked()
        if isinstance(outcome, Accepted):
            course.parts.append(Part(outcome.activation_id))
            return Late(outcome.activation_id)
        ended = outcome.record
        course.parts.append(Part(ended.activation_id, ended.duration_ms, ended.limits))
        return Ended(ended.response)


def _told(
    outcome: Outcome, ended: type[conductor.Conducted] | type[conductor.Worked]
) -> conductor.Event:
    match outcome:
        case Ended(response):
            return ended(response)
        case Late(activation_id):
            return conductor.Overdue(activation_id)
        case NotInvoked():
            return conductor.Failed()
