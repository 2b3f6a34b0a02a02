"""A trigger: the name of a kind of event, with the rules that say what runs when it is fired."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from common.entity.action import Json, Parameter
from common.entity.forms import (
    annotations_shown,
    parameters_shown,
    reference,
    referred,
    stored_annotations,
    stored_name,
    stored_parameters,
)
from common.entity.names import QualifiedName
from common.ids import DocId, Rev

ENTITY_TYPE: Final = "trigger"


class NotATrigger(ValueError):
    """The document does not hold what a trigger needs."""


class RuleStatus(StrEnum):
    """Whether a rule does anything."""

    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Link:
    """A rule as its trigger knows it. Whether a rule is active is written here and nowhere else."""

    action: QualifiedName
    status: RuleStatus

    def shown(self) -> dict[str, Json]:
        """Return what is stored, and what a client reads."""
        return {"action": reference(self.action), "status": self.status.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One revision of a trigger."""

    name: QualifiedName
    version: str = "0.0.1"
    publish: bool = False
    parameters: tuple[Parameter, ...] = ()
    annotations: dict[str, Json] = field(default_factory=dict)
    rules: Mapping[DocId, Link] | None = None
    """By `ns/rule`, in the order in which they came. None until there was a first one."""
    updated_ms: int = 0
    rev: Rev = Rev("")

    def with_link(self, rule: QualifiedName, link: Link) -> "Trigger":
        """Return this with *rule* linked, or linked anew."""
        return replace(self, rules={**(self.rules or {}), rule.doc_id: link})

    def without_link(self, rule: QualifiedName) -> "Trigger":
        """Return this without *rule*."""
        left = {key: link for key, link in (self.rules or {}).items() if key != rule.doc_id}
        return replace(self, rules=left)

    def link(self, rule: QualifiedName) -> Link | None:
        """Return how *rule* is linked; None when it is not."""
        return (self.rules or {}).get(rule.doc_id)


def to_document(trigger: Trigger) -> dict[str, Json]:
    """Return what is stored."""
    return to_rest(trigger) | {"entityType": ENTITY_TYPE}


def to_rest(trigger: Trigger) -> dict[str, Json]:
    """Return what a client reads."""
    shown: dict[str, Json] = {
        "namespace": trigger.name.path,
        "name": trigger.name.name,
        "parameters": parameters_shown(trigger.parameters),
        "limits": {},
        "version": trigger.version,
        "publish": trigger.publish,
        "annotations": annotations_shown(trigger.annotations),
        "updated": trigger.updated_ms,
    }
    if trigger.rules is not None:
        shown["rules"] = {rule: link.shown() for rule, link in trigger.rules.items()}
    return shown


def to_list_item(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a list shows of the stored document *body*."""
    shown = ("namespace", "name", "version", "publish", "annotations", "updated")
    return {field: body[field] for field in shown}


def from_document(body: Mapping[str, Any], rev: Rev) -> Trigger:
    """Return the trigger that is stored as *body*. Raises `NotATrigger`."""
    try:
        rules = body.get("rules")
        return Trigger(
            name=stored_name(body),
            version=body["version"],
            publish=body["publish"],
            parameters=stored_parameters(body["parameters"]),
            annotations=stored_annotations(body["annotations"]),
            rules=None
            if rules is None
            else {
                DocId(rule): Link(referred(link["action"]), RuleStatus(link["status"]))
                for rule, link in rules.items()
            },
            updated_ms=body["updated"],
            rev=rev,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotATrigger(f"{type(error).__name__}: {error}") from error
