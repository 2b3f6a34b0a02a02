"""What a runtime's reply means for the activation. Values in, values out.

Every row of OpenWhisk's table (`ActivationResult.scala`) is a branch here: the status, the words
that its clients compare, and whether the sandbox may serve again. It may after a success and after
an error that the code itself reported; anything else leaves it in an unknown state.
"""

from typing import Final

from common.codec import MalformedJson, decode, encode
from common.entity.activation import Response, Status
from invoker.driver.port import Answer, Died, Expired, Reply

HTTP_OK: Final = 200
NS_PER_MS: Final = 1_000_000

ABNORMAL_INIT: Final = "The action did not initialize and exited unexpectedly."
ABNORMAL_RUN: Final = "The action did not produce a valid response and exited unexpectedly."
MEMORY_EXHAUSTED: Final = "The action exhausted its memory and was aborted."
NO_RESOURCES: Final = "Failed to provision resources to run the action."
ACTION_REMOVED: Final = "Action could not be found or may have been deleted."
ACTION_NOT_FETCHED: Final = "Action could not be fetched."
ARGUMENTS_NOT_FETCHED: Final = "The arguments of the activation could not be fetched."
INTERRUPTED: Final = (
    "The platform stopped while this activation was running. It is not run a second time."
)


RESULT_NOT_STORED: Final = (
    "The result is too large for the message bus, and this namespace does not store activations."
)

_LOST: Final = "The {} stopped while this activation was running. It is not run a second time."
_INVALID_INIT: Final = "The action failed during initialization"
_INVALID_RUN: Final = "The action did not produce a valid JSON or JSON Array response"


def failure(status: Status, text: str, size: int | None = None) -> Response:
    """Return a response that the platform words itself.

    size: of the runtime's answer in characters, where there was one.
    """
    return Response(status=status, result=encode({"error": text}), size=size)


def timed_out_text(timeout_ms: int, *, during_init: bool) -> str:
    """Return what a caller reads when the time limit was reached."""
    phase = " during initialization" * during_init
    return f"The action exceeded its time limits of {timeout_ms} milliseconds{phase}."


def lost_text(holder: str) -> str:
    """Return what a caller reads when what held the sandbox went away under it."""
    return _LOST.format(holder)


def is_late(reply: Reply, *, elapsed_ns: int, timeout_ms: int) -> bool:
    """Tell whether the time limit was reached: an answer that came too late is no answer."""
    return isinstance(reply, Expired) or elapsed_ns >= timeout_ms * NS_PER_MS


def of_init(reply: Reply, *, late: bool, timeout_ms: int) -> Response | None:
    """Return why the code could not be loaded, or None when it was."""
    match reply:
        case Answer(status=200, is_truncated=False) if not late:
            return None
        case Answer(memory_exhausted=True) | Died(memory_exhausted=True):
            return failure(Status.DEVELOPER_ERROR, MEMORY_EXHAUSTED)
        case Died(lost_with=str(holder)):
            return failure(Status.WHISK_ERROR, lost_text(holder))
        case _ if late:
            text = timed_out_text(timeout_ms, during_init=True)
            return failure(Status.DEVELOPER_ERROR, text)
        case Answer() as answer if answer.is_truncated:
            return failure(Status.DEVELOPER_ERROR, _truncated_text(answer), answer.size)
        case Answer() as answer:
            return _developer_error(answer, _INVALID_INIT)
        case _:
            return failure(Status.DEVELOPER_ERROR, ABNORMAL_INIT)


def of_run(reply: Reply, *, late: bool, timeout_ms: int) -> Response:
    """Return what the activation answered."""
    match reply:
        case Answer(memory_exhausted=True) | Died(memory_exhausted=True):
            return failure(Status.DEVELOPER_ERROR, MEMORY_EXHAUSTED)
        case Died(lost_with=str(holder)):
            return failure(Status.WHISK_ERROR, lost_text(holder))
        case _ if late:
            text = timed_out_text(timeout_ms, during_init=False)
            return failure(Status.DEVELOPER_ERROR, text)
        case Answer() as answer if answer.is_truncated:
            return failure(Status.APPLICATION_ERROR, _truncated_text(answer), answer.size)
        case Answer() as answer:
            return _answered(answer)
        case _:
            return failure(Status.DEVELOPER_ERROR, ABNORMAL_RUN)


def keeps_sandbox(response: Response) -> bool:
    """Tell whether the sandbox may serve again after *response*."""
    return response.status in (Status.SUCCESS, Status.APPLICATION_ERROR)


def is_at_fault(response: Response) -> bool:
    """Tell whether the invoker is to blame: not the code, not the store, not an earlier crash."""
    return response.status is Status.WHISK_ERROR and response not in _BLAMELESS


def _answered(answer: Answer) -> Response:
    if answer.status != HTTP_OK:
        return _developer_error(answer, _INVALID_RUN)
    size = _characters(answer.body)
    try:
        result = decode(answer.body)
    except MalformedJson:
        return failure(Status.DEVELOPER_ERROR, _with_body(_INVALID_RUN, answer), size)
    if isinstance(result, dict) and "error" in result:
        body = encode({"error": result["error"]})
        return Response(status=Status.APPLICATION_ERROR, result=body, size=size)
    if isinstance(result, dict | list):
        return Response(status=Status.SUCCESS, result=answer.body, size=size)
    return failure(Status.DEVELOPER_ERROR, _with_body(_INVALID_RUN, answer), size)


def _developer_error(answer: Answer, text: str) -> Response:
    """Return the `error` of the answer, or *text* with the whole answer in it."""
    size = _characters(answer.body)
    try:
        body = decode(answer.body)
    except MalformedJson:
        body = None
    if isinstance(body, dict) and "error" in body:
        result = encode({"error": body["error"]})
        return Response(status=Status.DEVELOPER_ERROR, result=result, size=size)
    return failure(Status.DEVELOPER_ERROR, _with_body(text, answer), size)


def _with_body(text: str, answer: Answer) -> str:
    body = answer.body.decode(errors="replace")
    return f"{text}: {body}" if body else f"{text}."


def _truncated_text(answer: Answer) -> str:
    head = answer.body.decode(errors="replace")
    return (
        f"The action produced a response that exceeded the allowed length: {answer.size} > "
        f"{len(answer.body)} bytes. The truncated response was: {head}"
    )


def _characters(body: bytes) -> int:
    return len(body) if body.isascii() else len(body.decode(errors="replace"))


_BLAMELESS: Final = [
    failure(Status.WHISK_ERROR, text)
    for text in (ACTION_NOT_FETCHED, ARGUMENTS_NOT_FETCHED, INTERRUPTED)
]
