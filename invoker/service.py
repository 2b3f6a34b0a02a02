"""The invoker: takes activations while there is room, has them run, and answers with records.

For each message, in this order: read the action, wait for a sandbox, note the start, run, hand the
record to the store (it survives a kill from then on), tell the controller, settle the message. So a
record is never missing for an answer that was given, and a message is never settled before its
record is safe. What only waited when the platform went down has not started, and is run later.

Arguments that were too large for the bus are read where the message says they are.

Messages are taken by workers, each of which does one at a time: so nothing is taken that nobody has
time for, and a call costs no task of its own.

While a disk takes no record, or not that an activation begins, whoever has one waits with it, and
nothing else is begun: what has not begun stays unsettled, so it is run once the disk is mended, or
elsewhere if this invoker goes.

A message that was being run when the process died, or when its time to stop was over, is not run
again: its record says so.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from common import metrics
from common.bus.port import Bus, BusUnavailable, Delivery
from common.clock import Clock
from common.entity.action import Action
from common.entity.activation import ActivationRecord, Status
from common.errors import BriskError
from common.ids import InvokerId
from common.log import logger
from common.message import topics
from common.message.activation import ActivationMessage
from common.namespace_metrics import NAMESPACES
from common.store.port import ActivationStore, Missing, StoreError
from common.telemetry.telling import Telling
from invoker import hints, outcome, record
from invoker.actions import PatientActions
from invoker.answers import Answers
from invoker.driver.port import (
    CannotStart,
    ImageNotExecutable,
    ImageNotPulled,
    ImageNotRun,
    ImageUnusable,
    NoImages,
    Stream,
)
from invoker.job import Job
from invoker.logs.lines import LogLines
from invoker.pool.pool import Pool
from invoker.record import Execution

MB: Final = 1 << 20
STORE_PAUSE_S: Final = 1.0
MOST_IDLE: Final = 8
"""Workers that wait for the next message; one at least does, unless all are busy."""

_FAULTS: Final[dict[type[ImageUnusable], metrics.ImageFault]] = {
    ImageNotPulled: "not_pulled",
    ImageNotExecutable: "not_found",
    ImageNotRun: "not_run",
    NoImages: "no_images",
}

log = logger(__name__)


class Invoker:
    """Serves one topic of the bus with one pool."""

    def __init__(
        self,
        invoker_id: InvokerId,
        *,
        bus: Bus,
        pool: Pool,
        actions: PatientActions,
        activations: ActivationStore,
        clock: Clock,
        telling: Telling,
        max_under_way: int,
    ) -> None:
        """Make an invoker that holds at most *max_under_way* messages at a time.

        telling: told of each activation that ended.
        """
        self.invoker_id = invoker_id
        self.ended = 0
        """Activations that it has finished."""
        self._bus = bus
        self._pool = pool
        self._actions = actions
        self._activations = activations
        self._answers = Answers(invoker_id, bus, activations)
        self._clock = clock
        self._telling = telling
        self._max_under_way = max_under_way
        self._tasks: asyncio.TaskGroup | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        self._dismissed = asyncio.Event()
        self._is_draining = False
        self._held_up = 0
        self._can_write = asyncio.Event()
        self._can_write.set()

    @property
    def is_healthy(self) -> bool:
        """Whether activations should be sent here: not while one waits for a disk."""
        return self._can_write.is_set()

    async def serve(self, drain_s: Callable[[], float]) -> None:
        """Take messages until the bus is closed or this is cancelled; then finish what was begun.

        drain_s: asked then how long begun activations may take to end. What is left after that is
        cancelled; what only waits stays unsettled, so that a durable bus delivers it again.
        """
        async with asyncio.TaskGroup() as self._tasks:
            listening = self._tasks.create_task(
                hints.listen(self._bus, self.invoker_id, self._pool)
            )
            telling = self._tasks.create_task(self._telling.serve())
            self._hire()
            try:
                await self._dismissed.wait()
            finally:
                self._is_draining = True
                listening.cancel()
                for worker in list(self._idle):
                    worker.cancel()
                if busy := self._workers - self._idle:
                    await asyncio.wait(busy, timeout=drain_s())
                for worker in list(self._workers):
                    worker.cancel()
                telling.cancel()

    def _hire(self) -> None:
        assert self._tasks, "nobody serves"
        worker = self._tasks.create_task(self._work())
        self._workers.add(worker)
        self._idle.add(worker)
        worker.add_done_callback(self._leave)

    def _leave(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._idle.discard(worker)
        if not self._workers:
            self._dismissed.set()

    async def _work(self) -> None:
        """Do one message after the other; while others come, see to it that somebody is idle."""
        me = asyncio.current_task()
        assert me, "a task works"
        async for delivery in self._bus.receive(topics.invoker(self.invoker_id)):
            self._idle.discard(me)
            if not self._idle and len(self._workers) < self._max_under_way:
                self._hire()
            await self._handle(delivery)
            if self._is_draining or len(self._idle) >= MOST_IDLE:
                return
            self._idle.add(me)

    async def _handle(self, delivery: Delivery) -> None:
        message = delivery.message
        assert isinstance(message, ActivationMessage), message
        if not self._can_write.is_set():
            await self._can_write.wait()
        try:
            ended = await self._record(delivery, message)
        except Exception:
            log.exception("activation_broke", **message.names)
            ended = self._failed(message, Status.WHISK_ERROR, outcome.ABNORMAL_RUN)
        await self._keep(ended, message)
        try:
            await self._answers.tell(message, ended)
        finally:  # also when the platform stops meanwhile: its record is kept, so it has ended
            delivery.settle()
        self.ended += 1
        metrics.count_ended(ended)
        NAMESPACES.busiest.count(ended)
        self._telling.activation(ended, message)

    def _interrupted(self, delivery: Delivery, message: ActivationMessage) -> None:
        """Record what is broken off because the platform stops; what cannot be, stays unsettled."""
        ended = self._failed(message, Status.WHISK_ERROR, outcome.INTERRUPTED)
        if self._has_put(ended, message):
            delivery.settle()

    async def _keep(self, ended: ActivationRecord, message: ActivationMessage) -> None:
        """Hand the record to the store; while it takes none, nothing is answered or begun."""
        if self._has_put(ended, message):
            return
        with self._holding_up():
            while True:
                await asyncio.sleep(STORE_PAUSE_S)
                if self._has_put(ended, message):
                    return

    @contextmanager
    def _holding_up(self) -> Iterator[None]:
        """Have nothing begun while inside."""
        self._held_up += 1
        self._can_write.clear()
        try:
            yield
        finally:
            self._held_up -= 1
            if not self._held_up:
                self._can_write.set()

    def _has_put(self, ended: ActivationRecord, message: ActivationMessage) -> bool:
        try:
            self._activations.put(record.kept(ended, stores=message.stores))
        except StoreError as error:
            log.error("record_not_stored", **message.names, why=str(error))
            return False
        return True

    async def _record(self, delivery: Delivery, message: ActivationMessage) -> ActivationRecord:
        if delivery.was_started:
            return self._failed(message, Status.WHISK_ERROR, outcome.INTERRUPTED)
        try:
            action = await self._actions.get(message.action, message.rev)
        except Missing:
            return self._failed(message, Status.APPLICATION_ERROR, outcome.ACTION_REMOVED)
        except BriskError as error:
            log.warning("action_not_read", action=message.action.doc_id, **message.names,
                        why=str(error))  # fmt: skip
            return self._failed(message, Status.WHISK_ERROR, outcome.ACTION_NOT_FETCHED)
        try:
            message = await self._actions.with_arguments(message)
        except BriskError as error:
            log.error("arguments_not_read", **message.names, why=str(error))
            text = outcome.ARGUMENTS_NOT_FETCHED
            return self._failed(message, Status.WHISK_ERROR, text, action)
        return await self._run(delivery, message, action)

    async def _run(
        self, delivery: Delivery, message: ActivationMessage, action: Action
    ) -> ActivationRecord:
        held_up, has_begun = ExitStack(), False

        def begin() -> None:
            nonlocal has_begun
            delivery.start()
            has_begun = True
            held_up.close()

        job = Job(
            message=message,
            action=action,
            code=lambda: self._actions.code(action),
            begin=begin,
        )
        try:
            with held_up:
                execution = await self._begun(job, held_up)
        except asyncio.CancelledError:
            if has_begun:
                self._interrupted(delivery, message)
            raise
        except ImageUnusable as error:
            return self._unusable(message, action, error)
        except (CannotStart, StoreError) as error:
            log.error("action_not_run", action=message.action.doc_id, **message.names,
                      why=str(error))  # fmt: skip
            lacks_code = isinstance(error, StoreError)
            text = outcome.ACTION_NOT_FETCHED if lacks_code else outcome.NO_RESOURCES
            return self._failed(message, Status.WHISK_ERROR, text, action)
        return record.of_execution(message, execution, action=action)

    async def _begun(self, job: Job, held_up: ExitStack) -> Execution:
        """Run *job* as soon as it can be noted that it begins; others wait until then, too.

        held_up: closed by who begins.
        """
        is_held_up = False
        while True:
            try:
                return await self._pool.run(job)
            except BusUnavailable as error:
                message = job.message
                log.error("start_not_noted", **message.names, why=str(error))
                if not is_held_up:
                    is_held_up = True
                    held_up.enter_context(self._holding_up())
                await asyncio.sleep(STORE_PAUSE_S)

    def _unusable(
        self, message: ActivationMessage, action: Action, error: ImageUnusable
    ) -> ActivationRecord:
        """Record that the action's own image is at fault; nothing has run, so it costs nothing."""
        metrics.IMAGE_FAULTS[_FAULTS[type(error)]].inc()
        log.warning("image_unusable", action=message.action.doc_id, **message.names,
                    why=str(error), more=error.why, cause=repr(error.__cause__))  # fmt: skip
        lines = LogLines(action.limits.logs_mb * MB)
        now_ns = self._clock.now_ns()
        if error.why:
            lines.write(Stream.STDERR, now_ns, error.why.encode())
        logs = lines.finish(now_ns, developer_error=True)
        failed = self._failed(message, Status.DEVELOPER_ERROR, str(error), action)
        return replace(failed, logs=logs)

    def _failed(
        self, message: ActivationMessage, status: Status, text: str, action: Action | None = None
    ) -> ActivationRecord:
        response = outcome.failure(status, text)
        return record.of_failure(message, response, now_ms=self._clock.now_ms(), action=action)
