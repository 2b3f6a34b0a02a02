"""`admin limits`: what a namespace may have of its own. The lines are those of `wskadmin`."""

from typing import TYPE_CHECKING, Any

import click

from cli.commands.admin_stores import done, which_stores
from cli.failures import Failure
from cli.grammar import INTEGER, Group, Words
from cli.output import shown
from cli.session import Session
from common.entity.namespace_limits import FIELDS, Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.upkeep.stores import Installation

_NEEDS = "A namespace is required."
_SWITCH = {"true": True, "false": False}

limits = Group("limits", help="What a namespace may have of its own, over the installation's.")


def _options(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """Give a command one flag for each limit, in the order in which they are shown."""
    for name, form in reversed(list(FIELDS.items())):
        command = _option(name, form)(command)
    return command


def _option(name: str, form: Form) -> "Callable[[Callable[..., Any]], Callable[..., Any]]":
    match form:
        case "number":
            return click.option(f"--{name}", name, type=INTEGER, metavar="N")
        case "kinds":
            more = "may be repeated; more may follow as words"
            return click.option(f"--{name}", name, multiple=True, metavar="KIND", help=more)
        case "switch":
            return click.option(f"--{name}", name, metavar="true|false")
        case "size":
            return click.option(f"--{name}", name, metavar="SIZE", help='such as "1 MB"')


@limits.command("set", words=(1, 99), shown="NAMESPACE [KIND…]", needs=_NEEDS)
@which_stores
@_options
def set_limits(
    session: Session, words: Words, *, data: str | None, cluster: bool, **typed: Any
) -> None:
    """Put limits over those that a namespace has; the others stay as they are."""
    namespace, *kinds = words
    given = {name: value for name, value in typed.items() if value not in (None, ())}
    if "allowedKinds" in given:
        given["allowedKinds"] = [*given["allowedKinds"], *kinds]
    elif kinds:
        raise Failure(f"Invalid argument(s): {', '.join(kinds)}. {_NEEDS}")
    if "storeActivations" in given:
        text = given["storeActivations"]
        given["storeActivations"] = _SWITCH.get(text.lower(), text)

    async def work(installation: "Installation") -> None:
        from common.entity.namespace_limits import NotALimit
        from common.ids import Namespace

        async with installation.identities() as admin:
            try:
                await admin.set_limits(Namespace(namespace), given)
            except NotALimit as error:
                raise Failure(str(error), shows_usage=False) from error

    done(work, data, is_cluster=cluster)
    if not shown(session, {"namespace": namespace} | given):
        print(f'Limits successfully set for "{namespace}"')


@limits.command("get", words=(1, 1), shown="NAMESPACE", needs=_NEEDS)
@which_stores
def get(session: Session, words: Words, *, data: str | None, cluster: bool) -> None:
    """Print what a namespace has of its own; all else is as the installation has it."""
    [namespace] = words

    async def work(installation: "Installation") -> dict[str, Any] | None:
        from common.ids import Namespace

        async with installation.identities() as admin:
            return await admin.limits(Namespace(namespace))

    from common.entity.namespace_limits import shown as lines

    found = done(work, data, is_cluster=cluster)
    if shown(session, found or {}):
        return
    print("\n".join(lines(found or {})) or "No limits found, default system limits apply")


@limits.command("delete", words=(1, 1), shown="NAMESPACE", needs=_NEEDS)
@which_stores
def delete(session: Session, words: Words, *, data: str | None, cluster: bool) -> None:
    """Leave a namespace to the limits of the installation."""
    [namespace] = words

    async def work(installation: "Installation") -> None:
        from common.ids import Namespace

        async with installation.identities() as admin:
            await admin.delete_limits(Namespace(namespace))

    done(work, data, is_cluster=cluster)
    print("Limits deleted")
