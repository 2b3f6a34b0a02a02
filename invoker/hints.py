"""Hints of controllers, as the pool understands them."""

import asyncio
from functools import partial
from typing import Final

from common.bus.port import Bus, BusUnavailable, Message
from common.ids import InvokerId
from common.log import logger
from common.message import topics
from common.message.hint import Hint
from invoker.pool.container import ActionKey, Shape
from invoker.pool.pool import Pool

PAUSE_S: Final = 1.0
"""Between two attempts to listen to a bus that is away."""

log = logger(__name__)


async def listen(bus: Bus, invoker: InvokerId, pool: Pool) -> None:
    """Return when *pool* hears the hints for *invoker*; until then it does without them."""
    while True:
        try:
            return await bus.listen(topics.hints(invoker), partial(heard, pool))
        except BusUnavailable as error:
            log.warning("hints_not_heard", invoker=invoker, why=str(error))
            await asyncio.sleep(error.pause_s or PAUSE_S)


def heard(pool: Pool, message: Message) -> None:
    """Let *pool* judge a hint. Neither waits nor raises."""
    assert isinstance(message, Hint), message
    key = ActionKey(message.namespace, message.action.doc_id, message.rev)
    shape = Shape(message.kind, message.memory_mb, is_cut_off=message.is_cut_off)
    pool.foretold(key, shape)
