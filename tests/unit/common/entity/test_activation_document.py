"""The stored form of a record: OpenWhisk's fields, and nothing lost."""

import json

import pytest
from hypothesis import given

from common.entity import activation_document
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.activation_document import MalformedRecord
from tests.fakes.records import NOON_MS, RECORDS, a_record, an_action, an_id


@given(RECORDS)
def test_a_record_comes_back_as_it_was(record: ActivationRecord) -> None:
    assert activation_document.decode(activation_document.encode(record)) == record


@given(RECORDS)
def test_the_document_is_json_in_openwhisks_form(record: ActivationRecord) -> None:
    document = json.loads(activation_document.encode(record))

    assert document["_id"] == f"{record.namespace}/{record.activation_id}"
    assert document["entityType"] == "activation"
    assert document["response"]["statusCode"] == record.response.status
    assert document["response"]["result"] == json.loads(record.response.result)
    assert document["brisk"] == {"billed_ms": record.billed_ms, "memory_mb": record.memory_mb}


def test_a_cold_start_in_a_sequence_has_every_annotation() -> None:
    record = a_record(7, action=an_action("pkg/hello", "provider"), init_ms=38, cause=an_id(1))

    document = json.loads(activation_document.encode(record))

    assert document["cause"] == an_id(1)
    assert document["name"] == "hello"
    assert document["updated"] == document["end"] == NOON_MS + 7
    assert document["annotations"] == [
        {"key": "path", "value": "provider/pkg/hello"},
        {"key": "kind", "value": "python:3.11"},
        {
            "key": "limits",
            "value": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1},
        },
        {"key": "waitTime", "value": 3},
        {"key": "initTime", "value": 38},
        {"key": "timeout", "value": False},
        {"key": "causedBy", "value": "sequence"},
    ]


def test_a_result_passes_byte_for_byte() -> None:
    result = b'{"n": 123456789012345678901234567890, "n": 1.0}'
    record = a_record(response=Response(status=Status.SUCCESS, result=result))

    document = activation_document.encode(record)

    assert result in document
    assert activation_document.decode(document).response.result == result


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"null",
        b'{"a":1,"response":{"statusCode":0,"result":{}}}',
        b'{"a":1,"response":{"statusCode":9,"result":{}}}',
        b'{"a":1,"response":{"statusCode":0,"result":{}',
        activation_document.encode(a_record())[7:],
        activation_document.encode(a_record()).replace(b'"brisk"', b'"frisk"'),
    ],
)
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedRecord):
        activation_document.decode(text)


def test_what_ran_is_known_to_its_namespace_by_the_binding_it_was_named_through() -> None:
    ran = an_action("provider/act", "other")
    assert a_record(action=ran).listed_as == "provider/act"
    assert a_record(action=an_action("act")).listed_as == "act"
    through = a_record(action=ran, binding=an_action("mine"))
    assert through.listed_as == "mine/act"
    assert activation_document.decode(activation_document.encode(through)) == through
