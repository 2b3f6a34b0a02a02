"""How a line is read: click, taught the grammar and the words of OpenWhisk's command line.

- Global flags may stand anywhere, before and after the command.
- Words that are no flags are counted by the command, which says what it needs.
- A flag that is not known, or whose value is wrong, ends with one line and exit code 1.
- A group without a command, or with one it does not have, prints its help.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NoReturn

import click

from cli.failures import Change, Ended, Failure, Misspelt, Remedy
from cli.mending import nearest
from cli.session import Session

Words = tuple[str, ...]

FORMS: Final = ("json", "yaml", "table", "name")
"""What `-o` takes."""
_INT64: Final = range(-(1 << 63), 1 << 63)
_HELP: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

KEY_VALUE_HELP: Final = {
    "parameter": (
        ("-p, --param KEY VALUE", "a parameter; JSON where VALUE can be read as JSON"),
        ("-P, --param-file FILE", "parameters of a JSON file; - is standard input"),
    ),
    "annotation": (
        ("-a, --annotation KEY VALUE", "an annotation"),
        ("-A, --annotation-file FILE", "annotations of a JSON file"),
    ),
    "feed": (("-F, --feed-param KEY VALUE", "a parameter of the feed alone"),),
    "trigger": (("-T, --trigger-param KEY VALUE", "a parameter of the trigger alone"),),
}


class Integer(click.ParamType[int]):
    """An integer of 64 bits; what is none is refused in Go's words, which scripts know."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return *value* as a number."""
        if isinstance(value, int):
            return value
        try:
            number = int(str(value))
        except ValueError as error:
            raise _not_integer(value, param, "invalid syntax") from error
        if number not in _INT64:
            raise _not_integer(value, param, "value out of range")
        return number


def _not_integer(value: str, param: click.Parameter | None, reason: str) -> Misspelt:
    flag = ", ".join(sorted(param.opts, key=len)) if param else ""
    usual = param.default if param else None
    change = Change((value,), (str(usual),)) if isinstance(usual, int) else None
    return Misspelt(
        f'invalid argument "{value}" for "{flag}" flag: '
        f'strconv.ParseInt: parsing "{value}": {reason}',
        remedy=Remedy(change=change),
    )


INTEGER: Final = Integer()


class BriskOption(click.Option):
    """A flag that OpenWhisk's command line does not have: unknown under the name `wsk`."""


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that has an `--output` of its own the flag `--json`, as `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, cls=BriskOption, help="print JSON, for programs"
    )(command)


def _global_options(taken: Collection[str] = ()) -> list[click.Parameter]:
    """Return the flags of every command, without the names that are *taken*."""

    def remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value and isinstance(ctx.obj, Session) and param.name:
            ctx.obj.flags[param.name] = str(value)

    def form(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value and isinstance(ctx.obj, Session):
            ctx.obj.flags["output"] = "json" if value is True else str(value)

    def one(*names: str, **attributes: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=remember, **attributes)

    def ours(*names: str, **attributes: Any) -> click.Option:
        free = [name for name in names if name not in taken] or names
        return BriskOption(free, expose_value=False, callback=form, **attributes)

    return [
        one("--apihost", metavar="HOST", help="where the API is"),
        one("--apiversion", metavar="VERSION", help="which version of the API"),
        one("-u", "--auth", metavar="KEY", help="the key, UUID:KEY"),
        one("--cert", metavar="FILE", help="client certificate"),
        one("--key", metavar="FILE", help="key of the client certificate"),
        one("-i", "--insecure", is_flag=True, help="trust any certificate"),
        one("-v", "--verbose", is_flag=True, help="show requests and answers"),
        one("-d", "--debug", is_flag=True, help="the same, and where an error came from"),
        ours("-o", "--output", type=click.Choice(FORMS), help="the form of what is printed"),
        ours("--json", is_flag=True, help="the same as -o json"),
    ]


class _Grammar(click.Command):
    """What commands and groups have in common: global flags, and how wrong ones are told."""

    is_brisk = False
    """Whether it is not there under the name `wsk`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the flags of this command, then the global ones that it does not redefine."""
        own = super().get_params(ctx)
        taken = {flag for param in own for flag in param.opts}
        common = _global_options(taken)
        if not _session(ctx).is_brisk:
            own, common = (
                [param for param in some if not isinstance(param, BriskOption)]
                for some in (own, common)
            )
        return own + [one for one in common if not taken.intersection(one.opts)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags of this command apart from those that every command has."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        names = {flag for one in _global_options() for flag in one.opts}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                is_common = not param.expose_value and names.issuperset(param.opts)
                (common if is_common else own).append(record)
        for heading, records in (("Flags", own), ("Flags of every command", common)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class Command(_Grammar):
    """A command: its callback takes the session, the words, and its flags by name.

    words: how many words it takes, at least and at most.
    shown: these words as the help names them.
    needs: what to say when there are fewer or more.
    takes: the purposes of keys and values that it reads, for its help.
    completes: what each word is, for completion: a collection, or `files`; None is anything.
    is_brisk: whether OpenWhisk's command line has no such command.
    """

    def __init__(
        self,
        *args: Any,
        words: tuple[int, int],
        shown: str = "",
        needs: str = "",
        takes: Words = (),
        completes: tuple[str | None, ...] = (),
        is_brisk: bool = False,
        **attrs: Any,
    ) -> None:
        attrs.setdefault("context_settings", _HELP)
        super().__init__(*args, **attrs)
        self.is_brisk = is_brisk
        self._least, self._most = words
        self._shown = shown
        self._needs = needs
        self.takes = takes
        self._completes = completes

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the flags, and all words as one parameter."""
        words = click.Argument(
            ["words"], nargs=-1, metavar=self._shown, shell_complete=self._proposed
        )
        return [words, *super().get_params(ctx)]

    def _proposed(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from cli.completion import words_for

        position = len(ctx.params.get("words") or ())
        what = self._completes[position] if position < len(self._completes) else None
        return words_for(_session(ctx), what, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read *args*; `--flag=true` and `--flag=false` are understood as Go's flags have it."""
        switches = {
            name
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and param.is_flag
            for name in param.opts
        }
        with _told_in_our_words(ctx):
            return super().parse_args(ctx, list(_switched(args, switches)))

    def invoke(self, ctx: click.Context) -> Any:
        """Count the words and run the command."""
        words: Words = ctx.params.pop("words")
        if len(words) < self._least:
            raise Failure(f"Invalid argument(s). {self._needs}", remedy=_help_for(ctx))
        if len(words) > self._most:
            extra = ", ".join(words[self._most :])
            change = Change(words[self._most :], ())
            remedy = replace(_help_for(ctx), change=change)
            raise Failure(f"Invalid argument(s): {extra}. {self._needs}", remedy=remedy)
        if self.callback is None:
            raise TypeError(f"the command {self.name} has nothing to run")
        return ctx.invoke(self.callback, _session(ctx), words, **ctx.params)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the keys and values that this command takes, then its flags."""
        records = [record for purpose in self.takes for record in KEY_VALUE_HELP[purpose]]
        if records:
            with formatter.section("Keys and values, anywhere on the line"):
                formatter.write_dl(records)
        super().format_options(ctx, formatter)


class Group(_Grammar, click.Group):
    """A noun: without a verb, or with one it does not have, it prints its help."""

    command_class = Command

    def __init__(self, *args: Any, is_brisk: bool = False, **attrs: Any) -> None:
        attrs.setdefault("context_settings", _HELP)
        attrs |= {"invoke_without_command": True, "callback": _help_of_lone_noun}
        super().__init__(*args, **attrs)
        self.is_brisk = is_brisk

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs that there are under the name that the program was called by."""
        return [name for name in super().list_commands(ctx) if self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the verb *cmd_name*; None when there is none."""
        found = super().get_command(ctx, cmd_name)
        is_hidden = isinstance(found, _Grammar) and found.is_brisk and not _session(ctx).is_brisk
        return None if is_hidden else found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, then the flags."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags before the verb."""
        with _told_in_our_words(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that *args* begin with."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            self.refuse(ctx, args[0])
        return super().resolve_command(ctx, args)

    def refuse(self, ctx: click.Context, name: str) -> NoReturn:
        """End the program, for there is no command *name*."""
        if not _session(ctx).is_brisk:
            print(ctx.get_help())
            raise Ended(0)
        text = f'unknown command "{name}" for "{ctx.command_path}"'
        raise Failure(text, remedy=self.nearest(ctx, name))

    def nearest(self, ctx: click.Context, name: str) -> Remedy:
        """Return the command that may have been meant by *name*."""
        return replace(_help_for(ctx), change=nearest(name, self.list_commands(ctx)))


@click.pass_context
def _help_of_lone_noun(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def _session(ctx: click.Context) -> Session:
    session = ctx.find_object(Session)
    if session is None:
        raise TypeError("a command runs inside a session")
    return session


def _help_for(ctx: click.Context) -> Remedy:
    return Remedy(fix=f"{ctx.command_path} --help")


def _switched(args: list[str], switches: set[str]) -> Iterator[str]:
    for position, arg in enumerate(args):
        if arg == "--":
            yield from args[position:]
            return
        name, equals, value = arg.partition("=")
        if not equals or name not in switches:
            yield arg
        elif value.lower() in ("true", "t", "1"):
            yield name
        elif value.lower() not in ("false", "f", "0"):
            raise Misspelt(
                f'invalid argument "{value}" for "{name}" flag: '
                f'strconv.ParseBool: parsing "{value}": invalid syntax'
            )


@contextmanager
def _told_in_our_words(ctx: click.Context) -> Iterator[None]:
    """Turn click's complaints about flags into the lines that OpenWhisk's users know."""
    try:
        yield
    except Misspelt as error:
        error.remedy = replace(_help_for(ctx), change=error.remedy.change)
        raise
    except click.NoSuchOption as error:
        name = error.option_name
        known = error.possibilities or []
        remedy = replace(_help_for(ctx), change=Change((name,), (known[0],)) if known else None)
        text = f"unknown shorthand flag: '{name[1:]}' in {name}"
        if name.startswith("--"):
            text = f"unknown flag: {name}"
        raise Misspelt(_at(ctx, text), remedy=remedy) from error
    except click.BadOptionUsage as error:
        name = error.option_name
        said = name if name.startswith("--") else f"'{name[1:]}' in {name}"
        text = _at(ctx, f"flag needs an argument: {said}")
        raise Misspelt(text, remedy=_help_for(ctx)) from error
    except click.UsageError as error:
        raise Misspelt(error.format_message(), remedy=_help_for(ctx)) from error


def _at(ctx: click.Context, text: str) -> str:
    """Return a complaint as OpenWhisk's program prints it, twice where no command was typed."""
    is_twice = ctx.parent is None and ctx.info_name == "wsk"
    return f"Error: {text}\n{text}" if is_twice else text
