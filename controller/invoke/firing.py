"""What the firing of a trigger asks of its rules' actions, and what its record says of them. Pure.

Each rule that is active is one invocation, like any other that does not wait. The record says one
line about each rule, also about those that are not active, in the order in which they were made.
Source: OpenWhisk's `Triggers`; the order of the fields of a line is what a running one answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.codec import encode
from common.entity.activation import TRIGGER, ActivationRecord, Response, Status
from common.entity.names import QualifiedName
from common.entity.trigger import Link, RuleStatus, Trigger
from common.ids import ActivationId, DocId, Namespace, Subject

HEADERS: Final = "__ow_headers"
"""The argument in which actions are given the headers of the firing."""
WITHHELD: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that actions are not given: who fires does not hand their key to whatever rules run."""
CUT_OFF: Final = (
    "The platform stopped while this trigger was being fired. Whether the action was started is "
    "not known; it is not started again."
)
_SERVER_ERRORS: Final = 500
_NOT_DONE: Final = 400


@dataclass(frozen=True, slots=True)
class Started:
    """What came of one rule: the activation of its action."""

    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class Refused:
    """What came of one rule: nothing; *http_status* is what its invocation was answered."""

    http_status: int
    error: str


Outcome = Started | Refused


def active(trigger: Trigger) -> Sequence[tuple[DocId, QualifiedName]]:
    """Return the rules of *trigger* that are active, each with its action."""
    return [
        (rule, link.action)
        for rule, link in (trigger.rules or {}).items()
        if link.status is RuleStatus.ACTIVE
    ]


def cut_off(trigger: Trigger) -> dict[DocId, Outcome]:
    """Return what came of the active rules of a firing of which nothing more is known."""
    return {rule: Refused(_SERVER_ERRORS, CUT_OFF) for rule, _ in active(trigger)}


def arguments(
    trigger: Trigger, headers: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what each action is given: the trigger's parameters, the headers, then *given*."""
    bound = {each.key: each.value for each in trigger.parameters}
    seen = {name.lower(): value for name, value in headers.items()}
    kept = {name: value for name, value in seen.items() if name not in WITHHELD}
    return bound | {HEADERS: kept} | dict(given)


def log(trigger: Trigger, outcomes: Mapping[DocId, Outcome]) -> tuple[str, ...]:
    """Return the lines of the record, one for each rule, JSON each.

    outcomes: of every rule that was active.
    """
    return tuple(
        encode(_line(rule, link, outcomes.get(rule))).decode()
        for rule, link in (trigger.rules or {}).items()
    )


def record(
    trigger: Trigger,
    *,
    activation_id: ActivationId,
    namespace: Namespace,
    subject: Subject,
    payload: bytes,
    start_ms: int,
    logs: tuple[str, ...],
) -> ActivationRecord:
    """Return the record of a firing. It is never billed.

    namespace, subject: who fires. payload: an object, as it was sent.
    """
    return ActivationRecord(
        activation_id=activation_id,
        namespace=namespace,
        subject=subject,
        action=trigger.name,
        version=trigger.version,
        kind=TRIGGER,
        limits=None,
        start_ms=start_ms,
        end_ms=start_ms,
        duration_ms=0,
        wait_ms=0,
        init_ms=None,
        timed_out=False,
        response=Response(status=Status.SUCCESS, result=payload),
        logs=logs,
        billed_ms=0,
        memory_mb=0,
    )


def _line(rule: DocId, link: Link, outcome: Outcome | None) -> dict[str, Any]:
    ends = {"rule": rule, "action": link.action.doc_id}
    if isinstance(outcome, Started):
        return {"statusCode": 0, "success": True, "activationId": outcome.activation_id} | ends
    if outcome is None:
        said = f"Rule '{rule}' is inactive, action '{link.action.doc_id}' was not activated."
        outcome = Refused(_NOT_DONE, said)
    is_ours = outcome.http_status >= _SERVER_ERRORS
    status = Status.WHISK_ERROR if is_ours else Status.APPLICATION_ERROR
    return {"statusCode": int(status), "success": False, "error": outcome.error} | ends
