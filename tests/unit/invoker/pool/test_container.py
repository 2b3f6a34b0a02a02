"""The life of one sandbox, by its table."""

import pytest

from common.ids import ActivationId, ContainerId, DocId, Namespace, Rev
from common.machine import InvalidTransition
from invoker.pool import container as life
from invoker.pool.container import ActionKey, Command, Container, Shape, State, step

SHAPE = Shape("python:3.11", 256)
KEY = ActionKey(Namespace("guest"), DocId("guest/hello"), Rev("1"))
JOB = ActivationId("a" * 32)
TAKEN = life.JobTaken(JOB, KEY)


def in_state(state: State) -> Container:
    """Return a sandbox as it stands in *state*."""
    busy = (JOB,) if state is State.BUSY else ()
    key = None if state in (State.STARTING, State.BLANK) else KEY
    return Container(id=ContainerId("c1"), shape=SHAPE, state=state, key=key, jobs=busy)


def test_a_sandbox_lives_from_start_to_gone() -> None:
    container = in_state(State.STARTING)
    story: list[tuple[life.Event, State, Command | None]] = [
        (life.Started(), State.BLANK, None),
        (TAKEN, State.BUSY, Command.SERVE),
        (life.JobDone(), State.READY, None),
        (life.GraceOver(), State.PAUSING, Command.SUSPEND),
        (life.Suspended(), State.PAUSED, None),
        (TAKEN, State.BUSY, Command.SERVE),
        (life.JobFailed(), State.REMOVING, Command.DESTROY),
        (life.Removed(), State.GONE, None),
    ]
    for event, state, command in story:
        container, ordered = step(container, event, 0.0)
        assert (container.state, ordered) == (state, command)


def test_code_once_loaded_stays_known_until_the_end() -> None:
    container, _ = step(in_state(State.BLANK), TAKEN, 0.0)
    assert (container.key, container.jobs) == (KEY, (JOB,))
    container, _ = step(container, life.JobDone(), 7.0)
    assert (container.key, container.jobs, container.idle_since_s) == (KEY, (), 7.0)


@pytest.mark.parametrize("state", [State.REMOVING, State.GONE])
def test_a_death_that_was_already_seen_changes_nothing(state: State) -> None:
    container = in_state(state)
    assert step(container, life.Died(), 0.0) == (container, None)


def test_a_busy_sandbox_that_died_goes_when_its_call_has_ended() -> None:
    container, ordered = step(in_state(State.BUSY), life.Died(), 0.0)
    assert (container.state, ordered) == (State.BUSY, None)
    container, ordered = step(container, life.JobDone(JOB), 0.0)
    assert (container.state, ordered) == (State.REMOVING, Command.DESTROY)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.STARTING, TAKEN),
        (State.BUSY, TAKEN),
        (State.BUSY, life.RemoveAsked()),
        (State.BUSY, life.GraceOver()),
        (State.PAUSING, TAKEN),
        (State.REMOVING, life.JobDone()),
        (State.GONE, life.Removed()),
    ],
)
def test_what_is_not_in_the_table_is_a_bug(state: State, event: life.Event) -> None:
    with pytest.raises(InvalidTransition, match="c1"):
        step(in_state(state), event, 0.0)
