"""Every row of the table of outcomes: what a runtime did, and what a client reads."""

import pytest

from common.codec import decode
from common.entity.activation import Status
from invoker import outcome
from invoker.driver.port import Answer, Died, Expired, Reply


def answer(body: bytes, status: int = 200) -> Answer:
    return Answer(status, body, len(body))


INIT = "The action failed during initialization"
RUN = "The action did not produce a valid JSON or JSON Array response"
TOO_LONG = (
    "The action produced a response that exceeded the allowed length: 9 > 4 bytes. "
    "The truncated response was: abcd"
)
OOM = "The action exhausted its memory and was aborted."


@pytest.mark.parametrize("body", [b"", b"OK", b'{"ok":true}\n', b'{"error":"ignored"}'])
def test_an_init_that_answers_200_succeeds_whatever_it_says(body: bytes) -> None:
    assert outcome.of_init(answer(body), late=False, timeout_ms=1000) is None


@pytest.mark.parametrize(
    ("reply", "late", "text", "size"),
    [
        (answer(b'{"error":"no main"}', 403), False, "no main", 19),
        (answer(b'{"error":{"deep":[1]}}', 502), False, {"deep": [1]}, 22),
        (answer(b'{"x":1}', 502), False, f'{INIT}: {{"x":1}}', 7),
        (answer(b"oops", 500), False, f"{INIT}: oops", 4),
        (answer(b"", 500), False, f"{INIT}.", 0),
        (Answer(200, b"abcd", 9), False, TOO_LONG, 9),
        (Answer(502, b"", 0, memory_exhausted=True), False, OOM, None),
        (Died("signal 9", memory_exhausted=True), False, OOM, None),
        (Died("exit 1"), False, outcome.ABNORMAL_INIT, None),
        (Died("exit 1"), True, outcome.timed_out_text(1000, during_init=True), None),
        (Expired(), True, outcome.timed_out_text(1000, during_init=True), None),
        (answer(b"{}"), True, outcome.timed_out_text(1000, during_init=True), None),
    ],
)
def test_a_failed_init_is_a_developer_error(
    reply: Reply, late: bool, text: object, size: int | None
) -> None:
    response = outcome.of_init(reply, late=late, timeout_ms=1000)
    assert response is not None
    assert (response.status, response.size) == (Status.DEVELOPER_ERROR, size)
    assert decode(response.result) == {"error": text}
    assert not outcome.keeps_sandbox(response)


@pytest.mark.parametrize(
    ("reply", "late", "status", "result", "size"),
    [
        (answer(b'{"a": 1}'), False, Status.SUCCESS, {"a": 1}, 8),
        (answer('{"é":"☃"}'.encode()), False, Status.SUCCESS, {"é": "☃"}, 9),
        (answer(b"[1, 2]"), False, Status.SUCCESS, [1, 2], 6),
        (answer(b'{"error":0,"x":1}'), False, Status.APPLICATION_ERROR, {"error": 0}, 17),
        (answer(b'{"error":"e","x":1}', 502), False, Status.DEVELOPER_ERROR, {"error": "e"}, 19),
        (answer(b"[1]", 502), False, Status.DEVELOPER_ERROR, {"error": f"{RUN}: [1]"}, 3),
        (answer(b"{}", 400), False, Status.DEVELOPER_ERROR, {"error": f"{RUN}: {{}}"}, 2),
        (answer(b"", 400), False, Status.DEVELOPER_ERROR, {"error": f"{RUN}."}, 0),
        (answer(b"null"), False, Status.DEVELOPER_ERROR, {"error": f"{RUN}: null"}, 4),
        (answer(b"'x'"), False, Status.DEVELOPER_ERROR, {"error": f"{RUN}: 'x'"}, 3),
        (answer(b'{"a":NaN}'), False, Status.DEVELOPER_ERROR, {"error": RUN + ': {"a":NaN}'}, 9),
        (Answer(200, b"abcd", 9), False, Status.APPLICATION_ERROR, {"error": TOO_LONG}, 9),
        (Died("exit 1"), False, Status.DEVELOPER_ERROR, {"error": outcome.ABNORMAL_RUN}, None),
        (Died("x", memory_exhausted=True), True, Status.DEVELOPER_ERROR, {"error": OOM}, None),
    ],
)
def test_what_a_run_comes_to(
    reply: Reply, late: bool, status: Status, result: object, size: int | None
) -> None:
    response = outcome.of_run(reply, late=late, timeout_ms=1000)
    assert (response.status, decode(response.result), response.size) == (status, result, size)


def test_an_answer_that_came_too_late_is_no_answer() -> None:
    assert outcome.is_late(answer(b"{}"), elapsed_ns=1_000_000_000, timeout_ms=1000)
    assert not outcome.is_late(answer(b"{}"), elapsed_ns=999_999_999, timeout_ms=1000)
    response = outcome.of_run(answer(b"{}"), late=True, timeout_ms=1000)
    text = "The action exceeded its time limits of 1000 milliseconds."
    assert decode(response.result) == {"error": text}


def test_a_successful_result_is_passed_on_byte_for_byte() -> None:
    body = b'{"big": 123456789012345678901234567890, "n": 1.50}'
    assert outcome.of_run(answer(body), late=False, timeout_ms=1).result == body


def test_the_sandbox_stays_after_an_error_that_the_code_reported() -> None:
    response = outcome.of_run(answer(b'{"error":1}'), late=False, timeout_ms=1)
    assert outcome.keeps_sandbox(response)


@pytest.mark.parametrize(
    ("status", "text", "is_at_fault"),
    [
        (Status.WHISK_ERROR, outcome.NO_RESOURCES, True),
        (Status.WHISK_ERROR, outcome.ABNORMAL_RUN, True),
        (Status.WHISK_ERROR, outcome.ACTION_NOT_FETCHED, False),
        (Status.WHISK_ERROR, outcome.INTERRUPTED, False),
        (Status.DEVELOPER_ERROR, outcome.ABNORMAL_RUN, False),
    ],
)
def test_an_invoker_is_not_blamed_for_what_others_failed_to_do(
    status: Status, text: str, is_at_fault: bool
) -> None:
    assert outcome.is_at_fault(outcome.failure(status, text)) is is_at_fault


def test_what_is_lost_with_its_engine_is_nobodys_mistake_and_costs_nothing() -> None:
    lost = Died("signal 9", lost_with="container engine")
    for response in (
        outcome.of_init(lost, late=False, timeout_ms=1000),
        outcome.of_run(lost, late=True, timeout_ms=1000),
    ):
        assert response is not None
        assert response.status is Status.WHISK_ERROR
        assert decode(response.result) == {"error": outcome.lost_text("container engine")}
        assert not outcome.keeps_sandbox(response)
