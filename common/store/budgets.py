"""The budgets of namespaces: one document each, beside who may ask.

Operators write them (`brisk admin budget`), controllers read them all now and then, and note there
of what they have told somebody.
"""

from collections.abc import Mapping
from typing import Any, Final

from common.entity import budget as entity
from common.entity.budget import Budget, NotABudget, Told
from common.ids import DocId, Namespace
from common.log import logger
from common.store.port import Conflict, Doc, DocStore, Missing

_KIND: Final = "budget"
_ALL: Final = Namespace("budgets")
"""All documents of budgets stand in one list of their database."""
_PAGE: Final = 200
_ATTEMPTS: Final = 5
_log: Final = logger(__name__)


class BudgetStore:
    """Budgets in the documents of subjects."""

    def __init__(self, docs: DocStore) -> None:
        self._docs = docs

    def __repr__(self) -> str:
        return "<BudgetStore>"

    async def names(self) -> list[Namespace]:
        """Return the namespaces that have one."""
        found: list[Namespace] = []
        while True:
            page = await self._docs.list(_ALL, _KIND, package=None, limit=_PAGE, skip=len(found))
            found += [Namespace(str(body.get("name"))) for body in page]
            if len(page) < _PAGE:
                return found

    async def all(self) -> list[Budget]:
        """Return every budget; one that cannot be read is told of and left out."""
        found = []
        for namespace in await self.names():
            doc = await self._find(namespace)
            try:
                if doc is not None:
                    found.append(entity.budget_of(namespace, doc.body, doc.rev))
            except NotABudget as error:
                _log.error("budget_unreadable", namespace=namespace, why=str(error))
        return found

    async def body(self, namespace: Namespace) -> dict[str, Any] | None:
        """Return what an operator has set; None if the namespace has no budget."""
        doc = await self._find(namespace)
        return None if doc is None else {k: v for k, v in doc.body.items() if k in entity.FIELDS}

    async def set(self, namespace: Namespace, given: Mapping[str, Any], updated_ms: int) -> None:
        """Put *given* over what the budget says, or make one. Raises `NotABudget`, `Conflict`."""
        for _ in range(_ATTEMPTS):
            doc = await self._find(namespace)
            body = entity.changed(doc.body if doc else {}, given) | {
                "entityType": _KIND,
                "namespace": _ALL,
                "name": namespace,
                "updated": updated_ms,
            }
            try:
                if doc is None:
                    await self._docs.create(_id(namespace), body)
                else:
                    await self._docs.replace(doc.id, doc.rev, body)
                return
            except (Conflict, Missing):
                continue  # a controller has noted what it told
        raise Conflict(f"The budget of {namespace} is being changed by others.")

    async def delete(self, namespace: Namespace) -> None:
        """Forget a budget. Idempotent. Raises `Conflict`."""
        for _ in range(_ATTEMPTS):
            doc = await self._find(namespace)
            if doc is None:
                return
            try:
                await self._docs.delete(doc.id, doc.rev)
                return
            except (Conflict, Missing):
                continue
        raise Conflict(f"The budget of {namespace} is being changed by others.")

    async def tell(self, budget: Budget, told: Told) -> bool:
        """Note that *told* is being told of *budget*, as it was read; False if another does it."""
        doc = await self._find(budget.namespace)
        if doc is None or doc.rev != budget.rev:
            return False
        note = {"period": told.period, "level": int(told.level)}
        try:
            await self._docs.replace(doc.id, doc.rev, doc.body | {"told": note})
        except (Conflict, Missing):
            return False
        return True

    async def _find(self, namespace: Namespace) -> Doc | None:
        try:
            return await self._docs.get(_id(namespace))
        except Missing:
            return None


def _id(namespace: Namespace) -> DocId:
    return DocId(f"bud/{namespace}")
