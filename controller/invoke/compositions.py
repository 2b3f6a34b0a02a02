"""Sequences and compositions of one controller: how they are accepted, carried out and ended.

What is made of others runs here, in a task for each, and its parts run where any action does. Every
one ends in exactly one record, whenever this process is killed: see `promises`. One that had begun
then is not begun again; its record says so, and its parts have their own.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from common.bus.port import Bus, BusUnavailable, Delivery, MessageTooLarge
from common.clock import Clock
from common.entity.action import SEQUENCE
from common.entity.activation import ActivationRecord, Response
from common.entropy import Entropy
from common.errors import BriskError
from common.ids import RANDOM_BITS, ControllerId, activation_id
from common.log import logger
from common.message import topics
from common.message.activation import ActivationMessage
from common.store.port import Missing, StoreError
from controller.balance.port import NoCapacity
from controller.invoke import sequence
from controller.invoke.composing import Composer, Course, Order, Primitives, Tally
from controller.invoke.composite import interrupted, record, unread
from controller.invoke.invocation import Accepted, Finished, Invocation, Invoked
from controller.invoke.notes import Notes, identity_of
from controller.invoke.own_records import OwnRecords
from controller.invoke.promises import Promises
from controller.invoke.resolve import NOT_THERE, Resolved, Resolver

PAUSE_S: Final = 1.0
"""Between two attempts to write to a disk that is full, or to read from a store that is away."""
ABLE_S: Final = 0.1
"""How often it is looked whether an invoker is there."""
LIMIT: Final = "controller.max_compositions"

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be."""

    length: int
    """Actions that a sequence may run, and components that a composition may."""
    under_way: int
    """Sequences and compositions at a time; inner ones are not counted."""


class Compositions:
    """Accepts, carries out and ends what is made of other actions. Owned by one controller."""

    def __init__(
        self,
        controller: ControllerId,
        *,
        bus: Bus,
        primitives: Primitives,
        resolver: Resolver,
        notes: Notes,
        records: OwnRecords,
        clock: Clock,
        bounds: Bounds,
    ) -> None:
        """Serve *controller*."""
        self._controller = controller
        self._primitives = primitives
        self._topic = topics.compositions(controller)
        self._bus = bus
        self._notes = notes
        self._records = records
        self._clock = clock
        self._bounds = bounds
        self._entropy = Entropy()
        self._promises = Promises(bus, self._topic)
        self._composer = Composer(
            primitives, resolver, inner=self, clock=clock, limit=bounds.length
        )
        self._tasks: asyncio.TaskGroup | None = None
        self._under_way: set[asyncio.Task[ActivationRecord]] = set()
        self._has_room = asyncio.Event()
        self._waits: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """Return how many are under way, inner ones not counted."""
        return len(self._under_way)

    async def invoke(self, asked: Invocation) -> Invoked:
        """Carry out a sequence or a composition; see `ActionInvoker.invoke`.

        Raises `NotAuthorized` when a component must not be invoked: then nothing runs. `NoCapacity`
        when as many are under way as may be. Else as there.
        """
        action = asked.meant.action
        if action.exec.kind == SEQUENCE:
            await self._composer.parts_of(asked.identity, action)
        message = self._message(asked)
        if asked.wait_ms is None:
            await self._order(message)
            return Accepted(message.activation_id)
        if len(self._under_way) >= self._bounds.under_way:
            raise NoCapacity(limit=LIMIT)
        order = Order(message, asked, Tally())
        task = self._begin(self.carried_out(order))
        await self._wait(task, asked.wait_ms / 1000)
        if task.done() and not task.cancelled():
            return Finished(task.result())
        await self._promises.hold(order.id)
        return Accepted(order.id)

    async def serve(self, drain_s: Callable[[], float]) -> None:
        """Carry out what is accepted until this is cancelled or the bus is closed.

        drain_s: asked then how long what is under way may take to end. What is left after that is
        broken off, and its record says so.
        """
        async with asyncio.TaskGroup() as self._tasks:
            try:
                async for delivery in self._bus.receive(self._topic):
                    await self._take(delivery)
            finally:
                if self._under_way:
                    await asyncio.wait(self._under_way, timeout=drain_s())
                self.stop()

    def stop(self) -> None:
        """Break off everything that is under way, and let go of who waits."""
        for task in self._under_way:
            task.cancel()
        for wait in self._waits:
            _end(wait)

    def inner_order(
        self, outer: Order, meant: Resolved, payload: bytes | None, tally: Tally
    ) -> Order:
        """Return the order for a part of *outer* that is made of others itself."""
        # Whoever carries it out waits for its record, and not with a clock.
        asked = outer.part(meant, payload, received_ms=self._clock.now_ms(), wait_ms=0)
        return Order(self._message(asked), asked, tally)

    async def carried_out(self, order: Order) -> ActivationRecord:
        """Carry out *order*, and return its record, which is kept by then."""
        assert self._tasks, "nobody serves"
        if order.message.blocking:
            self._promises.begun(order.message, self._tasks)
        course, start_ms = Course(), self._clock.now_ms()
        try:
            response = await self._composer.carry_out(order, course)
        except asyncio.CancelledError:
            # What no disk takes now has its record after the next start.
            if self._has_put(order.message, self._ended(order, interrupted(), course, start_ms)):
                self._promises.over(order.id)
            raise
        except Exception:
            log.exception("composition_broke", **order.message.names)
            response = sequence.broken()
        ended = self._ended(order, response, course, start_ms)
        await self._keep(order.message, ended)
        self._promises.over(order.id)
        return ended

    def _message(self, asked: Invocation) -> ActivationMessage:
        identity, action = asked.identity, asked.meant.action
        return ActivationMessage(
            activation_id=activation_id(self._clock.now_ms(), self._entropy.bits(RANDOM_BITS)),
            transid=asked.transid,
            controller=self._controller,
            namespace=identity.namespace,
            subject=identity.subject,
            action=action.name,
            rev=action.rev,
            version=action.version,
            payload=asked.payload or b"{}",
            received_ms=asked.received_ms,
            memory_mb=action.limits.memory_mb,
            kind=action.exec.kind,
            blocking=asked.wait_ms is not None,
            cause=asked.cause,
            uuid=identity.uuid,
            stores=identity.own.store_activations is not False,
            binding=asked.meant.binding,
            trace=asked.trace,
        )

    async def _order(self, message: ActivationMessage) -> None:
        try:
            await self._promises.order(message)
        except MessageTooLarge:
            await self._promises.order(await self._notes.without_payload(message))

    def _begin(
        self, work: Coroutine[Any, Any, ActivationRecord]
    ) -> "asyncio.Task[ActivationRecord]":
        assert self._tasks, "nobody serves"
        task = self._tasks.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._left)
        return task

    def _left(self, task: "asyncio.Task[ActivationRecord]") -> None:
        self._under_way.discard(task)
        self._has_room.set()

    async def _wait(self, task: "asyncio.Task[ActivationRecord]", wait_s: float) -> None:
        """Return when *task* has ended, *wait_s* are over, or nobody may wait any longer."""
        loop = asyncio.get_running_loop()
        wait = loop.create_future()
        self._waits.add(wait)
        timer = loop.call_later(wait_s, _end, wait)
        task.add_done_callback(lambda _: _end(wait))
        try:
            await wait
        finally:
            timer.cancel()
            self._waits.discard(wait)

    async def _take(self, delivery: Delivery) -> None:
        """Do what a note asks for; nothing, where it is done already."""
        message = delivery.message
        assert isinstance(message, ActivationMessage), message
        assert self._tasks, "nobody serves"
        if self._promises.knows(delivery, message.activation_id):
            return
        if delivery.was_started or message.blocking:
            self._tasks.create_task(self._close(delivery, message))
            return
        while len(self._under_way) >= self._bounds.under_way:
            self._has_room.clear()
            await self._has_room.wait()
        await self._able()
        while True:
            try:
                self._promises.took(delivery, message)
            except BusUnavailable as error:
                log.error("start_not_noted", **message.names, why=str(error))
                await asyncio.sleep(PAUSE_S)
            else:
                _ = self._begin(self._ordered(message))
                return

    async def _able(self) -> None:
        """Return when an invoker takes activations: what was promised would fail without one.

        A controller that starts hears of its invokers later than of what was promised before.
        """
        while True:
            if self._primitives.is_usable:
                return
            await asyncio.sleep(ABLE_S)

    async def _ordered(self, message: ActivationMessage) -> ActivationRecord:
        """Carry out what nobody waits for."""
        try:
            meant, payload = await self._notes.read(message)
        except BriskError as error:
            log.warning("composition_not_read", **message.names, why=str(error))
            return await self._unread(message, gone=isinstance(error, NOT_THERE))
        asked = Invocation(
            identity=identity_of(message),
            meant=meant,
            payload=payload,
            transid=message.transid,
            received_ms=message.received_ms,
            wait_ms=None,
        )
        return await self.carried_out(Order(message, asked, Tally()))

    async def _unread(self, message: ActivationMessage, *, gone: bool) -> ActivationRecord:
        now_ms = self._clock.now_ms()
        ended = record(message, unread(gone=gone), start_ms=now_ms, end_ms=now_ms)
        await self._keep(message, ended)
        self._promises.over(message.activation_id)
        return ended

    async def _close(self, delivery: Delivery, message: ActivationMessage) -> None:
        """Give a record to what an earlier process left without one; then its note is settled."""
        while True:
            try:
                await self._records.get(message.namespace, message.activation_id)
            except Missing:
                now_ms = self._clock.now_ms()
                ended = record(message, interrupted(), start_ms=now_ms, end_ms=now_ms)
                await self._keep(message, ended)
            except StoreError as error:
                log.warning("record_not_looked_for", **message.names, why=str(error))
                await asyncio.sleep(PAUSE_S)
                continue
            return delivery.settle()

    def _ended(
        self, order: Order, response: Response, course: Course, start_ms: int
    ) -> ActivationRecord:
        return record(
            order.message,
            response,
            course.parts,
            limits=order.action.limits,
            start_ms=start_ms,
            end_ms=max(start_ms, self._clock.now_ms()),
        )

    async def _keep(self, message: ActivationMessage, ended: ActivationRecord) -> None:
        """Hand the record to the store, as soon as it takes it."""
        while True:
            if self._has_put(message, ended):
                return
            await asyncio.sleep(PAUSE_S)

    def _has_put(self, message: ActivationMessage, ended: ActivationRecord) -> bool:
        """Tell whether the store has taken what it is to have of the record."""
        try:
            self._records.put_composite(ended, message)
        except StoreError as error:
            log.error("record_not_stored", **message.names, why=str(error))
            return False
        return True


def _end(wait: "asyncio.Future[None]") -> None:
    if not wait.done():
        wait.set_result(None)
