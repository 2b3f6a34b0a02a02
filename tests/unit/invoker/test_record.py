"""What of an activation is stored."""

from dataclasses import replace

from common.entity.activation import Response, Status
from invoker import record
from tests.fakes.records import a_record


def test_a_namespace_that_stores_nothing_keeps_what_is_billed_and_how_it_ended() -> None:
    response = Response(status=Status.APPLICATION_ERROR, result=b'{"error":"said"}', size=16)
    ended = a_record(1, response=response, logs=("a line",), billed_ms=7)
    assert record.kept(ended, stores=True) is ended

    kept = record.kept(ended, stores=False)
    bare = Response(status=Status.APPLICATION_ERROR, result=b"{}")
    assert kept == replace(ended, response=bare, logs=())
    assert (kept.billed_ms, kept.memory_mb) == (ended.billed_ms, ended.memory_mb)
