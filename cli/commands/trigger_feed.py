"""Calls of feed actions on behalf of `trigger`, with what they print."""

import sys
from typing import TYPE_CHECKING

from cli import feeds
from cli.console import bold, ok, print_json
from cli.failures import NOT_FINISHED, Failure, exit_code_of
from cli.jsontext import Json, sorted_keys
from cli.names import EntityName, parse_entity
from cli.session import Session

if TYPE_CHECKING:
    from cli.client import Invocation

_ACTION_FAILED = exit_code_of(502)


def notify(
    session: Session,
    feed: str,
    event: feeds.Event,
    trigger: EntityName,
    sent: dict[str, Json],
) -> None:
    """Tell *feed* what happens to *trigger*, and print its activation.

    Of a trigger that is made, a line with the activation's id comes first.
    Raises `Failure` when the feed is not there, fails, or does not end in time; what it answered
        is on standard error then.
    """
    name = parse_entity(feed)
    config = session.configuration()
    payload = feeds.call(event, trigger, config.auth, sent)
    try:
        outcome = session.client().invoke(name, payload, blocking=True, result=False)
    except Failure as failure:
        raise failure.within(f"Unable to configure feed '{name}'", shows_usage=False) from failure
    if outcome.is_pending or outcome.has_failed:
        print_json(sorted_keys(outcome.value), sys.stderr)
        raise _ended(name, outcome)
    if not session.output:
        # What was asked for in a form is the trigger.
        if event == "CREATE":
            ok(f"invoked {bold(str(name))} with id {bold(outcome.activation_id)}")
        print_json(sorted_keys(outcome.value))


def _ended(name: EntityName, outcome: "Invocation") -> Failure:
    said, code = "the feed action failed", _ACTION_FAILED
    if outcome.is_pending:
        said, code = "the feed action has not yet finished", NOT_FINISHED
    text = f"Unable to configure feed '{name}': {said} (activation {outcome.activation_id})"
    return Failure(text, code, shows_usage=False)
