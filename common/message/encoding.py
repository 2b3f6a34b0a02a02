"""Messages as bytes: for the journal of the embedded bus, and for a broker.

A message is one JSON object. The part that is passed on untouched (the user's payload, or the whole
record) stands first, behind its own length, so that it is cut out without being parsed or written
anew: integers keep their digits and nothing is paid for megabytes that nobody looks at.

An encoded activation may hold the API key that its action asked for. Who keeps the bytes keeps
them where only the platform can read.
"""

from typing import Any, Final, TypeAlias

from common import codec
from common.entity import activation_document
from common.entity.action import BlobRef
from common.entity.forms import reference, referred
from common.entity.names import QualifiedName
from common.ids import (
    ActivationId,
    ControllerId,
    InvokerId,
    Namespace,
    Rev,
    Subject,
    TransId,
)
from common.message.activation import ActivationMessage
from common.message.completion import Completion
from common.message.event import UserEvent, of_wire
from common.message.hint import Hint
from common.message.ping import Ping
from common.message.watching import News, Watch
from common.tracing import Trace

_ACTIVATION: Final = "payload"
_COMPLETION: Final = "record"
_PING: Final = "ping"
_HINT: Final = "hint"
_WATCH: Final = "watch"
_NEWS: Final = "news"
_EVENT: Final = b'{"body":'
"""How a user event begins: others read it, so it is plain JSON, without our length in front."""

_Message: TypeAlias = ActivationMessage | Completion | Ping | Hint | Watch | News | UserEvent


class MalformedMessage(ValueError):
    """The bytes are not a message of this platform."""


def key(message: _Message) -> str:
    """Return what a broker knows *message* by: its activation, or who or what it is about."""
    if isinstance(message, Ping):
        return f"invoker{message.invoker}"
    if isinstance(message, Hint):
        return message.action.doc_id
    if isinstance(message, Watch):
        return f"controller{message.controller}"
    if isinstance(message, UserEvent):
        return message.namespace
    return message.activation_id


def encode(message: _Message) -> bytes:
    """Return *message* as one JSON object; may hold line breaks, if the payload does."""
    if isinstance(message, Completion):
        return _join(
            _COMPLETION, activation_document.encode(message.record), _completion_fields(message)
        )
    if isinstance(message, Ping):
        return _join(_PING, b"null", _ping_fields(message))
    if isinstance(message, Hint):
        return _join(_HINT, b"null", _hint_fields(message))
    if isinstance(message, Watch):
        return _join(_WATCH, b"null", _watch_fields(message))
    if isinstance(message, News):
        return _join(_NEWS, b"null", _news_fields(message))
    if isinstance(message, UserEvent):
        return codec.encode(message.to_wire())
    return _join(_ACTIVATION, message.payload, _activation_fields(message))


def decode(data: bytes) -> _Message:
    """Return the message that `encode` wrote. Raises `MalformedMessage`."""
    try:
        if data.startswith(_EVENT):
            return of_wire(codec.decode(data))
        kind, part, fields = _split(data)
        if kind == _COMPLETION:
            return _completion(part, fields)
        if kind == _ACTIVATION:
            return _activation(part, fields)
        if kind == _PING:
            return _ping(fields)
        if kind == _HINT:
            return _hint(fields)
        if kind == _WATCH:
            return _watch(fields)
        if kind == _NEWS:
            return _news(fields)
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedMessage(f"This is no message: {type(error).__name__}") from error
    raise MalformedMessage("This message is of no known kind.")


def _join(kind: str, part: bytes, fields: dict[str, Any]) -> bytes:
    opening = f'{{"{kind}_bytes":{len(part)},"{kind}":'.encode()
    return b"".join((opening, part, b",", codec.encode(fields)[1:]))


def _split(data: bytes) -> tuple[str, bytes, dict[str, Any]]:
    length, _, rest = data.partition(b",")
    name, _, digits = length.removeprefix(b'{"').partition(b'_bytes":')
    kind = name.decode()
    begin = len(length) + len(f',"{kind}":')
    end = begin + int(digits)
    if not rest.startswith(f'"{kind}":'.encode()) or data[end : end + 1] != b",":
        raise MalformedMessage("Its first part does not end where it says.")
    return kind, data[begin:end], codec.decode(b"{" + data[end + 1 :])


def _activation_fields(message: ActivationMessage) -> dict[str, Any]:
    action = message.action
    return {
        "activation_id": message.activation_id,
        "transid": message.transid,
        "controller": message.controller,
        "namespace": message.namespace,
        "subject": message.subject,
        "action": [action.namespace, action.package, action.name],
        "rev": message.rev,
        "version": message.version,
        "init_env": dict(message.init_env),
        "received_ms": message.received_ms,
        "memory_mb": message.memory_mb,
        "kind": message.kind,
        "payload_ref": _ref_field(message.payload_ref),
        "init_env_ref": _ref_field(message.init_env_ref),
        "blocking": message.blocking,
        "api_key": message.api_key,
        "cause": message.cause,
        "stores": message.stores,
        "binding": None if message.binding is None else reference(message.binding),
        "uuid": message.uuid,
        "trace": message.trace,
    }


def _ref_field(ref: BlobRef | None) -> list[Any] | None:
    return None if ref is None else [ref.sha256, ref.size]


def _ref(field: list[Any] | None) -> BlobRef | None:
    return None if field is None else BlobRef(*field)


def _trace(field: list[str] | None) -> Trace | None:
    return None if field is None else Trace(*field)


def _activation(payload: bytes, fields: dict[str, Any]) -> ActivationMessage:
    namespace, package, name = fields["action"]
    cause = fields["cause"]
    # Some are absent in what a journal holds of an older release.
    return ActivationMessage(
        activation_id=ActivationId(fields["activation_id"]),
        transid=TransId(fields["transid"]),
        controller=ControllerId(fields["controller"]),
        namespace=Namespace(fields["namespace"]),
        subject=Subject(fields["subject"]),
        action=QualifiedName(Namespace(namespace), package, name),
        rev=Rev(fields["rev"]),
        version=fields["version"],
        payload=payload,
        payload_ref=_ref(fields.get("payload_ref")),
        init_env=fields["init_env"],
        init_env_ref=_ref(fields.get("init_env_ref")),
        received_ms=fields["received_ms"],
        memory_mb=fields["memory_mb"],
        kind=fields.get("kind", ""),
        blocking=fields["blocking"],
        api_key=fields["api_key"],
        cause=None if cause is None else ActivationId(cause),
        stores=fields.get("stores", True),
        binding=None if fields.get("binding") is None else referred(fields["binding"]),
        uuid=fields.get("uuid", ""),
        trace=_trace(fields.get("trace")),
    )


def _completion_fields(message: Completion) -> dict[str, Any]:
    return {
        "activation_id": message.activation_id,
        "transid": message.transid,
        "invoker": message.invoker,
        "is_at_fault": message.is_at_fault,
        "result_is_apart": message.result_is_apart,
    }


def _completion(record: bytes, fields: dict[str, Any]) -> Completion:
    return Completion(
        activation_id=ActivationId(fields["activation_id"]),
        transid=TransId(fields["transid"]),
        invoker=InvokerId(fields["invoker"]),
        record=activation_document.decode(record),
        is_at_fault=fields.get("is_at_fault", False),
        result_is_apart=fields["result_is_apart"],
    )


def _ping_fields(ping: Ping) -> dict[str, Any]:
    return {
        "invoker": ping.invoker,
        "memory_mb": ping.memory_mb,
        "is_taking": ping.is_taking,
        "ended": ping.ended,
        "kinds": list(ping.kinds),
    }


def _ping(fields: dict[str, Any]) -> Ping:
    return Ping(
        invoker=InvokerId(fields["invoker"]),
        memory_mb=fields["memory_mb"],
        is_taking=fields["is_taking"],
        ended=fields["ended"],
        kinds=tuple(fields.get("kinds", ())),  # of an invoker that was not updated yet: not told
    )


def _hint_fields(hint: Hint) -> dict[str, Any]:
    action = hint.action
    return {
        "namespace": hint.namespace,
        "action": [action.namespace, action.package, action.name],
        "rev": hint.rev,
        "kind": hint.kind,
        "memory_mb": hint.memory_mb,
        "is_cut_off": hint.is_cut_off,
    }


def _hint(fields: dict[str, Any]) -> Hint:
    namespace, package, name = fields["action"]
    return Hint(
        namespace=Namespace(fields["namespace"]),
        action=QualifiedName(Namespace(namespace), package, name),
        rev=Rev(fields["rev"]),
        kind=fields["kind"],
        memory_mb=fields["memory_mb"],
        is_cut_off=fields["is_cut_off"],
    )


def _watch_fields(watch: Watch) -> dict[str, Any]:
    return {"controller": watch.controller, "namespaces": list(watch.namespaces)}


def _watch(fields: dict[str, Any]) -> Watch:
    return Watch(
        controller=ControllerId(fields["controller"]),
        namespaces=tuple(map(Namespace, fields["namespaces"])),
    )


def _news_fields(news: News) -> dict[str, Any]:
    return {
        "controller": news.controller,
        "namespace": news.namespace,
        "activation_id": news.activation_id,
        "listed_as": news.listed_as,
        "end_ms": news.end_ms,
    }


def _news(fields: dict[str, Any]) -> News:
    return News(
        controller=ControllerId(fields["controller"]),
        namespace=Namespace(fields["namespace"]),
        activation_id=ActivationId(fields["activation_id"]),
        listed_as=fields["listed_as"],
        end_ms=fields["end_ms"],
    )
