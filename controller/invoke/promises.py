"""What a controller has promised of compositions: notes on the bus, until each has its record.

Every sequence and composition, inner ones too, is noted on a topic of the controller's own. One
that nobody waits for is carried out when it is delivered from there: its note is its order. For
any other the note is sent while it is already under way, and says so: if it is delivered to a
controller that knows nothing of it, an earlier one died in the middle, and what is missing is its
record.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from common.bus.port import Bus, BusUnavailable, Delivery
from common.ids import ActivationId
from common.log import logger
from common.message.activation import ActivationMessage
from common.message.topics import Topic

SMALL_BYTES: Final = 4096

log = logger(__name__)


@dataclass(slots=True, eq=False)
class _Note:
    message: ActivationMessage
    sent: "asyncio.Task[None] | None" = None
    """Sends it, if that took waiting."""
    is_lost: bool = False
    """The bus did not take it."""
    delivery: Delivery | None = None
    is_over: bool = False


class Promises:
    """The notes of one controller."""

    def __init__(self, bus: Bus, topic: Topic) -> None:
        """Keep notes in *topic*, which nobody else receives from."""
        self._bus = bus
        self._topic = topic
        self._notes: dict[ActivationId, _Note] = {}

    def __len__(self) -> int:
        """Return how many notes are not settled, as far as this process knows."""
        return len(self._notes)

    async def order(self, message: ActivationMessage) -> None:
        """Note what is to be carried out when it is delivered.

        Raises `BusUnavailable`, `MessageTooLarge`; then it was not accepted.
        """
        await self._bus.send(self._topic, message, durable=True)

    def begun(self, message: ActivationMessage, tasks: asyncio.TaskGroup) -> None:
        """Note what is already being carried out; in a task of its own, if that takes waiting.

        Its arguments are of no use to anybody any more; large ones are left out.
        """
        if len(message.payload) > SMALL_BYTES:
            message = replace(message, payload=b"{}")
        note = self._notes[message.activation_id] = _Note(message)
        try:
            is_noted = self._bus.try_note(self._topic, message)
        except BusUnavailable as error:
            self._not_noted(note, error)
            return
        if not is_noted:
            note.sent = tasks.create_task(self._send(note))

    def took(self, delivery: Delivery, message: ActivationMessage) -> None:
        """Enter what is carried out because it was delivered. Raises `BusUnavailable`."""
        delivery.start()
        self._notes[message.activation_id] = _Note(message, delivery=delivery)

    def knows(self, delivery: Delivery, activation_id: ActivationId) -> bool:
        """Tell whether this process carries it out, or did; then the note is in good hands."""
        note = self._notes.get(activation_id)
        if note is None:
            return False
        note.delivery = delivery
        if note.is_over:
            self._settle(note)
        return True

    async def hold(self, activation_id: ActivationId) -> None:
        """Return when the note of what is under way survives a power cut.

        Raises `BusUnavailable`.
        """
        note = self._notes.get(activation_id)
        if note is None:
            return
        if note.sent is not None:
            await asyncio.shield(note.sent)
        if note.is_lost:
            await self._bus.send(self._topic, note.message, durable=True)
            note.is_lost = False
        else:
            await self._bus.secure(note.message)

    def over(self, activation_id: ActivationId) -> None:
        """Settle the note of what has its record, as soon as that can be."""
        note = self._notes.get(activation_id)
        if note is None:
            return
        note.is_over = True
        if note.delivery is not None or note.is_lost:
            self._settle(note)

    async def _send(self, note: _Note) -> None:
        try:
            await self._bus.send(self._topic, note.message, durable=True)
        except BusUnavailable as error:
            self._not_noted(note, error)

    def _not_noted(self, note: _Note, error: BusUnavailable) -> None:
        log.warning("composition_not_noted", **note.message.names, why=str(error))
        note.is_lost = True
        if note.is_over:
            self._settle(note)

    def _settle(self, note: _Note) -> None:
        self._notes.pop(note.message.activation_id, None)
        if note.delivery is not None:
            note.delivery.settle()
