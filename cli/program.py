"""The program: one tree of commands under two names.

`wsk` is OpenWhisk's command line, line for line; `brisk` is the same and says, under an error, why
it came and what mends it. A command is imported when it is called: `--help` imports none of them.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple, NoReturn

import click

from cli import arguments, environment
from cli.console import print_failure
from cli.failures import GENERAL, INTERRUPTED, Ended, Failure, Misspelt, Remedy
from cli.grammar import Command, Group
from cli.session import Session


class Entry(NamedTuple):
    """Where a command of the first level is, and what it is for."""

    module: str
    attribute: str
    purpose: str
    is_brisk: bool = False
    """Whether it is not there as `wsk`."""


COMMANDS: Final = {
    "action": Entry("cli.commands.action", "action", "create, update, invoke, list actions"),
    "activation": Entry("cli.commands.activation", "activation", "records, logs and results"),
    "admin": Entry("cli.commands.admin", "admin", "identities, limits, backups and checks", True),
    "api": Entry("cli.commands.api", "api", "addresses of one's own for web actions"),
    "completion": Entry("cli.commands.completion", "completion", "for bash, zsh and fish"),
    "dev": Entry("cli.commands.dev", "dev", "store a function at each save, show its logs", True),
    "doctor": Entry("cli.commands.doctor", "doctor", "what this host allows, and what to mend"),
    "list": Entry("cli.commands.namespace", "list_entities", "everything in a namespace"),
    "namespace": Entry("cli.commands.namespace", "namespace", "namespaces, and what is in them"),
    "package": Entry("cli.commands.package", "package", "actions under one name; bindings"),
    "project": Entry("cli.commands.project", "project", "everything in a manifest, at once"),
    "property": Entry("cli.commands.property", "properties", "where the platform is, and the key"),
    "registry": Entry("cli.commands.registry", "registry", "credentials for private images"),
    "rule": Entry("cli.commands.rule", "rule", "which action a trigger runs"),
    "sdk": Entry("cli.commands.completion", "sdk", "completion for bash, as a file"),
    "serve": Entry("cli.commands.serve", "serve", "run the whole platform on this machine"),
    "trigger": Entry("cli.commands.trigger", "trigger", "events under a name; feeds"),
    "usage": Entry("cli.commands.usage", "usage", "what a namespace used"),
}
"""Nouns and verbs; `help` is one more, made below."""

_EXAMPLES: Final = """\b
Start:
  {program} serve                          run the platform here
  {program} action create hello hello.py   store a function
  {program} action invoke hello -r         run it and print its result
"""


class Root(Group):
    """The first level: finds commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*_entries(ctx), "help"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command *cmd_name*; None when there is none."""
        if cmd_name == "help":
            return _help
        entry = _entries(ctx).get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), entry.attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.purpose) for name, each in _entries(ctx).items()])

    def refuse(self, ctx: click.Context, name: str) -> NoReturn:
        """End the program, for there is no command *name*."""
        text = f'unknown command "{name}" for "{ctx.info_name}"'
        if ctx.info_name == "brisk":
            raise Failure(text, remedy=self.nearest(ctx, name))
        lines = f"Error: {text}\nRun '{ctx.info_name} --help' for usage.\n{text}"
        raise Misspelt(lines)


def _entries(ctx: click.Context) -> dict[str, Entry]:
    """Return the commands that there are under the name that the program was called by."""
    session = ctx.find_object(Session)
    is_brisk = session is not None and session.is_brisk
    return {name: entry for name, entry in COMMANDS.items() if is_brisk or not entry.is_brisk}


def _show_help(session: Session, words: tuple[str, ...]) -> None:
    ctx = _context(session)
    command: click.Command = ctx.command
    for word in words:
        found = command.get_command(ctx, word) if isinstance(command, click.Group) else None
        if found is None:
            break
        ctx = click.Context(found, parent=ctx, info_name=word)
        command = found
    print(command.get_help(ctx))


_help = Command("help", callback=_show_help, words=(0, 9), help="Show the help of a command.")


def _context(session: Session) -> click.Context:
    root = Root(
        "root",
        help="Brisk: functions as a service, with the API of Apache OpenWhisk.",
        epilog=_EXAMPLES.format(program=session.program),
    )
    return click.Context(root, info_name=session.program, obj=session, **root.context_settings)


def run(program: str, argv: Sequence[str]) -> int:
    """Run one line of the command line *program* and return its exit code."""
    session = Session(program, arguments.Typed(), tuple(argv))
    try:
        session.typed = arguments.split(argv)
        ctx = _context(session)
        with ctx:
            ctx.command.parse_args(ctx, session.typed.line)
            ctx.command.invoke(ctx)
        sys.stdout.flush()
    except Failure as failure:
        sys.stdout.flush()
        if session.is_brisk:
            from cli.mending import mended
            from cli.nearest import proposed

            failure.remedy = mended(program, argv, proposed(session, failure))
        print_failure(failure, program, as_json=session.output == "json")
        _print_origin(session)
        return failure.exit_code
    except Ended as ended:
        return ended.exit_code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads our output has seen enough. The interpreter must not flush into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GENERAL
    except Exception as error:  # A fault of this program: people get one line, not our insides.
        text = f"Application exited unexpectedly: {type(error).__name__}: {error}"
        print_failure(Failure(text, remedy=Remedy(fix="--debug shows where")), program)
        _print_origin(session)
        return GENERAL
    return 0


def complete(program: str) -> int:
    """Answer a shell that completes a line of *program*."""
    from cli.completion import answer

    session = Session(program, arguments.Typed())
    print(answer(_context(session).command, session))
    return 0


def _print_origin(session: Session) -> None:
    """Show where the error that is being handled came from, to who asked for it."""
    if "debug" in session.flags or environment.variable("WSK_CLI_DEBUG"):
        traceback.print_exc()
