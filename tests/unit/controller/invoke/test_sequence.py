"""What a sequence does next, row by row; and which sequences may be written."""

import pytest

from common.codec import encode
from common.entity.action import Action, Exec
from common.entity.activation import Response, Status
from common.entity.forms import parsed
from common.entity.names import QualifiedName
from common.errors import BriskError, ComponentNotFound, SequenceCyclic, SequenceTooLong
from common.ids import ActivationId, Namespace
from controller.invoke import sequence
from controller.invoke.sequence import Call, End, next_step

GIVEN = b'{"error":"of no interest","in":1}'
OK = Response(status=Status.SUCCESS, result=b'{"n":1}', size=7)
ARRAY = Response(status=Status.SUCCESS, result=b"[1,2]", size=5)


def failed(status: Status, text: str) -> Response:
    return Response(status=status, result=encode({"error": text}))


APPLICATION = failed(Status.APPLICATION_ERROR, "sorry")
DEVELOPER = failed(Status.DEVELOPER_ERROR, "crashed")
WHISK = failed(Status.WHISK_ERROR, "no room")
TOO_LONG = failed(Status.APPLICATION_ERROR, "Too many actions in the sequence.")
GONE = failed(Status.APPLICATION_ERROR, "Sequence component does not exist.")


@pytest.mark.parametrize(
    ("last", "is_over", "is_there", "run", "expected"),
    [
        (None, False, True, 0, Call(GIVEN)),
        (OK, False, True, 1, Call(b'{"n":1}')),
        (ARRAY, False, True, 1, Call(b"[1,2]")),
        (OK, True, False, 2, End(OK)),
        (OK, True, False, 3, End(OK)),  # the last one may be the last that may be
        (APPLICATION, False, True, 1, End(APPLICATION)),
        (DEVELOPER, False, True, 1, End(DEVELOPER)),
        (WHISK, False, True, 1, End(WHISK)),
        (APPLICATION, True, False, 1, End(APPLICATION)),
        (None, False, False, 0, End(GONE)),
        (OK, False, False, 1, End(GONE)),
        (OK, False, True, 2, Call(b'{"n":1}')),
        (OK, False, True, 3, End(TOO_LONG)),
        (OK, False, False, 3, End(TOO_LONG)),
    ],
)
def test_the_next_step_of_a_sequence(
    last: Response | None, *, is_over: bool, is_there: bool, run: int, expected: sequence.Next
) -> None:
    step = next_step(payload=GIVEN, last=last, is_over=is_over, is_there=is_there, run=run, limit=3)
    assert step == expected


def test_a_failure_of_the_platform_has_openwhisks_words() -> None:
    late = sequence.unanswered(ActivationId("abc"))
    assert late == failed(
        Status.WHISK_ERROR, "Timeout reached when retrieving activation abc for sequence component."
    )
    assert sequence.broken() == failed(Status.WHISK_ERROR, "Sequence failed.")


def named(path: str) -> QualifiedName:
    return parsed(path)


def test_a_component_is_in_a_package_or_in_none() -> None:
    assert named("/ns/a") == QualifiedName(Namespace("ns"), None, "a")
    assert named("/ns/p/a") == QualifiedName(Namespace("ns"), "p", "a")


STORED = {
    "/ns/a": (),
    "/ns/pair": ("/ns/a", "/ns/a"),
    "/ns/four": ("/ns/pair", "/ns/pair"),
    "/ns/broken": ("/ns/a", "/ns/missing"),
    "/ns/through": ("/ns/a", "/ns/around"),
    "/ns/around": ("/ns/s",),
    "/ns/s": ("/ns/a",),
    "/ns/foreign1": ("/ns/foreign2",),
    "/ns/foreign2": ("/ns/foreign1",),
}
"""Components by name; none makes an action that is code."""


def stored(name: QualifiedName) -> Action | None:
    components = STORED.get(str(name))
    if components is None:
        return None
    code = Exec(kind="sequence", components=components) if components else Exec(kind="python:3")
    return Action(name=name, exec=code)


def judge(components: tuple[str, ...], *, limit: int = 5) -> None:
    itself = named("/ns/s")
    known: dict[QualifiedName, Action | None] = {}
    reads = 0
    while missing := sequence.unknown_parts(itself, components, known):
        assert itself not in missing
        known |= {name: stored(name) for name in missing}
        reads += 1
        assert reads < 9, "it never ends"
    sequence.check(itself, components, known, limit=limit)


@pytest.mark.parametrize(
    ("components", "error"),
    [
        (("/ns/a",), None),
        (("/ns/a",) * 5, None),
        (("/ns/a",) * 6, SequenceTooLong),
        (("/ns/four", "/ns/a"), None),
        (("/ns/four", "/ns/pair"), SequenceTooLong),
        (("/ns/missing",), ComponentNotFound),
        (("/ns/a", "/ns/missing"), ComponentNotFound),
        (("/ns/broken",), None),  # a part of a part may come back until it is run
        (("/ns/s",), SequenceCyclic),  # also before it exists
        (("/ns/a", "/ns/s"), SequenceCyclic),
        (("/ns/through",), SequenceCyclic),
        (("/ns/foreign1",), SequenceCyclic),
        (("/ns/s", "/ns/missing"), ComponentNotFound),
    ],
)
def test_a_sequence_is_judged_before_it_is_written(
    components: tuple[str, ...], error: type[BriskError] | None
) -> None:
    if error is None:
        judge(components)
    else:
        with pytest.raises(error):
            judge(components)


def made(name: str, kind: str = "python:3.11", image: str | None = None) -> Action:
    return Action(name=named(f"/guest/{name}"), exec=Exec(kind=kind, image=image))


@pytest.mark.parametrize(
    ("coming", "is_foretold"),
    [
        (made("b"), True),
        (made("a"), False),  # it has the sandbox that is busy now
        (made("b", "sequence"), False),
        (made("b", "blackbox", "somebody/image"), False),
        (None, False),
    ],
)
def test_which_step_is_foretold(coming: Action | None, is_foretold: bool) -> None:
    assert sequence.foreseen(made("a"), coming) == (coming if is_foretold else None)
