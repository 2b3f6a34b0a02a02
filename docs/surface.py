"""Renders what programs and people use Brisk by: the routes of the API, and the command line.

Both are declared once, beside what they call: routes in `controller/api/`, commands in `cli/`. The
pages are made from these declarations, without a platform that runs.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from cli.arguments import Typed
from cli.grammar import KEY_VALUE_HELP, BriskOption, Command
from cli.program import COMMANDS, Root
from cli.session import Session
from common.clock import SystemClock
from common.entity.manifest import Manifest
from common.settings import Settings
from controller.api.openapi import reference
from controller.api.route import Route
from controller.app import Services, table

_HEAD: Final = ("", "| flag | meaning |", "|---|---|")
CATALOG: Final = ("actions", "packages", "triggers", "rules", "apis")
"""What handlers take from the catalog when they are made; nothing is asked of it."""
_ONLY_BRISK: Final = " (not as `wsk`)"


class _Absent:
    """Stands where a part of a running platform would be; whoever uses it is wrong."""

    def __getattr__(self, name: str) -> Any:
        if name in CATALOG:
            return self
        raise AssertionError(f"a page is made without a platform, and {name} was asked for")


def routes() -> str:
    """Return the page of all routes of the API."""
    return reference(declared())


def declared() -> Sequence[Route]:
    """Return the table of routes, whose handlers nobody can call."""
    nobody: Any = _Absent()
    services = Services(
        settings=Settings(),
        clock=SystemClock(),
        manifest=Manifest.load(python="3.11"),
        catalog=nobody,
        resolver=nobody,
        activations=nobody,
        subjects=nobody,
        registries=nobody,
        repeats=nobody,
        events=nobody,
        entitlement=nobody,
        budgets=nobody,
        invoker=nobody,
        invoker_health=dict,
        own_records=nobody,
        streams=nobody,
        event_streams=nobody,
        health=nobody,
    )
    return table(services)


def commands(origin: str) -> str:
    """Return the page of all commands of `brisk`; *origin* is said below its title."""
    root = Root("root")
    ctx = click.Context(
        root, info_name="brisk", obj=Session("brisk", Typed()), **root.context_settings
    )
    lines = [
        "# The command line",
        origin,
        "`wsk` is the same program, with the lines and exit codes of OpenWhisk's.",
        "",
        "## Flags of every command",
        "They may stand anywhere on the line.",
        *_flags(ctx, [each for each in root.get_params(ctx) if isinstance(each, click.Option)]),
    ]
    for name, entry in sorted(COMMANDS.items()):
        command = root.get_command(ctx, name)
        assert command, "the program has the commands that it lists"
        lines += ["", f"## {name}", _sentence(entry.purpose + _ONLY_BRISK * entry.is_brisk)]
        for each in _leaves(click.Context(command, parent=ctx, info_name=name)):
            lines += _command(each)
    return "\n".join(lines) + "\n"


def _leaves(ctx: click.Context) -> Iterator[click.Context]:
    """Yield each command that does something: *ctx* itself, or those below it."""
    command = ctx.command
    if not isinstance(command, click.Group):
        yield ctx
        return
    for verb in command.list_commands(ctx):
        found = command.get_command(ctx, verb)
        assert found, "a group has the commands that it lists"
        yield from _leaves(click.Context(found, parent=ctx, info_name=verb))


def _command(ctx: click.Context) -> Iterator[str]:
    command = ctx.command
    words = [
        piece for piece in command.collect_usage_pieces(ctx) if piece and piece[1:8] != "OPTIONS"
    ]
    yield from ("", f"### `{' '.join([ctx.command_path, *words])}`")
    owns = isinstance(command, Command) and (command.is_brisk or _is_below_own(ctx))
    yield _sentence((command.help or "").strip().removesuffix(".") + _ONLY_BRISK * owns)
    own = [each for each in command.params if isinstance(each, click.Option)]
    taken = command.takes if isinstance(command, Command) else ()
    yield from _flags(ctx, own, [record for each in taken for record in KEY_VALUE_HELP[each]])


def _is_below_own(ctx: click.Context) -> bool:
    return ctx.parent is not None and getattr(ctx.parent.command, "is_brisk", False)


def _flags(
    ctx: click.Context, options: list[click.Option], known: Sequence[tuple[str, str]] = ()
) -> Iterator[str]:
    """Yield a table of *options*, after those that are *known* by how they are written."""
    records = list(known)
    for option in options:
        if (record := option.get_help_record(ctx)) is not None:
            flag, meaning = record
            records.append((flag, meaning + _ONLY_BRISK * isinstance(option, BriskOption)))
    if records:
        yield from _HEAD
        yield from (f"| `{_cell(flag)}` | {_cell(meaning)} |" for flag, meaning in records)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].removesuffix(".") + "."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
