"""The protocol between a composition and the action that conducts it. Values in, values out.

The conductor answers with what is to come: `action` (a name), `params` for it, and `state` that it
wants back. Then that action runs, and the conductor is asked again, with what it answered and the
state. Without `action` the composition is over. What cannot be done is told to the conductor as an
error that it may handle; only when the platform itself fails, or the conductor is asked too often,
is the composition broken off.

What may follow on what is the table `MOVES`. The state is the one that the conductor gave last.

Source: OpenWhisk's `PrimitiveActions.scala`, `invokeComposition` and what it calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from common.codec import decode, encode
from common.entity.action import Json
from common.entity.activation import Response, Status
from common.entity.names import QualifiedName, is_legal
from common.ids import ActivationId, Namespace
from common.machine import InvalidTransition, Move

OWN: Final = "_"
TOO_LONG: Final = "Too many actions in the composition."
FAILED: Final = "Activation failure during composition."
UNANSWERED: Final = "Timeout reached when retrieving activation {id} during composition."
INVALID: Final = "Failed to parse action name from json value {json} during composition."
NOT_FOUND: Final = "Failed to resolve action with name '{name}' during composition."
NOT_OPEN: Final = "Failed entitlement check for action with name '{name}' during composition."


@dataclass(frozen=True, slots=True)
class Counts:
    """What was begun, in the composition and in those that it calls: they share the limits."""

    components: int = 0
    conductors: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the whole composition."""

    namespace: Namespace
    """Who invokes; names without a namespace are looked for there."""
    limit: int
    """How many components may run; conductors one more than twice as often."""


class Stage(Enum):
    """What a composition waits for."""

    NEW = auto()
    CONDUCTING = auto()
    LOOKING_UP = auto()
    WORKING = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Composition:
    """Where a composition stands, beside its counts."""

    state: dict[str, Json] = field(default_factory=dict)
    params: bytes | None = None
    """For the component that is looked up."""
    stage: Stage = Stage.NEW


class Why(Enum):
    """Why a component cannot be called."""

    NOT_FOUND = NOT_FOUND
    NOT_OPEN = NOT_OPEN


@dataclass(frozen=True, slots=True)
class Begun:
    """Somebody invoked the composition with *payload*: JSON, or None."""

    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Conducted:
    """The conductor ended."""

    response: Response


@dataclass(frozen=True, slots=True)
class Found:
    """The component is there, and may be called."""

    is_composition: bool


@dataclass(frozen=True, slots=True)
class Unusable:
    """The component *name* may not be called."""

    name: QualifiedName
    why: Why


@dataclass(frozen=True, slots=True)
class Worked:
    """The component ended."""

    response: Response


@dataclass(frozen=True, slots=True)
class Overdue:
    """The conductor or the component did not answer in time."""

    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class Failed:
    """The conductor or the component could not be invoked."""


Event: TypeAlias = Begun | Conducted | Found | Unusable | Worked | Overdue | Failed


@dataclass(frozen=True, slots=True)
class Conduct:
    """Invoke the conductor with *payload*; None is none."""

    payload: bytes | None


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out whether *name* may be called."""

    name: QualifiedName


@dataclass(frozen=True, slots=True)
class Work:
    """Invoke the component that was found with *payload*; None is none."""

    payload: bytes | None


@dataclass(frozen=True, slots=True)
class End:
    """The composition is over."""

    response: Response


Command: TypeAlias = Conduct | LookUp | Work | End

_TOLD: Final = "with the error that says why"
_TOO_OFTEN: Final = "it would be asked once too often"
_OVER: Final = Move[Stage, type[Command]](Stage.ENDED, End)

MOVES: Final[Mapping[tuple[Stage, type[Event]], tuple[Move[Stage, type[Command]], ...]]] = {
    (Stage.NEW, Begun): (Move(Stage.CONDUCTING, Conduct, "with the caller's payload"),),
    (Stage.CONDUCTING, Conducted): (
        Move(Stage.LOOKING_UP, LookUp, "it names an action"),
        Move(Stage.CONDUCTING, Conduct, "what it names is none, or one too many: it is told"),
        Move(Stage.ENDED, End, "it names none, or would be asked once too often"),
    ),
    (Stage.CONDUCTING, Overdue): (_OVER,),
    (Stage.CONDUCTING, Failed): (_OVER,),
    (Stage.LOOKING_UP, Found): (
        Move(Stage.WORKING, Work, "it is counted; a composition counts by its conductor"),
    ),
    (Stage.LOOKING_UP, Unusable): (
        Move(Stage.CONDUCTING, Conduct, _TOLD),
        Move(Stage.ENDED, End, _TOO_OFTEN),
    ),
    (Stage.LOOKING_UP, Failed): (_OVER,),
    (Stage.WORKING, Worked): (
        Move(Stage.CONDUCTING, Conduct, "with the result"),
        Move(Stage.ENDED, End, _TOO_OFTEN),
    ),
    (Stage.WORKING, Overdue): (_OVER,),
    (Stage.WORKING, Failed): (_OVER,),
}
"""What may be done about what happened; which of it, is decided by what was said."""


def step(
    composition: Composition, counts: Counts, event: Event, rules: Rules
) -> tuple[Composition, Counts, Command]:
    """Return what *event* makes of *composition*, and what is to be done.

    Raises `InvalidTransition` for what is not in the table.
    """
    after, counts, command = _decide(composition, counts, event, rules)
    for move in MOVES.get((composition.stage, type(event)), ()):
        if move.do is type(command):
            return replace(after, stage=move.to), counts, command
    raise InvalidTransition(f"{event} and {command} do not fit {composition.stage}")


def _decide(
    composition: Composition, counts: Counts, event: Event, rules: Rules
) -> tuple[Composition, Counts, Command]:
    match event:
        case Begun(payload):
            return _conduct(composition, counts, _object(payload), rules)
        case Conducted(response):
            return _obey(composition, counts, response, rules)
        case Found(is_composition):
            begun = counts.components + (not is_composition)
            return (
                replace(composition, params=None),
                replace(counts, components=begun),
                Work(composition.params),
            )
        case Unusable(name, why):
            return _tell(composition, counts, why.value.format(name=name.doc_id), rules)
        case Worked(response):
            result = decode(response.result)
            if not isinstance(result, dict):
                return composition, counts, End(broken())
            return _conduct(composition, counts, result, rules)
        case Overdue(activation_id):
            text = UNANSWERED.format(id=activation_id)
            return composition, counts, End(_failed(Status.WHISK_ERROR, text))
        case Failed():
            return composition, counts, End(broken())


def broken() -> Response:
    """Return how a composition ends when the platform fails it."""
    return _failed(Status.WHISK_ERROR, FAILED)


def component(given: Json, namespace: Namespace) -> QualifiedName | None:
    """Return which action a conductor means by *given*; None when that is no name.

    `a` and `p/a` are in *namespace*, as are `/_/a` and `/_/p/a`; three segments begin with their
    namespace; a leading slash says that it is there in any case.
    """
    if not isinstance(given, str):
        return None
    segments = given.removeprefix("/").split("/")
    is_absolute = given.startswith("/") or len(segments) == 3
    if is_absolute:
        segments = [namespace if segments[0] == OWN else segments[0], *segments[1:]]
    else:
        segments = [namespace, *segments]
    if len(segments) not in (2, 3) or not all(map(is_legal, segments)):
        return None
    *path, name = segments
    return QualifiedName(Namespace(path[0]), path[1] if path[1:] else None, name)


def _conduct(
    composition: Composition, counts: Counts, payload: dict[str, Json] | None, rules: Rules
) -> tuple[Composition, Counts, Command]:
    if counts.conductors > 2 * rules.limit:
        return composition, counts, End(_failed(Status.APPLICATION_ERROR, TOO_LONG))
    given = (payload or {}) | composition.state
    command = Conduct(encode(given) if given or payload is not None else None)
    return composition, replace(counts, conductors=counts.conductors + 1), command


def _tell(
    composition: Composition, counts: Counts, text: str, rules: Rules
) -> tuple[Composition, Counts, Command]:
    return _conduct(replace(composition, params=None), counts, {"error": text}, rules)


def _obey(
    composition: Composition, counts: Counts, response: Response, rules: Rules
) -> tuple[Composition, Counts, Command]:
    """Do what the conductor says."""
    said = decode(response.result)
    if not isinstance(said, dict):
        return composition, counts, End(broken())
    params = _wrapped(said, "params", "value")
    if "action" not in said:
        result = response.result if params is None else encode(params)
        return composition, counts, End(Response(status=response.status, result=result))
    composition = Composition(
        state=_wrapped(said, "state", "state") or {},
        params=None if params is None else encode(params),
    )
    name = component(said["action"], rules.namespace)
    if name is None:
        text = INVALID.format(json=encode(said["action"]).decode())
        return _tell(composition, counts, text, rules)
    if counts.components >= rules.limit:
        return _tell(composition, counts, TOO_LONG, rules)
    return composition, counts, LookUp(name)


def _wrapped(said: dict[str, Json], key: str, wrapper: str) -> dict[str, Json] | None:
    """Return the object under *key*; what is no object is put into one."""
    if key not in said:
        return None
    value = said[key]
    return value if isinstance(value, dict) else {wrapper: value}


def _object(payload: bytes | None) -> dict[str, Json] | None:
    value: Any = None if payload is None else decode(payload)
    return value if isinstance(value, dict) else None


def _failed(status: Status, text: str) -> Response:
    return Response(status=status, result=encode({"error": text}))
