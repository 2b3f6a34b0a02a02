"""`usage`: what a namespace used, from Brisk's own route.

Everything is an integer on the wire. GB-seconds are derived here and exact: one is 1024 · 1000
MB·ms, and a division by that ends after thirteen decimals at most.
"""

from decimal import Context, Decimal
from typing import Any, Final

import click

from cli import render
from cli.failures import Failure
from cli.grammar import Command, Words
from cli.jsontext import Json
from cli.names import OWN
from cli.output import shown
from cli.session import Session

MB_MS_IN_GB_S: Final = 1024 * 1000
_EXACT: Final = Context(prec=60)
_GROUPINGS: Final = ("action", "hour", "day", "month")


def gb_seconds(mb_ms: int) -> Decimal:
    """Return *mb_ms* in GB-seconds, without rounding."""
    return _EXACT.divide(Decimal(mb_ms), Decimal(MB_MS_IN_GB_S)).normalize(_EXACT)


def table(answer: dict[str, Json]) -> list[str]:
    """Return the lines that show *answer*: a header, its rows, and their total."""
    rows = [dict(row) for row in answer.get("rows") or []]
    texts = [name for name in ("period", "action") if any(row.get(name) for row in rows)]
    total = dict(answer.get("total") or {})
    amounts = [gb_seconds(int(row.get("mb_ms") or 0)) for row in (*rows, total)]
    decimals = max(-min(int(amount.as_tuple().exponent), 0) for amount in amounts)
    first = texts or ["period"]
    names = [[str(row.get(name) or "-") for name in first] for row in rows]
    names.append(["total", *[""] * (len(first) - 1)])
    cells = [
        [*name, *_numbers(row), f"{amount:.{decimals}f}"]
        for name, row, amount in zip(names, (*rows, total), amounts, strict=True)
    ]
    return render.columns([*first, "activations", "billed ms", "GB-s"], cells, numbers=3)


def _numbers(row: dict[str, Json]) -> list[str]:
    return [str(int(row.get(name) or 0)) for name in ("activations", "billed_ms")]


@click.command(
    "usage",
    cls=Command,
    words=(0, 1),
    shown="[NAMESPACE]",
    needs="An optional namespace is the only valid argument.",
)
@click.option("--from", metavar="TIME", help="from this moment on")
@click.option("--to", metavar="TIME", help="up to this moment")
@click.option("--by", metavar="|".join(_GROUPINGS), default="action", help="one row for each")
def usage(session: Session, words: Words, by: str, **bounds: Any) -> None:
    """Show what a namespace used: activations, billed time, GB-seconds."""
    if by not in _GROUPINGS:
        raise Failure(f"Invalid argument '{by}' for --by flag: one of {', '.join(_GROUPINGS)}.")
    query = {name: value for name, value in bounds.items() if value} | {"by": by}
    namespace = words[0].strip("/") if words else OWN
    client = session.client()
    try:
        answer = client.usage(namespace, query)
    except Failure as failure:
        said = "default" if namespace == OWN else namespace
        raise failure.within(f"Unable to get the usage of namespace '{said}'") from failure
    if not shown(session, answer, is_tabular=True):
        print("\n".join(table(answer)))
