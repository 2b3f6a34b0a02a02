"""The record of one activation: what ran, how it ended, and what it cost.

A record is written once and never changed. Everything on a bill is a pure function of it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from common.entity.action import SEQUENCE
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import ActivationId, Namespace, Subject

TRIGGER: Final = "trigger"
"""The kind in the record of a firing: it ran nothing itself, and its log is of its rules."""


class Status(IntEnum):
    """How an activation ended. Source: OpenWhisk's `ActivationResponse`."""

    SUCCESS = 0
    APPLICATION_ERROR = 1
    """The code ran and answered `{"error": …}`."""
    DEVELOPER_ERROR = 2
    """The code did not load, did not answer, took too long or too much."""
    WHISK_ERROR = 3
    """The platform failed."""

    @property
    def text(self) -> str:
        """The words a client reads in `response.status`."""
        return _STATUS_TEXT[self]


_STATUS_TEXT = ("success", "application error", "action developer error", "whisk internal error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What an activation answered.

    result: compact JSON, exactly as the code gave it; never decoded on the way.
    size: characters of the runtime's answer; None where the platform made the result itself.
    """

    status: Status
    result: bytes
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationRecord:
    """One activation that has ended. All times are Unix or elapsed milliseconds."""

    activation_id: ActivationId
    namespace: Namespace
    """Who invoked, not who owns the action."""
    subject: Subject
    action: QualifiedName
    version: str
    kind: str
    """Of the action's code; `unknown` when it could not be read."""
    limits: Limits | None
    """Those in force; None when the action could not be read."""
    start_ms: int
    end_ms: int
    duration_ms: int
    """initTime + run time."""
    wait_ms: int
    """From the receipt of the request to the start of the initialisation, or of the run."""
    init_ms: int | None
    """How long the initialisation took; None on a warm start."""
    timed_out: bool
    response: Response
    logs: tuple[str, ...]
    billed_ms: int
    """Whole milliseconds, rounded up; 0 where the platform failed before the code ran."""
    memory_mb: int
    """Reserved while it ran; `billed_ms * memory_mb` is what is paid for."""
    cause: ActivationId | None = None
    """The sequence or composition that it is a part of; None when it stands alone."""
    binding: QualifiedName | None = None
    """Through which the action was named; None when by its own package."""
    is_conductor: bool = False
    """Of a composite: a composition that a conductor leads, not a sequence."""

    @property
    def is_composite(self) -> bool:
        """Whether its parts ran and were billed, not it: its *logs* are their ids."""
        return self.kind == SEQUENCE

    @property
    def is_firing(self) -> bool:
        """Whether a trigger fired; then there is no end to tell, and nothing to bill."""
        return self.kind == TRIGGER

    @property
    def listed_as(self) -> str:
        """How its namespace knows what ran, `[package/]name`: by the binding, if there is one."""
        if self.binding is None:
            return self.action.in_namespace
        return f"{self.binding.name}/{self.action.name}"
