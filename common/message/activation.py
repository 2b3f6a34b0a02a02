"""The order to run one action once: from a controller to an invoker."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.entity.action import BlobRef
from common.entity.names import QualifiedName
from common.ids import ActivationId, ControllerId, Namespace, Rev, Subject, TransId
from common.tracing import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationMessage:
    """Everything an invoker needs beside the action's document, which it reads by *rev*."""

    activation_id: ActivationId
    transid: TransId
    controller: ControllerId
    """Who waits for the completion."""
    namespace: Namespace
    """Who invokes."""
    subject: Subject
    action: QualifiedName
    rev: Rev
    version: str
    payload: bytes
    """Compact JSON, an object or an array: bound parameters and the caller's, merged."""
    payload_ref: BlobRef | None = None
    """Where the payload lies that is too large for the bus; *payload* is an empty object then."""
    init_env: Mapping[str, str] = field(default_factory=dict)
    """Init parameters, as text; they reach only code that is loaded anew."""
    init_env_ref: BlobRef | None = None
    """Where they lie, likewise; *init_env* is empty then."""
    received_ms: int
    """When the request came in; `waitTime` counts from here."""
    memory_mb: int
    """What it will reserve, as the action had it when it was accepted; for placing it."""
    kind: str = ""
    """What runs it, likewise; empty is anything."""
    blocking: bool
    api_key: str | None = None
    """`uuid:key`, only for an action whose annotation `provide-api-key` asks for it."""
    cause: ActivationId | None = None
    stores: bool = True
    """False keeps of its record what is billed, and neither its result nor its log."""
    binding: QualifiedName | None = None
    """Through which the action was named; None when by its own package."""
    uuid: str = ""
    """Of the key that invokes, for what the platform invokes on in its name; not the key itself."""
    trace: Trace | None = None
    """Whose step this activation is; None where nobody follows it."""

    @property
    def names(self) -> dict[str, str]:
        """Return what every line of the log says of it."""
        names = {
            "transid": self.transid,
            "namespace": self.namespace,
            "activation": self.activation_id,
        }
        return names if self.trace is None else names | {"trace": self.trace.trace_id}

    def __repr__(self) -> str:
        """Return what a log may show: no payload, no key."""
        return f"<ActivationMessage {self.activation_id} {self.action} rev={self.rev}>"
