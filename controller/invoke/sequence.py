"""What a sequence does next, and whether one may be written. Values in, values out.

A component is given what the one before it answered. The first that fails ends the sequence with
its own answer; so does, with the platform's words, one that is gone, and one too many. Actions are
counted over the whole tree, inner sequences included. Source: OpenWhisk's `SequenceActions.scala`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from common.codec import encode
from common.entity.action import SEQUENCE, Action
from common.entity.activation import Response, Status
from common.entity.forms import parsed
from common.entity.names import QualifiedName
from common.errors import ComponentNotFound, SequenceCyclic, SequenceTooLong
from common.ids import ActivationId

FAILED: Final = "Sequence failed."
UNANSWERED: Final = "Timeout reached when retrieving activation {id} for sequence component."


@dataclass(frozen=True, slots=True)
class Call:
    """Invoke the next component with *payload*: JSON, an object or an array; None is none."""

    payload: bytes | None


@dataclass(frozen=True, slots=True)
class End:
    """The sequence is over."""

    response: Response


Next: TypeAlias = Call | End


def next_step(
    *,
    payload: bytes | None,
    last: Response | None,
    is_over: bool,
    is_there: bool,
    run: int,
    limit: int,
) -> Next:
    """Return what comes after *last*, which is None at the beginning.

    payload: what the sequence was given. Whether it has an `error` is of no interest.
    is_over: no component is left.
    is_there: the next component exists; of no meaning when none is left.
    run, limit: actions of the whole tree that were begun, and how many may be.
    """
    if last is not None and (last.status is not Status.SUCCESS or is_over):
        return End(last)
    if run >= limit:
        return End(_failed(Status.APPLICATION_ERROR, SequenceTooLong.words()))
    if not is_there:
        return End(_failed(Status.APPLICATION_ERROR, ComponentNotFound.words()))
    return Call(payload if last is None else last.result)


def foreseen(running: Action, coming: Action | None) -> Action | None:
    """Return *coming* if a sandbox may be made for it while *running* runs, else None.

    Not for a sequence, which has none, nor for the image of an action, which is never kept blank;
    and what runs now leaves its own sandbox to itself.
    """
    if coming is None or coming.exec.kind == SEQUENCE or coming.exec.image is not None:
        return None
    return None if coming.name == running.name else coming


def unanswered(activation_id: ActivationId) -> Response:
    """Return how a sequence ends whose component did not answer in time."""
    return _failed(Status.WHISK_ERROR, UNANSWERED.format(id=activation_id))


def broken() -> Response:
    """Return how a sequence ends whose component could not be invoked."""
    return _failed(Status.WHISK_ERROR, FAILED)


Known: TypeAlias = Mapping[QualifiedName, Action | None]
"""Actions by the name under which they are asked for; None where there is none."""


def unknown_parts(
    sequence: QualifiedName, components: tuple[str, ...], known: Known
) -> frozenset[QualifiedName]:
    """Return what must be read yet before `check` can judge; itself is not read.

    Grows by one level of nesting with each call, until it is empty.
    """
    return frozenset(name for name in _walk(sequence, components, known) if name not in known)


def check(
    sequence: QualifiedName, components: tuple[str, ...], known: Known, *, limit: int
) -> None:
    """Judge a *sequence* of *components* before it is written; all its parts are *known*.

    Raises: `ComponentNotFound` for one of its own components, `SequenceCyclic`, `SequenceTooLong`.
    """
    direct = [parsed(path) for path in components]
    # Its own name is compared before anything is looked for: it need not exist yet.
    if any(name != sequence and known[name] is None for name in direct):
        raise ComponentNotFound
    _count(sequence, components, known, _Budget(limit), frozenset())


@dataclass(slots=True)
class _Budget:
    left: int

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise SequenceTooLong


def _count(
    sequence: QualifiedName,
    components: tuple[str, ...],
    known: Known,
    budget: _Budget,
    above: frozenset[QualifiedName],
) -> None:
    for path in components:
        name = parsed(path)
        action = known.get(name)
        real = name if action is None else action.name
        # A circle that does not lead through this one was written by somebody else before.
        if sequence in (name, real) or real in above:
            raise SequenceCyclic
        if action is not None and action.exec.kind == SEQUENCE:
            _count(sequence, action.exec.components, known, budget, above | {real})
        else:
            budget.take()


def _walk(
    sequence: QualifiedName, components: tuple[str, ...], known: Known
) -> frozenset[QualifiedName]:
    found: set[QualifiedName] = set()
    waiting = list(components)
    while waiting:
        name = parsed(waiting.pop())
        if name == sequence or name in found:
            continue
        found.add(name)
        action = known.get(name)
        if action is not None and action.exec.kind == SEQUENCE:
            waiting += action.exec.components
    return frozenset(found)


def _failed(status: Status, text: str) -> Response:
    return Response(status=status, result=encode({"error": text}))
