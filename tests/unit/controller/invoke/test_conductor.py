"""The protocol of conductors, transition by transition."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.codec import decode, encode
from common.entity.activation import Response, Status
from common.entity.names import QualifiedName
from common.ids import ActivationId, Namespace
from common.machine import InvalidTransition
from controller.invoke import conductor
from controller.invoke.conductor import (
    Begun,
    Command,
    Composition,
    Conduct,
    Conducted,
    Counts,
    End,
    Event,
    Failed,
    Found,
    LookUp,
    Overdue,
    Rules,
    Stage,
    Unusable,
    Why,
    Work,
    Worked,
)

NS = Namespace("ns")
RULES = Rules(NS, limit=2)
A = QualifiedName(NS, None, "a")


AT = {
    Begun: Stage.NEW,
    Conducted: Stage.CONDUCTING,
    Found: Stage.LOOKING_UP,
    Unusable: Stage.LOOKING_UP,
    Worked: Stage.WORKING,
    Overdue: Stage.WORKING,
    Failed: Stage.CONDUCTING,
}
"""Where a composition stands when it hears this."""


def step(
    before: Composition, counts: Counts, event: Event, rules: Rules
) -> tuple[Composition, Counts, Command]:
    """Do a step of a composition that waits for *event*, and see that it stands where it must."""
    after, counts, command = conductor.step(
        replace(before, stage=AT[type(event)]), counts, event, rules
    )
    expected = {
        Conduct: Stage.CONDUCTING,
        LookUp: Stage.LOOKING_UP,
        Work: Stage.WORKING,
        End: Stage.ENDED,
    }
    assert after.stage is expected[type(command)]
    return replace(after, stage=Stage.NEW), counts, command


def answered(result: Any, status: Status = Status.SUCCESS) -> Response:
    return Response(status=status, result=encode(result), size=1)


def over(result: Any, status: Status = Status.SUCCESS) -> End:
    return End(Response(status=status, result=encode(result)))


def conduct(payload: Any) -> Conduct:
    return Conduct(encode(payload))


TOO_LONG = "Too many actions in the composition."
BROKEN = over({"error": "Activation failure during composition."}, Status.WHISK_ERROR)


@pytest.mark.parametrize(
    ("before", "event", "command", "after"),
    [
        # Begun: the caller's object, or nothing.
        (Composition(), Begun(b'{"n":1}'), conduct({"n": 1}), Composition()),
        (Composition(), Begun(None), Conduct(None), Composition()),
        (Composition(), Begun(b"[1]"), Conduct(None), Composition()),
        # Conducted, without an action: the end, with its own status.
        (Composition(), Conducted(answered({"x": 1})), over({"x": 1}), Composition()),
        (Composition(), Conducted(answered({"state": 1})), over({"state": 1}), Composition()),
        (Composition(), Conducted(answered({"params": {"a": 1}, "x": 1})), over({"a": 1}),
         Composition()),
        (Composition(), Conducted(answered({"params": 3})), over({"value": 3}), Composition()),
        (Composition(), Conducted(answered({"params": [1]})), over({"value": [1]}), Composition()),
        (Composition(), Conducted(answered({"error": "x"}, Status.APPLICATION_ERROR)),
         over({"error": "x"}, Status.APPLICATION_ERROR), Composition()),
        (Composition(), Conducted(answered({"error": "x"}, Status.DEVELOPER_ERROR)),
         over({"error": "x"}, Status.DEVELOPER_ERROR), Composition()),
        (Composition(), Conducted(answered([1])), BROKEN, Composition()),
        # Conducted, with an action: it is looked for; the state is the new one or none.
        (Composition({"old": 1}), Conducted(answered({"action": "a"})), LookUp(A), Composition()),
        (Composition(), Conducted(answered({"action": "a", "params": {"p": 1}, "state": {"s": 1}})),
         LookUp(A), Composition({"s": 1}, b'{"p":1}')),
        (Composition(), Conducted(answered({"action": "a", "params": 7, "state": 3})),
         LookUp(A), Composition({"state": 3}, b'{"value":7}')),
        (Composition(), Conducted(answered({"action": 3, "state": {"s": 1}})),
         conduct({"error": "Failed to parse action name from json value 3 during composition.",
                  "s": 1}), Composition({"s": 1})),
        (Composition(), Conducted(answered({"action": ""})),
         conduct({"error": 'Failed to parse action name from json value "" during composition.'}),
         Composition()),
        (Composition(), Conducted(answered({"action": {"a": 1}})),
         conduct({"error": "Failed to parse action name from json value {\"a\":1} "
                  "during composition."}), Composition()),
        # Looked for.
        (Composition({"s": 1}, b'{"p":1}'), Found(is_composition=False), Work(b'{"p":1}'),
         Composition({"s": 1})),
        (Composition(), Found(is_composition=True), Work(None), Composition()),
        (Composition({"s": 1}, b"{}"), Unusable(A, Why.NOT_FOUND),
         conduct({"error": "Failed to resolve action with name 'ns/a' during composition.",
                  "s": 1}), Composition({"s": 1})),
        (Composition(), Unusable(QualifiedName(Namespace("x"), "p", "a"), Why.NOT_OPEN),
         conduct({"error": "Failed entitlement check for action with name 'x/p/a' "
                  "during composition."}), Composition()),
        # Worked: its result, under the state.
        (Composition({"n": 9}), Worked(answered({"n": 1, "m": 2})), conduct({"n": 9, "m": 2}),
         Composition({"n": 9})),
        (Composition(), Worked(answered({"error": "e"}, Status.APPLICATION_ERROR)),
         conduct({"error": "e"}), Composition()),
        (Composition(), Worked(answered([1])), BROKEN, Composition()),
        # The platform fails.
        (Composition(), Failed(), BROKEN, Composition()),
        (Composition(), Overdue(ActivationId("abc")),
         over({"error": "Timeout reached when retrieving activation abc during composition."},
              Status.WHISK_ERROR), Composition()),
    ],
)  # fmt: skip
def test_a_step(before: Composition, event: Event, command: Command, after: Composition) -> None:
    found, _, told = step(before, Counts(), event, RULES)
    assert (found, told) == (after, command)


def test_conductors_are_counted_when_they_are_asked_and_components_when_they_are_found() -> None:
    _, counts, _ = step(Composition(), Counts(), Begun(None), RULES)
    assert counts == Counts(components=0, conductors=1)
    _, counts, _ = step(Composition(), counts, Found(is_composition=False), RULES)
    assert counts == Counts(components=1, conductors=1)
    _, counts, _ = step(Composition(), counts, Found(is_composition=True), RULES)
    assert counts == Counts(components=1, conductors=1)


def test_a_component_too_many_is_told_to_the_conductor() -> None:
    asks = Conducted(answered({"action": "a", "state": {"s": 1}}))
    _, _, command = step(Composition(), Counts(1, 1), asks, RULES)
    assert command == LookUp(A)
    _, _, command = step(Composition(), Counts(2, 1), asks, RULES)
    assert command == conduct({"error": TOO_LONG, "s": 1})


def test_a_conductor_is_asked_once_more_than_twice_as_often_as_components_run() -> None:
    last = Worked(answered({}))
    _, counts, command = step(Composition(), Counts(2, 4), last, RULES)
    assert command == conduct({})
    assert counts.conductors == 5
    _, counts, command = step(Composition(), Counts(2, 5), last, RULES)
    assert command == over({"error": TOO_LONG}, Status.APPLICATION_ERROR)
    assert counts.conductors == 5


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [
        ("a", "/ns/a"),
        ("p/a", "/ns/p/a"),
        ("x/p/a", "/x/p/a"),
        ("/x/a", "/x/a"),
        ("/x/p/a", "/x/p/a"),
        ("/_/a", "/ns/a"),
        ("/_/p/a", "/ns/p/a"),
        ("_/a", "/ns/_/a"),
        ("/a", None),
        ("", None),
        ("/", None),
        ("//a", None),
        ("a/b/c/d", None),
        ("/a/b/c/d", None),
        ("a ", None),
        (None, None),
        (["a"], None),
    ],
)
def test_a_name_means_an_action(given_name: Any, meant: str | None) -> None:
    found = conductor.component(given_name, NS)
    assert (found and str(found)) == meant


_SAID = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["a", "p/b", "", 3, None]),
        "params": st.none() | st.integers() | st.dictionaries(st.text(), st.integers()),
        "state": st.none() | st.integers() | st.dictionaries(st.text(), st.integers()),
        "error": st.text(),
    },
)


@pytest.mark.parametrize(
    ("stage", "event"),
    [
        (Stage.NEW, Worked(answered({}))),
        (Stage.WORKING, Conducted(answered({}))),
        (Stage.CONDUCTING, Found(is_composition=False)),
        (Stage.ENDED, Begun(None)),
        (Stage.LOOKING_UP, Overdue(ActivationId("abc"))),
    ],
)
def test_what_cannot_happen_now_is_a_bug(stage: Stage, event: Event) -> None:
    with pytest.raises(InvalidTransition, match=stage.name):
        conductor.step(Composition(stage=stage), Counts(), event, RULES)


@given(said=st.lists(_SAID, max_size=40), limit=st.integers(1, 4), found=st.booleans())
def test_every_composition_ends(said: list[dict[str, Any]], limit: int, *, found: bool) -> None:
    """Whatever a conductor says, it is asked at most 2n+1 times, and at most n components run."""
    rules, answers = Rules(NS, limit), iter(said)
    composition, counts, event, steps = Composition(), Counts(), Begun(b"{}"), 0
    command: Command = Conduct(None)
    told: Event = event
    while not isinstance(command, End):
        composition, counts, command = conductor.step(composition, counts, told, rules)
        steps += 1
        assert steps < 10 * limit + 20
        match command:
            case Conduct(payload):
                assert payload is None or isinstance(decode(payload), dict)
                told = Conducted(answered(next(answers, {"action": "a"})))
            case LookUp(name) if found:
                told = Found(is_composition=False)
            case LookUp(name):
                told = Unusable(name, Why.NOT_FOUND)
            case Work():
                told = Worked(answered({}))
            case End():
                break
    assert counts.conductors <= 2 * limit + 1
    assert counts.components <= limit
