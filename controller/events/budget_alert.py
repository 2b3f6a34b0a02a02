"""Fires the trigger of a budget, as the namespace's own subject would.

A firing has a name, so that one whose answer was lost may be sent again and is done once.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from common.entity.budget import Budget
from common.entity.identity import Identity
from common.ids import Namespace
from common.log import logger
from controller.events.client import Reply

TRIES: Final = 3
PAUSE_S: Final = 0.5
_CLIENTS_FAULT: Final = range(400, 429)
_log: Final = logger(__name__)


class Subjects(Protocol):
    """Who is in a namespace."""

    async def owner(self, namespace: Namespace) -> Identity | None:
        """Return the first who may use *namespace*; None when nobody may."""
        ...

    async def api_key(self, uuid: str) -> str:
        """Return `uuid:key`. Raises `Missing`, `Corrupted`."""
        ...


class Triggers(Protocol):
    """Where triggers are fired."""

    async def fire(
        self, namespace: str, name: str, auth: str, payload: Mapping[str, Any], *, key: str
    ) -> Reply:
        """Fire a trigger. *key* names the firing: sent again, it is the same one."""
        ...


class BudgetAlert:
    """Of one controller."""

    def __init__(self, subjects: Subjects, triggers: Triggers) -> None:
        self._subjects = subjects
        self._triggers = triggers

    def __repr__(self) -> str:
        return "<BudgetAlert>"

    async def __call__(self, budget: Budget, event: Mapping[str, Any]) -> None:
        """Fire the trigger of *budget*, or say in the log why it was not."""
        owner = await self._subjects.owner(budget.namespace)
        if owner is None:
            _log.error("budget_alert_not_fired", namespace=budget.namespace,
                       why="nobody may use the namespace")  # fmt: skip
            return
        auth = await self._subjects.api_key(owner.uuid)
        key = f"budget/{event['period']}/{event['level']}/{budget.rev}"
        for attempt in range(1, TRIES + 1):
            reply = await self._triggers.fire(
                budget.namespace, budget.trigger, auth, event, key=key
            )
            if reply.status is not None and reply.status < min(_CLIENTS_FAULT):
                return
            if reply.status in _CLIENTS_FAULT or attempt == TRIES:
                _log.error("budget_alert_not_fired", namespace=budget.namespace,
                           trigger=budget.trigger, status=reply.status, why=reply.text)  # fmt: skip
                return
            await asyncio.sleep(PAUSE_S)
