"""`usage`: what a namespace used, from Brisk's own route.

Everything is an integer on the wire. GB-seconds are derived here and exact: one is 1024 · 1000
MB·ms, and a division by that ends after thirteen decimals at most. Costs are millionths of a
currency.
"""

import csv
import io
import sys
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, Final

import click

from cli import render
from cli.console import ok
from cli.failures import GENERAL, Ended, Failure
from cli.grammar import Command, Words
from cli.jsontext import Json, pretty
from cli.names import OWN
from cli.output import shown
from cli.session import Session

MB_MS_IN_GB_S: Final = 1024 * 1000
_EXACT: Final = Context(prec=60)
_GROUPINGS: Final = ("action", "hour", "day", "month")
_FORMS: Final = ("csv", "json")
_VERBS: Final = (("export",), ("verify",))


def gb_seconds(mb_ms: int) -> Decimal:
    """Return *mb_ms* in GB-seconds, without rounding."""
    return _EXACT.divide(Decimal(mb_ms), Decimal(MB_MS_IN_GB_S)).normalize(_EXACT)


def currency(micros: int) -> Decimal:
    """Return so many millionths of a currency in that currency, with six decimals."""
    return Decimal(micros).scaleb(-6)


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
    head = ["activations", "billed ms", "GB-s"]
    if "cost_micros" in total:
        head.append(str(answer.get("currency")))
    cells = [
        [*name, *_numbers(row), f"{amount:.{decimals}f}", *_cost(row)]
        for name, row, amount in zip(names, (*rows, total), amounts, strict=True)
    ]
    return render.columns([*first, *head], cells, numbers=len(head))


def budget_lines(answer: dict[str, Json]) -> list[str]:
    """Return what there is to say of a budget: how much is spent, and when it begins anew."""
    budget = answer.get("budget")
    if not isinstance(budget, dict):
        return []
    level = "" if budget.get("level") == "within" else f", {budget.get('level')}"
    said = f"{budget.get('text')} this {budget.get('every')} ({budget.get('percent')} %{level})"
    return ["", f"budget: {said}; it begins anew at {budget.get('resets')}"]


def _numbers(row: dict[str, Json]) -> list[str]:
    return [str(int(row.get(name) or 0)) for name in ("activations", "billed_ms")]


def _cost(row: dict[str, Json]) -> list[str]:
    return [f"{currency(int(row['cost_micros'])):f}"] if "cost_micros" in row else []


@click.command(
    "usage",
    cls=Command,
    words=(0, 2),
    shown="[export|verify] [NAMESPACE]",
    needs="An optional namespace is the only valid argument.",
)
@click.option("--from", metavar="TIME", help="from this moment on")
@click.option("--to", metavar="TIME", help="up to this moment")
@click.option("--by", metavar="|".join(_GROUPINGS), default="action", help="one row for each")
@click.option("--format", "form", type=click.Choice(_FORMS), help="of an export; default csv")
@click.option("-f", "--file", metavar="FILE", help="where an export goes; default: it is printed")
def usage(
    session: Session, words: Words, by: str, form: str | None, file: str | None, **bounds: Any
) -> None:
    """Show what a namespace used: activations, billed time, GB-seconds, and what that costs.

    `export` writes charges in the columns of FOCUS 1.0, day by day; `verify` adds up the records
    one by one and ends with 1 where that is not what is billed. A namespace of such a name is
    written with a slash before it.
    """
    if by not in _GROUPINGS:
        raise Failure(f"Invalid argument '{by}' for --by flag: one of {', '.join(_GROUPINGS)}.")
    verb, rest = (words[0], words[1:]) if words[:1] in _VERBS else ("", words)
    if len(rest) > 1:
        raise Failure(f"Invalid argument(s): {rest[1]}. An optional namespace is the only one.")
    namespace = rest[0].strip("/") if rest else OWN
    times = {name: value for name, value in bounds.items() if value}
    client = session.client()
    try:
        match verb:
            case "verify":
                _verify(session, client.verify_usage(namespace))
            case "export":
                _export(client.charges(namespace, times), form or "csv", file)
            case _:
                answer = client.usage(namespace, times | {"by": by})
                if not shown(session, answer, is_tabular=True):
                    print("\n".join([*table(answer), *budget_lines(answer)]))
    except Failure as failure:
        said = "default" if namespace == OWN else namespace
        raise failure.within(f"Unable to get the usage of namespace '{said}'") from failure


def csv_of(answer: dict[str, Json]) -> str:
    """Return charges as a table with commas, as RFC 4180 has it; null is empty."""
    written = io.StringIO(newline="")
    columns = [str(name) for name in answer.get("columns") or []]
    writer = csv.DictWriter(written, columns)
    writer.writeheader()
    writer.writerows(answer.get("rows") or [])
    return written.getvalue()


def _export(answer: dict[str, Json], form: str, file: str | None) -> None:
    text = csv_of(answer) if form == "csv" else pretty(answer.get("rows") or []) + "\n"
    if file is None:
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Failure(f"Unable to write {file}: {error.strerror}", shows_usage=False) from error
    ok(f"{file}: {len(answer.get('rows') or [])} charges")


def _verify(session: Session, answer: dict[str, Json]) -> None:
    is_exact = answer.get("exact") is True
    if not shown(session, answer):
        rows = [
            [name, *_numbers(sums), str(int(sums.get("mb_ms") or 0))]
            for name in ("billed", "recomputed", "dropped")
            for sums in [dict(answer.get(name) or {})]
        ]
        print("\n".join(render.columns(["", "activations", "billed ms", "MB ms"], rows, numbers=3)))
        if is_exact:
            ok("what is billed is the sum of the records")
    if not is_exact:
        raise Ended(GENERAL)
