"""All entities of all namespaces: one store for each kind, over the same documents."""

from dataclasses import dataclass
from typing import Any, Final, Self

from common.clock import Clock
from common.entity import package, rule, trigger
from common.entity.package import Package
from common.entity.rule import Rule
from common.entity.trigger import Trigger
from common.store.actions import ActionStore
from common.store.apis import ApiStore
from common.store.cache import Lifetimes
from common.store.entities import LIFETIMES, EntityStore, Form
from common.store.port import BlobStore, DocStore

PACKAGE: Final = Form(
    entity_type=package.ENTITY_TYPE,
    to_document=package.to_document,
    from_document=package.from_document,
    to_list_item=package.to_list_item,
)
TRIGGER: Final = Form(
    entity_type=trigger.ENTITY_TYPE,
    to_document=trigger.to_document,
    from_document=trigger.from_document,
    to_list_item=trigger.to_list_item,
)
RULE: Final = Form(
    entity_type=rule.ENTITY_TYPE,
    to_document=rule.to_document,
    from_document=rule.from_document,
    to_list_item=rule.to_list_item,
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """What namespaces hold."""

    actions: ActionStore
    packages: EntityStore[Package]
    triggers: EntityStore[Trigger]
    rules: EntityStore[Rule]
    apis: ApiStore

    @classmethod
    def over(
        cls, docs: DocStore, blobs: BlobStore, *, clock: Clock, lifetimes: Lifetimes = LIFETIMES
    ) -> Self:
        """Return the catalog that is written in *docs*, with long code in *blobs*."""
        return cls(
            ActionStore(docs, blobs, clock=clock, lifetimes=lifetimes),
            EntityStore(docs, PACKAGE, clock=clock, lifetimes=lifetimes),
            EntityStore(docs, TRIGGER, clock=clock, lifetimes=lifetimes),
            EntityStore(docs, RULE, clock=clock, lifetimes=lifetimes),
            ApiStore(docs, clock=clock, lifetimes=lifetimes),
        )

    @property
    def stores(self) -> tuple[EntityStore[Any], ...]:
        """Every store, for who tells them what others have changed."""
        return (self.actions, self.packages, self.triggers, self.rules, self.apis)
