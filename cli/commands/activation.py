"""`activation`: what became of an invocation: its record, its logs, its result."""

from typing import Any

import click

from cli import render
from cli.commands import activation_poll
from cli.console import bold, ok, print_json
from cli.failures import GENERAL, Ended, Failure
from cli.following import Following, Watch
from cli.grammar import INTEGER, Group, Words
from cli.jsontext import Json, sorted_keys
from cli.names import OWN, Scope, parse_entity
from cli.output import shown
from cli.session import Session
from cli.shapes import ACTIVATION, with_status_code

ID_NEEDED = "An activation ID is required."

activation = Group("activation", help="Records, logs and results of what was run.")
activation_poll.register(activation)

_last = click.option("-l", "--last", is_flag=True, help="the newest activation")


@activation.command(
    "list",
    words=(0, 1),
    shown="[NAME]",
    needs="An optional namespace is the only valid argument.",
)
@click.option("-f", "--full", is_flag=True, help="whole records")
@click.option("-l", "--limit", type=INTEGER, default=30, help="at most so many, up to 200 (30)")
@click.option("-s", "--skip", type=INTEGER, default=0, help="not the first so many")
@click.option("--since", type=INTEGER, metavar="MS", help="that began then or later, Unix time")
@click.option("--upto", type=INTEGER, metavar="MS", help="that began then or earlier, Unix time")
def list_activations(session: Session, words: Words, **flags: Any) -> None:
    """List activations, the newest first."""
    query: dict[str, int | str | bool] = {"limit": flags["limit"], "skip": flags["skip"]}
    name = _action_name(words[0]) if words else None
    if name:
        query["name"] = name
    for bound in ("since", "upto"):
        if flags[bound] is not None:
            query[bound] = flags[bound]
    if flags["full"]:
        query["docs"] = True
    found = newest(session, query)
    if shown(session, [ACTIVATION.laid_out(one) for one in found], is_tabular=True):
        return
    if flags["full"]:
        print(bold("activations"))
        for one in found:
            print_json(ACTIVATION.laid_out(with_status_code(one)))
    else:
        print("\n".join(render.activation_rows(found)))


def _action_name(typed: str) -> str | None:
    """Return the name to look for; None for the whole namespace, typed as `/NS`."""
    if typed.startswith("/") and "/" not in typed[1:]:
        return None
    return parse_entity(typed).in_namespace


def newest(session: Session, query: dict[str, int | str | bool]) -> list[dict[str, Json]]:
    """Return one page of activations. Raises `Failure` in the words of a list."""
    client = session.client()
    try:
        return client.activations(query)
    except Failure as failure:
        raise failure.within(
            f"Unable to obtain the list of activations for namespace '{Scope(OWN).shown}'",
            shows_usage=False,
        ) from failure


def _require_no_more(words: Words, last: bool) -> None:
    """Raise `Failure` when an id was typed where the newest activation is meant."""
    if last and words:
        raise Failure(f"Invalid argument(s): {words[0]}. {ID_NEEDED}")


def _chosen(session: Session, words: Words, last: bool, wanted: str) -> str:
    """Return the id that was typed, or that of the newest activation; *wanted* is what of it."""
    if not last:
        if not words:
            raise Failure(f"Invalid argument(s). {ID_NEEDED}")
        return words[0]
    client = session.client()
    try:
        found = client.activations({"limit": 1, "skip": 0})
        if not found:
            raise Failure("Activation list does not contain any activations.")
    except Failure as failure:
        # Where the platform refused, the pointer to the help would not help.
        raise failure.within(
            f"Unable to get {wanted}activation", shows_usage=failure.status is None
        ) from failure
    return str(found[0].get("activationId", ""))


@activation.command(
    "get", words=(0, 2), shown="ID [FIELD]", completes=("activations",), needs=ID_NEEDED
)
@_last
@click.option("-g", "--logs", is_flag=True, help="its log lines alone, stripped")
@click.option("-s", "--summary", is_flag=True, help="how it ended, and its result")
def get(session: Session, words: Words, last: bool, **flags: Any) -> None:
    """Show an activation, or one field of it."""
    typed = words[0 if last else 1 :]
    if len(typed) > 1:
        raise Failure(f"Invalid argument(s): {typed[1]}. {ID_NEEDED}")
    key = _field(typed[0]) if typed else None
    activation_id = _chosen(session, words, last, "")
    client = session.client()
    try:
        found = with_status_code(client.activation(activation_id))
    except Failure as failure:
        raise _unable("get", activation_id, failure) from failure
    if flags["logs"] and not flags["summary"]:
        _print_lines(session, found.get("logs") or [], strip=True)
        return
    value = ACTIVATION.laid_out(found) if key is None else ACTIVATION.value_of(key, found)
    if shown(session, value):
        return
    if flags["summary"]:
        print(render.activation_summary(found))
        print_json(sorted_keys(found["response"].get("result")))
    elif key is not None:
        ok(f"got activation {bold(activation_id)}, displaying field {bold(key)}")
        print_json(value)
    else:
        ok(f"got activation {bold(activation_id)}")
        print_json(value)


def _field(typed: str) -> str:
    if ACTIVATION.field_named(typed) is None:
        raise Failure(f"Invalid field filter '{typed}'.", shows_usage=False)
    return typed


@activation.command("logs", words=(0, 1), shown="ID", completes=("activations",), needs=ID_NEEDED)
@_last
@click.option("-f", "--follow", is_flag=True, help="go on with what ends; of an action, or of all")
@click.option("-r", "--strip", is_flag=True, help="without times and streams")
def logs(session: Session, words: Words, last: bool, follow: bool, strip: bool) -> None:
    """Print what an activation wrote; with --follow, what those of an action write."""
    if follow:
        _follow_logs(session, _action_name(words[0]) if words else None, strip=strip)
        return
    _require_no_more(words, last)
    activation_id = _chosen(session, words, last, "logs for ")
    client = session.client()
    try:
        lines = client.activation_logs(activation_id)
    except Failure as failure:
        raise _unable("get logs for", activation_id, failure) from failure
    _print_lines(session, lines, strip=strip)


@activation.command("result", words=(0, 1), shown="ID", completes=("activations",), needs=ID_NEEDED)
@_last
def result(session: Session, words: Words, last: bool) -> None:
    """Print what an activation answered."""
    _require_no_more(words, last)
    activation_id = _chosen(session, words, last, "result for ")
    client = session.client()
    try:
        value = client.activation_result(activation_id)
    except Failure as failure:
        raise _unable("get result for", activation_id, failure) from failure
    if not shown(session, sorted_keys(value)):
        print_json(sorted_keys(value))


def _print_lines(session: Session, lines: list[str], *, strip: bool) -> None:
    lines = [render.stripped_log(line) if strip else line for line in lines]
    if not shown(session, lines):
        print("".join(f"{line}\n" for line in lines), end="")


def _follow_logs(session: Session, name: str | None, *, strip: bool) -> None:
    """Print the log lines of what ends from now on, until it is enough."""
    client = session.client()

    def tell(one: dict[str, Json]) -> None:
        # Of several actions, each line says whose it is.
        whose = f"{one.get('name')}: " if name is None else ""
        for line in one.get("logs") or []:
            text = render.stripped_log(str(line)) if strip else str(line)
            print(f"{whose}{text}", flush=True)

    watch = Watch(activation_poll.start_ms(client, 0))
    try:
        Following(client, watch, name, tell).run(0)
    except KeyboardInterrupt as interrupt:
        raise Ended(GENERAL) from interrupt


def _unable(verb: str, activation_id: str, failure: Failure) -> Failure:
    return failure.within(f"Unable to {verb} activation '{activation_id}'", shows_usage=False)
