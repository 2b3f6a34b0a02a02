"""How controllers hear of what has ended: over the bus, without what no answer shows.

Logs stay with the store. So does a result that is too large for the bus: then the answer waits
until the record has arrived in the store, so that the controller finds it there at once.
"""

import asyncio
from dataclasses import replace
from typing import Final

from common.bus.port import Bus, BusUnavailable, MessageTooLarge
from common.entity.activation import ActivationRecord, Status
from common.ids import InvokerId
from common.log import logger
from common.message import topics
from common.message.activation import ActivationMessage
from common.message.completion import Completion
from common.store.port import ActivationStore
from invoker import outcome

TRIES: Final = 5
PAUSE_S: Final = 0.2
ARRIVAL_S: Final = 10.0
"""How long an answer whose result is apart waits for the record to arrive in the store."""

log = logger(__name__)


class Answers:
    """Of one invoker."""

    def __init__(self, invoker_id: InvokerId, bus: Bus, activations: ActivationStore) -> None:
        """Answer over *bus*; *activations* has the record before anybody is told of it."""
        self._invoker_id = invoker_id
        self._bus = bus
        self._activations = activations

    async def tell(self, message: ActivationMessage, ended: ActivationRecord) -> None:
        """Tell the controller; it may not hear it, but the record is there for whoever asks."""
        completion = Completion(
            activation_id=message.activation_id,
            transid=message.transid,
            invoker=self._invoker_id,
            record=replace(ended, logs=()) if ended.logs else ended,
            is_at_fault=outcome.is_at_fault(ended.response),
        )
        topic = topics.completed(message.controller)
        for attempt in range(TRIES):
            try:
                return await self._bus.send(topic, completion, durable=False)
            except MessageTooLarge:
                if message.stores:
                    completion = await self._without_result(completion)
                else:
                    completion = _lost(completion)
            except BusUnavailable as error:
                log.warning("answer_delayed", **message.names, attempt=attempt + 1,
                            why=str(error))  # fmt: skip
                await asyncio.sleep(PAUSE_S)
        log.error("answer_lost", **message.names)

    async def _without_result(self, completion: Completion) -> Completion:
        """Return *completion* without its result, when the store has it or is too slow."""
        ended = completion.record
        try:
            async with asyncio.timeout(ARRIVAL_S):
                await self._activations.arrived(ended.namespace, ended.activation_id)
        except TimeoutError:
            log.warning("result_arrives_late", **completion.names)
        response = replace(ended.response, result=b"null")
        return replace(completion, record=replace(ended, response=response), result_is_apart=True)


def _lost(completion: Completion) -> Completion:
    """Return *completion* with an error for its result, which is too large and is not stored."""
    response = outcome.failure(Status.WHISK_ERROR, outcome.RESULT_NOT_STORED)
    return replace(completion, record=replace(completion.record, response=response))
