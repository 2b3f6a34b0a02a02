"""Completion for bash, zsh and fish: click's, taught our words and the names that the server has.

A shell calls the program with what has been typed so far in its environment. Whatever goes wrong,
nothing is proposed and nothing is printed: somebody is in the middle of a line.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from cli import apis, environment
from cli.arguments import FILE_FLAGS, PAIR_FLAGS
from cli.failures import Ended, Failure
from cli.names import Scope
from cli.session import Session

SHELLS: Final = ("bash", "zsh", "fish")
PATIENCE_S: Final = 2.0
"""How long somebody who pressed the key waits for names."""
MOST_NAMES: Final = 200
FILES: Final = "files"
ACTIVATIONS: Final = "activations"
APIS: Final = "apis"
VERBS: Final = "verbs"


def variable(program: str) -> str:
    """Return the name of the variable by which a shell asks *program*."""
    return f"_{program.upper()}_COMPLETE"


def script(root: click.Command, program: str, shell: str) -> str:
    """Return what *shell* has to read to complete lines of *program*."""
    maker = get_completion_class(shell)
    if maker is None:
        raise Failure(f"Invalid argument '{shell}': one of {', '.join(SHELLS)}.")
    made = maker(root, {}, program, variable(program))
    # Not its `source`, which asks bash for its version: the shell may be that of another machine.
    return str(made.source_template % made.source_vars())


def answer(root: click.Command, session: Session) -> str:
    """Return the proposals for the line in the environment, as the asking shell reads them."""
    shell = environment.variable(variable(session.program)).removesuffix("_complete")
    maker = get_completion_class(shell)
    if maker is None:
        return ""
    asked = maker(root, {"obj": session}, session.program, variable(session.program))
    with suppress(Failure, Ended, click.ClickException), _no_longer_than(PATIENCE_S):
        return "\n".join(asked.format_completion(item) for item in _proposals(asked))
    return ""


def _proposals(asked: ShellComplete) -> list[CompletionItem[str]]:
    args, incomplete = asked.get_completion_args()
    line: list[str] = []
    words = iter(args)
    for word in words:
        if word in PAIR_FLAGS:
            if next(words, None) is None or next(words, None) is None:
                return []  # A key or a value is being typed.
        elif word in FILE_FLAGS:
            if next(words, None) is None:
                return [CompletionItem(incomplete, type="file")]
        else:
            line.append(word)
    return asked.get_completions(line, incomplete)


def words_for(session: Session, what: str | None, incomplete: str) -> list[CompletionItem[str]]:
    """Return the words that may stand where *what* is wanted: a collection, or files."""
    if what is None:
        return []
    if what == FILES:
        return [CompletionItem(incomplete, type="file")]
    if what == VERBS:
        return [CompletionItem(one) for one in apis.VERBS if one.startswith(incomplete.upper())]
    return [CompletionItem(name) for name in _names(session, what) if name.startswith(incomplete)]


def _names(session: Session, collection: str) -> Iterator[str]:
    client = session.client()
    if collection == APIS:
        for api in client.apis(session.configuration().gateway_query | {"limit": MOST_NAMES}):
            yield str(api["value"]["apidoc"]["basePath"])
        return
    if collection == ACTIVATIONS:
        for record in client.activations({"limit": 30, "skip": 0}):
            yield str(record.get("activationId", ""))
        return
    for one in client.entities(collection, Scope(), MOST_NAMES, 0):
        package = str(one.get("namespace", "")).partition("/")[2]
        yield f"{package}/{one.get('name', '')}" if package else str(one.get("name", ""))


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    def give_up(*_: Any) -> None:
        raise Failure("nobody waits for completion so long")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
