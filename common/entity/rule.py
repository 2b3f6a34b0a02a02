"""A rule: which action runs when which trigger is fired."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from common.entity.action import Json
from common.entity.forms import (
    annotations_shown,
    reference,
    referred,
    stored_annotations,
    stored_name,
)
from common.entity.names import QualifiedName
from common.entity.trigger import RuleStatus
from common.ids import Rev

ENTITY_TYPE: Final = "rule"


class NotARule(ValueError):
    """The document does not hold what a rule needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One revision of a rule. Whether it is active, its trigger knows (`trigger.Link`)."""

    name: QualifiedName
    trigger: QualifiedName
    action: QualifiedName
    version: str = "0.0.1"
    publish: bool = False
    annotations: dict[str, Json] = field(default_factory=dict)
    updated_ms: int = 0
    rev: Rev = Rev("")


def to_document(rule: Rule) -> dict[str, Json]:
    """Return what is stored."""
    return {
        "namespace": rule.name.path,
        "name": rule.name.name,
        "trigger": reference(rule.trigger),
        "action": reference(rule.action),
        "version": rule.version,
        "publish": rule.publish,
        "annotations": annotations_shown(rule.annotations),
        "updated": rule.updated_ms,
        "entityType": ENTITY_TYPE,
    }


def to_rest(rule: Rule, status: RuleStatus) -> dict[str, Json]:
    """Return what a client reads."""
    return to_list_item(to_document(rule)) | {"status": status.value}


def to_list_item(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a list shows of the stored document *body*."""
    return {field: value for field, value in body.items() if field != "entityType"}


def from_document(body: Mapping[str, Any], rev: Rev) -> Rule:
    """Return the rule that is stored as *body*. Raises `NotARule`."""
    try:
        return Rule(
            name=stored_name(body),
            trigger=referred(body["trigger"]),
            action=referred(body["action"]),
            version=body["version"],
            publish=body["publish"],
            annotations=stored_annotations(body["annotations"]),
            updated_ms=body["updated"],
            rev=rev,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NotARule(f"{type(error).__name__}: {error}") from error
