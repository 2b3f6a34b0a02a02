"""Messages as bytes: nothing lost, nothing parsed that is only passed on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.entity.activation import ActivationRecord
from common.entity.names import QualifiedName
from common.ids import ActivationId, ControllerId, InvokerId, Namespace, Rev, TransId
from common.message import encoding
from common.message.activation import ActivationMessage
from common.message.completion import Completion
from common.message.encoding import MalformedMessage
from common.message.hint import Hint
from common.message.watching import News, Watch
from tests.fakes.records import MESSAGES, RECORDS, a_message


@given(MESSAGES)
def test_an_activation_message_comes_back_as_it_was(message: ActivationMessage) -> None:
    assert encoding.decode(encoding.encode(message)) == message


@given(RECORDS, st.booleans())
def test_a_completion_comes_back_as_it_was(record: ActivationRecord, result_is_apart: bool) -> None:
    completion = Completion(
        activation_id=record.activation_id,
        transid=TransId("tid"),
        invoker=InvokerId(3),
        record=record,
        is_at_fault=record.duration_ms % 2 == 1,
        result_is_apart=result_is_apart,
    )

    assert encoding.decode(encoding.encode(completion)) == completion


@given(MESSAGES)
def test_a_message_is_one_json_object(message: ActivationMessage) -> None:
    assert json.loads(encoding.encode(message))["activation_id"] == message.activation_id


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b'{"record_bytes":2,"record":{},"transid":"t"}',
        b'{"letter_bytes":2,"letter":{},"transid":"t"}',
        b'{"payload_bytes":x,"payload":{}}',
        encoding.encode(a_message())[:-1],
        encoding.encode(a_message()).replace(b'_bytes":16', b'_bytes":15'),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        encoding.decode(data)


def test_a_message_of_an_older_release_is_read() -> None:
    older = json.loads(encoding.encode(a_message()))
    del older["payload_ref"], older["init_env_ref"]
    written = json.dumps(older, separators=(",", ":")).encode()

    assert encoding.decode(written) == a_message()


def test_a_refusal_does_not_quote_a_key() -> None:
    secret = "uuid:very-secret"
    data = encoding.encode(a_message(api_key=secret)).replace(b'"rev":"1-abc"', b'"rev":')

    with pytest.raises(MalformedMessage) as refusal:
        encoding.decode(data)

    assert secret not in str(refusal.value)


@pytest.mark.parametrize("package", [None, "p"])
def test_a_hint_comes_back_as_it_was(package: str | None) -> None:
    hint = Hint(
        namespace=Namespace("guest"),
        action=QualifiedName(Namespace("other"), package, "a"),
        rev=Rev("1-x"),
        kind="nodejs:20",
        memory_mb=512,
        is_cut_off=True,
    )
    assert encoding.decode(encoding.encode(hint)) == hint
    assert encoding.key(hint) == hint.action.doc_id


def test_what_controllers_say_of_followers_comes_back_as_it_was() -> None:
    watch = Watch(controller=ControllerId(3), namespaces=(Namespace("guest"), Namespace("ä")))
    news = News(
        controller=ControllerId(3),
        namespace=Namespace("guest"),
        activation_id=ActivationId("a" * 32),
        listed_as="p/a",
        end_ms=5,
    )
    for message in (watch, news):
        assert encoding.decode(encoding.encode(message)) == message
    assert (encoding.key(watch), encoding.key(news)) == ("controller3", news.activation_id)
