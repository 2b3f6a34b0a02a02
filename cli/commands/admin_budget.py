"""`admin budget`: how much a namespace may use of a month or a day, and what follows then."""

from typing import TYPE_CHECKING, Any, Final

import click

from cli.commands.admin_stores import done, which_stores
from cli.failures import Failure
from cli.grammar import INTEGER, Group, Words
from cli.output import shown
from cli.session import Session

if TYPE_CHECKING:
    from cli.upkeep.stores import Installation

_NEEDS: Final = "A namespace is required."
_MEASURES: Final = ("amount", "gbSeconds", "activations")

budget = Group("budget", help="How much a namespace may use, and what follows when it has.")


@budget.command("set", words=(1, 1), shown="NAMESPACE", needs=_NEEDS)
@which_stores
@click.option("--amount", metavar="AMOUNT", help="of the installation's currency: 12.50")
@click.option("--gbSeconds", "gbSeconds", type=INTEGER, metavar="N", help="of reserved memory")
@click.option("--activations", type=INTEGER, metavar="N", help="whatever they use")
@click.option("--every", metavar="month|day", help="of the calendar (UTC); default month")
@click.option("--warn", type=INTEGER, metavar="PERCENT", help="default 80; 0 is never")
@click.option("--throttle", type=INTEGER, metavar="PERCENT", help="default never")
@click.option("--stop", type=INTEGER, metavar="PERCENT", help="default 100; 0 is never")
@click.option("--perMinute", "perMinute", type=INTEGER, metavar="N",
              help="invocations that are accepted once it throttles; default 10")  # fmt: skip
@click.option("--trigger", metavar="NAME",
              help="fired when a threshold is crossed; '' fires none")  # fmt: skip
def set_budget(
    session: Session, words: Words, *, data: str | None, cluster: bool, **typed: Any
) -> None:
    """Give a namespace a budget, or change it; what is not typed stays as it is.

    From `--warn` on it is told, by the log and by a trigger of the namespace; from `--throttle` on
    only `--perMinute` invocations a minute are accepted; from `--stop` on none, until the next
    month or day.
    """
    [namespace] = words
    given = _given(typed)

    async def work(installation: "Installation") -> None:
        from common.clock import SystemClock
        from common.entity.budget import NotABudget
        from common.ids import Namespace

        async with installation.budgets() as budgets:
            try:
                await budgets.set(Namespace(namespace), given, SystemClock().now_ms())
            except NotABudget as error:
                raise Failure(str(error), shows_usage=False) from error

    done(work, data, is_cluster=cluster)
    if not shown(session, {"namespace": namespace} | given):
        print(f'Budget successfully set for "{namespace}"')


@budget.command("get", words=(1, 1), shown="NAMESPACE", needs=_NEEDS)
@which_stores
def get(session: Session, words: Words, *, data: str | None, cluster: bool) -> None:
    """Print the budget of a namespace; `brisk usage` shows what is spent of it."""
    [namespace] = words

    async def work(installation: "Installation") -> dict[str, Any] | None:
        from common.ids import Namespace

        async with installation.budgets() as budgets:
            return await budgets.body(Namespace(namespace))

    from common.entity.budget import shown as lines

    found = done(work, data, is_cluster=cluster)
    if shown(session, found or {}):
        return
    print("\n".join(lines(found or {})) or "No budget found, nothing is limited by one")


@budget.command("delete", words=(1, 1), shown="NAMESPACE", needs=_NEEDS)
@which_stores
def delete(session: Session, words: Words, *, data: str | None, cluster: bool) -> None:
    """Let a namespace use as much as it likes."""
    [namespace] = words

    async def work(installation: "Installation") -> None:
        from common.ids import Namespace

        async with installation.budgets() as budgets:
            await budgets.delete(Namespace(namespace))

    done(work, data, is_cluster=cluster)
    print("Budget deleted")


def _given(typed: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a budget's document that were typed."""
    from common.entity.budget import Measure, NotABudget, micros

    given = {name: value for name, value in typed.items() if value is not None}
    measured = [name for name in _MEASURES if name in given]
    if len(measured) > 1:
        raise Failure(f"Only one of --{', --'.join(_MEASURES)} can be the measure of a budget.")
    for name in measured:
        value = given.pop(name)
        try:
            given["amount"] = micros(value) if name == "amount" else value
        except NotABudget as error:
            raise Failure(str(error), shows_usage=False) from error
        given["measure"] = Measure.COST if name == "amount" else Measure(name)
    return given
