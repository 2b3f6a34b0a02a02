"""Makers of records and messages: each gives a usual one, and takes what a test cares about."""

from typing import Any

from hypothesis import strategies as st

from common.entity.action import BlobRef
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import (
    ActivationId,
    ControllerId,
    InvokerId,
    Namespace,
    Rev,
    Subject,
    TransId,
    activation_id,
)
from common.message.activation import ActivationMessage
from common.message.completion import Completion
from common.message.ping import Ping

NOON_MS = 1_763_726_400_000
"""2025-11-21T12:00:00Z, the usual start of a record."""
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def an_id(number: int = 0, *, at_ms: int = NOON_MS) -> ActivationId:
    """Return the id of activation *number* of the millisecond *at_ms*."""
    return activation_id(at_ms, number)


def an_action(name: str = "hello", namespace: str = "guest") -> QualifiedName:
    """Return `name` or `package/name` of *namespace*."""
    package, slash, own = name.rpartition("/")
    return QualifiedName(Namespace(namespace), package if slash else None, own)


def a_record(number: int = 0, *, start_ms: int = NOON_MS, **changes: Any) -> ActivationRecord:
    """Return a successful record whose id and billed time follow from *number*."""
    billed_ms = number % 1000
    usual: dict[str, Any] = {
        "activation_id": an_id(number, at_ms=start_ms),
        "namespace": Namespace("guest"),
        "subject": Subject("guest"),
        "action": an_action(),
        "version": "0.0.1",
        "kind": "python:3.11",
        "limits": Limits(),
        "start_ms": start_ms,
        "end_ms": start_ms + billed_ms,
        "duration_ms": billed_ms,
        "wait_ms": 3,
        "init_ms": None,
        "timed_out": False,
        "response": Response(status=Status.SUCCESS, result=b'{"ok":1}', size=8),
        "logs": ("2025-11-21T12:00:00.000000000Z stdout: hello",),
        "billed_ms": billed_ms,
        "memory_mb": 256,
    }
    return ActivationRecord(**(usual | changes))


def a_message(number: int = 0, **changes: Any) -> ActivationMessage:
    """Return the order to run `guest/hello` once."""
    usual: dict[str, Any] = {
        "activation_id": an_id(number),
        "transid": TransId("tid_1"),
        "controller": ControllerId(0),
        "namespace": Namespace("guest"),
        "subject": Subject("guest"),
        "action": an_action(),
        "rev": Rev("1-abc"),
        "version": "0.0.1",
        "payload": b'{"name":"World"}',
        "received_ms": NOON_MS,
        "memory_mb": 256,
        "blocking": False,
    }
    return ActivationMessage(**(usual | changes))


def a_completion(number: int = 0) -> Completion:
    """Return the answer to `a_message(number)`."""
    record = a_record(number)
    return Completion(
        activation_id=record.activation_id,
        transid=TransId("tid_1"),
        invoker=InvokerId(0),
        record=record,
    )


_NAMES = st.text("abcXYZ019_@ .&-", min_size=1, max_size=12).map(lambda text: f"n{text}n")
_ACTIONS = st.builds(QualifiedName, _NAMES.map(Namespace), st.none() | _NAMES, _NAMES)
_LIMITS = st.builds(
    Limits,
    timeout_ms=st.integers(100, 300_000),
    memory_mb=st.integers(128, 2048),
    logs_mb=st.integers(0, 10),
    concurrency=st.integers(1, 500),
    instances=st.none() | st.integers(0, 100),
)
_IDS = st.builds(activation_id, st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 74) - 1))
_TIMES = st.integers(0, 1 << 45)
JSON_TEXTS = st.sampled_from(
    [
        b"{}",
        b"[]",
        b'{"n": 123456789012345678901234567890}',
        b'{"x":1.0,"x":1e5}',
        b'{"a":"}}","response":{"result":",\\"response\\":{"}}',
        b'{"payload":1,"payload_bytes":7}',
        b'{\n "lines": [1,\n2]\n}',
        '{"é":"\\u00e9 ☃"}'.encode(),
    ]
)
"""What users send and code answers: big integers, odd spacing, doubled keys, our own words."""

RECORDS = st.builds(
    ActivationRecord,
    activation_id=_IDS,
    namespace=_NAMES.map(Namespace),
    subject=st.text().map(Subject),
    action=_ACTIONS,
    version=st.just("0.0.12"),
    kind=st.sampled_from(["python:3.11", "nodejs:20", "blackbox", "unknown"]),
    limits=st.none() | _LIMITS,
    start_ms=_TIMES,
    end_ms=_TIMES,
    duration_ms=_TIMES,
    wait_ms=_TIMES,
    init_ms=st.none() | _TIMES,
    timed_out=st.booleans(),
    response=st.builds(
        Response,
        status=st.sampled_from(Status),
        result=JSON_TEXTS,
        size=st.none() | st.integers(0, 1 << 20),
    ),
    logs=st.lists(st.text() | st.just(',"response":{"result":')).map(tuple),
    billed_ms=_TIMES,
    memory_mb=st.integers(128, 2048),
    cause=st.none() | _IDS,
)
"""Any record."""

MESSAGES = st.builds(
    ActivationMessage,
    activation_id=_IDS,
    transid=st.text().map(TransId),
    controller=st.integers(0, 99).map(ControllerId),
    namespace=_NAMES.map(Namespace),
    subject=st.text().map(Subject),
    action=_ACTIONS,
    rev=st.text().map(Rev),
    version=st.just("0.0.12"),
    payload=JSON_TEXTS,
    init_env=st.dictionaries(st.text() | st.just("payload"), st.text()),
    received_ms=_TIMES,
    memory_mb=st.integers(128, 2048),
    blocking=st.booleans(),
    api_key=st.none() | st.text(),
    cause=st.none() | _IDS,
    uuid=st.text(),
    payload_ref=st.none() | st.builds(BlobRef, st.text(), st.integers(0, 1 << 40)),
    init_env_ref=st.none() | st.builds(BlobRef, st.text(), st.integers(0, 1 << 40)),
)
"""Any message to an invoker."""


def a_ping(number: int = 0) -> Ping:
    """Return a sign of life of invoker *number*."""
    return Ping(invoker=InvokerId(number), memory_mb=1024, is_taking=True, ended=0)
