"""What answers of CouchDB mean, and that a record comes back from it letter for letter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.append_log import Segment
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.store import couch_faults as faults
from common.store.couch_bulk import named, sorted_rows
from common.store.couch_layout import shard_id, shard_of_id, shard_plan
from common.store.couch_records import Wire, apart_of, from_wire, to_wire, usage_of
from common.store.ledger import used
from common.store.port import Conflict, Denied, Missing, StoreError, StoreUnavailable
from common.store.shard import LAST_DAY, Shard
from common.store.waiting import Pending
from tests.couchfake.faults import LOCKED
from tests.fakes.records import RECORDS, a_record, an_id


def a_wire(record: ActivationRecord, largest_bytes: int = 1 << 20) -> Wire:
    document = activation_document.encode(record)
    return to_wire(Pending(record, document, 0, Segment.__new__(Segment)), largest_bytes)


@given(record=RECORDS)
def test_a_record_comes_back_as_it_was_however_its_result_is_written(
    record: ActivationRecord,
) -> None:
    wire = a_wire(record)
    kept = json.loads(wire.body) | {"_rev": "1-abc"}

    assert activation_document.decode(from_wire(kept)) == record
    assert apart_of(kept) is None
    assert usage_of(kept) == used(record)


@given(record=RECORDS)
def test_what_is_billed_stays_in_a_record_that_is_kept_apart(record: ActivationRecord) -> None:
    wire = a_wire(record, 0)
    kept = json.loads(wire.body)

    assert wire.apart is not None and activation_document.decode(wire.apart) == record
    assert usage_of(kept) == used(record)
    assert apart_of(kept)


@pytest.mark.parametrize(
    ("status", "error", "reason", "meaning"),
    [
        (401, "unauthorized", "Name or password is incorrect.", faults.WrongPassword),
        (401, "unauthorized", "You are not authorized to access this db.", faults.NotAllowed),
        (403, "forbidden", LOCKED, faults.Locked),
        (403, "forbidden", "You are not a server admin.", faults.NotAllowed),
        (404, "not_found", "missing", Missing),
        (404, "not_found", "deleted", Missing),
        (404, "not_found", "Database does not exist.", faults.DatabaseMissing),
        (409, "conflict", "Document update conflict.", Conflict),
        (412, "file_exists", "The file already exists.", Conflict),
        (413, "document_too_large", "guest/a", faults.TooLarge),
        (400, "doc_validation", "Bad special document member: _x", faults.Invalid),
        (429, "too_many_requests", "", faults.Ambiguous),
        (500, "internal_server_error", "No DB shards could be opened.", faults.Ambiguous),
        (500, "timeout", "The request could not be processed in time.", faults.Ambiguous),
        (503, "all_workers_died", "", faults.Ambiguous),
        (500, "badmatch", "{error,enospc}", faults.Ambiguous),
        (507, "insufficient_storage", "enospc", faults.Ambiguous),
        (405, "method_not_allowed", "Only GET allowed", faults.Invalid),
    ],
)
def test_each_answer_has_one_meaning(
    status: int, error: str, reason: str, meaning: type[StoreError]
) -> None:
    found = faults.error_of(status, json.dumps({"error": error, "reason": reason}).encode())

    assert type(found) is meaning
    assert found.retryable == isinstance(found, StoreUnavailable | Denied)


@pytest.mark.parametrize("status", [400, 404, 405, 502])
def test_what_is_not_said_by_couchdb_says_nothing_of_a_document(status: int) -> None:
    assert isinstance(faults.error_of(status, b"<html>nginx"), faults.Ambiguous)


def test_a_body_that_a_proxy_finds_too_large_is_too_large() -> None:
    assert isinstance(faults.error_of(413, b"<html>nginx"), faults.TooLarge)


@pytest.mark.parametrize("reason", ["Name or password is incorrect.", LOCKED])
def test_who_is_not_let_in_reads_which_settings_to_look_at(reason: str) -> None:
    said = str(faults.error_of(403, json.dumps({"error": "forbidden", "reason": reason}).encode()))
    assert reason in said
    assert "BRISK_COUCHDB__USER and BRISK_COUCHDB__PASSWORD" in said


@given(failures=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_pauses_double_up_to_two_seconds(failures: int, jitter: float) -> None:
    longest = faults.pause_s(failures, 1.0)

    assert longest == min(0.05 * 2 ** min(failures - 1, 10), 2.0)
    assert 0 <= faults.pause_s(failures, jitter) <= longest


def test_rows_are_sorted_by_what_became_of_them() -> None:
    wires = [a_wire(a_record(number)) for number in range(4)]
    rows = [{"ok": True}, {"error": "conflict"}, {"error": "forbidden"}, {"error": "timeout"}]

    assert sorted_rows(wires, rows) == (
        [wires[0]], [wires[1]], [wires[2]], [wires[3]], "timeout",
    )  # fmt: skip
    assert named(wires, f"guest/{an_id(2)}") == 2
    assert named(wires, "the server said something else") is None
    odd_answers: list[object] = [[], {}, rows[:3], None]
    for odd in odd_answers:
        with pytest.raises(faults.Ambiguous):
            sorted_rows(wires, odd)


@given(shard=st.builds(Shard, st.integers(0, LAST_DAY), st.booleans()))
def test_a_place_has_a_database_and_a_document_that_name_it(shard: Shard) -> None:
    assert shard_of_id(shard_id(shard)) == shard
    assert shard_plan("brisk_", shard, None).name == f"brisk_act_{shard.text}"
    for other in (f"{shard_id(shard)}x", shard.text, f"lease/{shard.text}"):
        assert shard_of_id(other) is None
