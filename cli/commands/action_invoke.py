"""`action invoke`: run an action, and wait for it where that was asked for.

A blocking invocation has three ends that are no success, told apart by exit code and stream: the
action failed (its answer goes to standard error, 246), the wait ended first (202), and the platform
refused (an error like any other).
"""

import sys

import click

from cli.console import bold, ok, print_json
from cli.failures import NOT_FINISHED, Ended, Failure, exit_code_of
from cli.grammar import Group, Words
from cli.jsontext import sorted_keys
from cli.names import parse_entity
from cli.output import shown
from cli.session import Session

_ACTION_FAILED = exit_code_of(502)


def register(group: Group) -> None:
    """Give *group* the verb invoke."""
    verb = group.command(
        "invoke",
        words=(1, 1),
        shown="NAME",
        needs="An action name is required.",
        takes=("parameter",),
        completes=("actions",),
    )
    blocking = click.option("-b", "--blocking", is_flag=True, help="wait, and print the record")
    result = click.option("-r", "--result", is_flag=True, help="wait, and print the result alone")
    verb(blocking(result(_invoke)))


def _invoke(session: Session, words: Words, blocking: bool, result: bool) -> None:
    """Run an action."""
    name = parse_entity(words[0])
    payload = session.typed.values("parameter") or {}
    waits = blocking or result
    client = session.client()
    try:
        outcome = client.invoke(name, payload, blocking=waits, result=result)
    except Failure as failure:
        raise failure.within(f"Unable to invoke action '{name.in_namespace}'") from failure
    said = f"invoked {name}"
    if outcome.is_pending:
        pending = "but the request has not yet finished, with id"
        ok(f"{said}, {pending} {outcome.activation_id}", sys.stderr)
        if session.is_brisk:
            print(f"fix: brisk activation get {outcome.activation_id}", file=sys.stderr)
        raise Ended(NOT_FINISHED)
    if outcome.has_failed:
        if not result:
            ok(f"{said} with id {outcome.activation_id}", sys.stderr)
        print_json(sorted_keys(outcome.value), sys.stderr)
        if session.is_brisk:
            print(f"fix: brisk activation logs {outcome.activation_id}", file=sys.stderr)
        raise Ended(_ACTION_FAILED)
    if shown(session, sorted_keys(outcome.value)):
        return
    if not result:
        ok(f"invoked {bold(str(name))} with id {bold(outcome.activation_id)}")
    if waits:
        print_json(sorted_keys(outcome.value))
