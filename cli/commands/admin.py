"""`admin`: what operators do with an installation itself, without its API. Not there as `wsk`.

Everything that it stands on is imported when a command runs: its help must not cost what a store
does.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.commands.admin_budget import budget
from cli.commands.admin_limits import limits
from cli.commands.admin_stores import done, which_stores
from cli.commands.admin_user import user
from cli.console import marks, ok, print_json
from cli.failures import GENERAL, Ended, Failure
from cli.grammar import Group, Words, json_option
from cli.session import Session

if TYPE_CHECKING:
    from cli.upkeep.findings import Report
    from cli.upkeep.stores import Installation

_FORMS: Final = ("text", "json")

admin = Group("admin", help="What operators do: without the API, on the stores themselves.")
db = Group("db", help="The stores: keep a copy, fill them from one, look them through.")
admin.add_command(db)
admin.add_command(user)
admin.add_command(limits)
admin.add_command(budget)


def _stores_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that say which stores, and how to print."""
    for option in (
        click.option(
            "-o",
            "--output",
            metavar="text|json",
            default="text",
            help="how to print",
            shell_complete=lambda ctx, param, begun: [f for f in _FORMS if f.startswith(begun)],
        ),
        json_option,
    ):
        command = option(command)
    return which_stores(command)


@db.command(
    "backup",
    words=(1, 1),
    shown="FILE",
    completes=("files",),
    needs="A file to write is required.",
)
@_stores_options
@click.option("--with-secret", is_flag=True, help="with what opens the keys: guard such a file")
@click.option("--force", is_flag=True, help="replace a file of that name")
def backup(
    session: Session,
    words: Words,
    *,
    data: str | None,
    cluster: bool,
    output: str,
    with_secret: bool,
    force: bool,
    as_json: bool = False,
) -> None:
    """Write everything that the stores hold into one file, also while the platform runs."""
    path = Path(words[0])
    is_json = _is_json(output, as_json)

    async def work(installation: "Installation") -> tuple[dict[str, int], int]:
        from cli.upkeep.archive_file import writing
        from cli.upkeep.backup import back_up

        secret = installation.secrets() if with_secret else None
        contents = installation.look()
        try:
            with writing(path, force=force) as writer:
                left_out = await back_up(
                    contents, writer, installation.clock,
                    secret_mark=installation.mark(), secret=secret,
                )  # fmt: skip
            return writer.tally.counts, left_out
        finally:
            await contents.close()

    counts, left_out = done(work, data, is_cluster=cluster)
    size_bytes = path.stat().st_size
    if is_json:
        said = {"file": str(path), "size_bytes": size_bytes, "with_secret": with_secret}
        print_json(said | {"counts": counts, "left_out": left_out})
        return
    ok(f"{path}: {_shown(counts)}; {size_bytes} bytes")
    if left_out:
        print(f"note: {left_out} records wait for days that were dropped; they are on no bill.")
    if with_secret:
        print("note: whoever has this file has every key. Guard it like them.")
    else:
        print(
            "note: without the file `secret` of the data folder no key in it can be read. Keep a "
            "copy of that elsewhere, or use --with-secret."
        )


@db.command(
    "restore",
    words=(1, 1),
    shown="FILE",
    completes=("files",),
    needs="A file to read is required.",
)
@_stores_options
def restore(
    session: Session,
    words: Words,
    *,
    data: str | None,
    cluster: bool,
    output: str,
    as_json: bool = False,
) -> None:
    """Fill empty stores from a backup, while the platform is stopped."""
    path = Path(words[0])
    is_json = _is_json(output, as_json)

    async def work(installation: "Installation") -> tuple[dict[str, int], bool]:
        from cli.upkeep.archive_file import examined
        from cli.upkeep.restore import restore as restore_stores
        from common.store.schema import LAYOUT

        backup = examined(path, LAYOUT)
        secret = backup.secret
        installation.require_secret(backup.head.secret_mark, secret)
        async with installation.filling() as intake:
            await restore_stores(
                backup, intake, installation.look,
                before_end=lambda: installation.keep(secret) if secret else None,
            )  # fmt: skip
        return backup.tally["counts"], installation.secret is not None

    counts, has_secret = done(work, data, is_cluster=cluster)
    if is_json:
        print_json({"file": str(path), "counts": counts, "has_secret": has_secret})
        return
    ok(f"restored {_shown(counts)}, and all of it was read again")
    if not has_secret:
        print(
            "note: the keys cannot be read yet: put the file `secret` of that installation (and "
            "`guest.key`, if it was embedded) into the data folder before the start."
        )


@db.command("check", words=(0, 0), needs="No arguments are required.")
@_stores_options
def check(
    session: Session,
    words: Words,
    *,
    data: str | None,
    cluster: bool,
    output: str,
    as_json: bool = False,
) -> None:
    """Look through everything that the stores hold, and change nothing."""
    is_json = _is_json(output, as_json)

    async def work(installation: "Installation") -> "Report":
        from cli.upkeep.check import check as check_stores

        contents = installation.look()
        try:
            return await check_stores(contents, installation.secret)
        finally:
            await contents.close()

    report = done(work, data, is_cluster=cluster)
    if is_json:
        print_json(report.to_json())
    else:
        print("\n".join(lines(report)))
    raise Ended(0 if report.is_sound else GENERAL)


def lines(report: "Report") -> Iterator[str]:
    """Return what to print: a line for each finding with what to do, and how much was read."""
    well, ill = marks()
    for one in report.findings:
        fix = f". fix: {one.fix}" if one.fix else ""
        yield f"{ill if one.is_damage else '-'} {one.kind}: {one.where}: {one.what}{fix}"
    for kind, number in report.unshown.items():
        yield f"- {kind}: and {number} more"
    looked_at = _shown(dict(report.looked_at)) or "nothing is stored"
    yield f"{well if report.is_sound else ill} {looked_at}"


def _is_json(output: str, as_json: bool) -> bool:
    if output not in _FORMS:
        words = ", ".join(_FORMS)
        raise Failure(f"Invalid argument '{output}' for --output flag: one of {words}.")
    return as_json or output == "json"


def _shown(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())
