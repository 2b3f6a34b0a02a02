"""Listens for activations that ended, and gives up on those that never will.

A result that was too large for the bus is fetched from the store, where it is by then as a rule.
Where it cannot be fetched in time, who waits is told what is true: the activation was accepted, and
its record can be read later.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from common.bus.port import Bus, Message
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.ids import ActivationId, ControllerId
from common.log import logger
from common.message import topics
from common.message.completion import Completion
from common.store.port import ActivationStore, StoreError
from controller.balance.health import Ended
from controller.balance.inflight import InFlight

EXPIRY_S: Final = 5.0
"""How often lost activations are looked for; they are a minute overdue by then."""
FETCH_S: Final = 30.0
"""How long a result is looked for that was too large for the bus."""
FETCH_PAUSE_S: Final = 0.2

Judge: TypeAlias = Callable[[ActivationId, Ended], None]
Tell: TypeAlias = Callable[[ActivationRecord], None]
"""Neither waits nor raises."""

log = logger(__name__)


class Completions:
    """Serves the topic on which one controller hears from invokers."""

    def __init__(
        self,
        bus: Bus,
        controller: ControllerId,
        inflight: InFlight,
        activations: ActivationStore,
        clock: Clock,
        *,
        judge: Judge | None = None,
        tell: Tell,
    ) -> None:
        """Listen for *controller*; *judge* is told how each activation ended, for its invoker.

        tell: told of each record, which is kept by then.
        activations: has the results that were too large for the bus.
        """
        self._judge = judge or _nobody
        self._tell = tell
        self._bus = bus
        self._topic = topics.completed(controller)
        self._inflight = inflight
        self._activations = activations
        self._clock = clock
        self._fetches: asyncio.TaskGroup | None = None

    async def listen(self) -> None:
        """Hear of every activation that is sent from now on. Raises `BusUnavailable`."""
        await self._bus.listen(self._topic, self._ended)

    async def serve(self) -> None:
        """Fetch results that are apart and give up on what is overdue, until this is cancelled."""
        async with asyncio.TaskGroup() as self._fetches:
            while True:
                await asyncio.sleep(EXPIRY_S)
                for activation_id in self._inflight.expire(self._clock.elapsed_s()):
                    log.error("completion_lost", activation=activation_id)
                    self._judge(activation_id, Ended.UNANSWERED)

    def _ended(self, message: Message) -> None:
        assert isinstance(message, Completion), message
        ended = Ended.AT_FAULT if message.is_at_fault else Ended.WELL
        self._judge(message.activation_id, ended)
        if message.result_is_apart and self._fetches is not None:
            self._fetches.create_task(self._fetch(message))
        elif message.result_is_apart:
            self._inflight.complete(message.activation_id, None)
        else:
            self._inflight.complete(message.activation_id, message.record)
        self._tell(message.record)

    async def _fetch(self, completion: Completion) -> None:
        activation_id, record = completion.activation_id, None
        try:
            async with asyncio.timeout(FETCH_S):
                record = await self._found(completion)
        except TimeoutError:
            log.error("result_not_fetched", **completion.names)
        except Exception:  # a fault of ours must not end the others' waits
            log.exception("result_not_fetched", **completion.names)
        finally:
            self._inflight.complete(activation_id, record)

    async def _found(self, completion: Completion) -> ActivationRecord:
        """Return the record as soon as the store has it and answers."""
        while True:
            try:
                return await self._activations.get(
                    completion.record.namespace, completion.activation_id
                )
            except StoreError as error:
                log.warning("result_not_there_yet", **completion.names, why=str(error))
                await asyncio.sleep(FETCH_PAUSE_S)


def _nobody(activation_id: ActivationId, ended: Ended) -> None:
    """Judge nothing: where there is one invoker, there is nobody to prefer to it."""
