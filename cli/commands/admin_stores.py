"""Which stores a command of `admin` works on, and how its work is run."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from cli.failures import Failure

if TYPE_CHECKING:
    from cli.upkeep.stores import Installation

Result = TypeVar("Result")


def which_stores(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that say which stores it works on."""
    for option in (
        click.option(
            "--data",
            metavar="DIR",
            help="the data folder of an embedded platform",
            shell_complete=lambda ctx, param, begun: [CompletionItem(begun, type="dir")],
        ),
        click.option("--cluster", is_flag=True, help="CouchDB, as BRISK_COUCHDB__… say"),
    ):
        command = option(command)
    return command


def done(
    work: Callable[["Installation"], Awaitable[Result]], data: str | None, *, is_cluster: bool
) -> Result:
    """Do *work* on the stores that are meant, and tell what goes wrong in our words."""
    from cli.upkeep.stores import Installation
    from common.errors import BriskError

    async def on_stores() -> Result:
        return await work(Installation.named(Path(data) if data else None, is_cluster=is_cluster))

    try:
        return asyncio.run(on_stores())
    except BriskError as error:
        raise Failure(str(error), shows_usage=False) from error
