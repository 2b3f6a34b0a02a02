"""What a namespace has used, under our own address: exact sums of its records, hour by hour.

Where the installation has prices, what that costs, too; as charges of FOCUS; and whether the sums
are those of the records.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_args

from aiohttp import web

from common.clock import Clock
from common.settings import PriceSettings
from common.store.port import ActivationStore, Period, UsageRow
from controller.api.route import Query, Route
from controller.billing.book import book_of
from controller.billing.budgets import Shown
from controller.billing.focus import COLUMNS, charges
from controller.billing.price import (
    micros,
    needed,
    priced,
    shared,
    total_units,
)
from controller.edge import address, answers
from controller.edge.auth import IDENTITY
from controller.edge.rejections import MalformedQuery
from controller.entitlement import rights

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

_EPOCH_MS: Final = re.compile(r"[0-9]{1,14}")


class Usage:
    """Answers sums."""

    def __init__(
        self,
        activations: ActivationStore,
        clock: Clock,
        prices: PriceSettings,
        budgets: Shown,
    ) -> None:
        self._activations = activations
        self._clock = clock
        self._provider = prices.provider
        self._book = book_of(prices)
        self._budgets = budgets

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        time = "Unix ms, or an ISO date or time (UTC)"
        times = (
            Query("from", "string", f"{time}; default the first of this month."),
            Query("to", "string", f"{time}, not included; default now."),
        )
        usage = "/api/brisk/v1/namespaces/{namespace}/usage"
        return (
            Route(
                method="GET",
                path=f"{usage}/focus",
                handler=self.get_charges,
                summary="Read what a namespace has used as charges of FOCUS 1.0, day by day",
                kind="namespace",
                query=times,
                answers={200: "The names of the columns, and the charges."},
            ),
            Route(
                method="GET",
                path=f"{usage}/verify",
                handler=self.verify,
                summary="Compare what a namespace is billed for with its records, one by one",
                kind="namespace",
                answers={200: "Both sums, whether they are equal, and those of dropped days."},
            ),
            Route(
                method="GET",
                path=usage,
                handler=self.get,
                summary="Read what a namespace has used",
                kind="namespace",
                query=(
                    *times,
                    Query("by", "string", "`action` (default), `hour`, `day` or `month`."),
                ),
                answers={
                    200: "Sums per period and action, whole hours, and their total; with prices, "
                    "costs in millionths of the currency, which add up; and the budget, if the "
                    "namespace has one."
                },
            ),
        )

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer the sums of one namespace."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        from_ms, to_ms, by = asked(request.query, self._clock.now_ms())
        asked_by = needed(by) if self._book.prices else by
        rows = await self._activations.usage(namespace, from_ms=from_ms, to_ms=to_ms, by=asked_by)
        answer: dict[str, Any] = {"from": from_ms, "to": to_ms, "by": by}
        if (budget := self._budgets.shown(namespace)) is not None:
            answer["budget"] = budget
        if not self._book.prices:
            return answers.json(answer | {"rows": [*map(_row, rows)], "total": _total(rows)})
        costs = priced(rows, by, self._book)
        shown = zip(costs, shared([each.cost.units for each in costs]), strict=True)
        return answers.json(
            answer
            | {
                "rows": [_row(each.row) | {"cost_micros": part} for each, part in shown],
                "total": _total(rows) | {"cost_micros": micros(total_units(costs))},
                "currency": self._book.currency,
            }
        )

    async def get_charges(self, request: web.Request) -> web.StreamResponse:
        """Answer the charges of one namespace, of the days that the time is in."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        from_ms, to_ms, _ = asked(request.query, self._clock.now_ms())
        from_ms, to_ms = from_ms - from_ms % DAY_MS, to_ms + -to_ms % DAY_MS
        rows = await self._activations.usage(namespace, from_ms=from_ms, to_ms=to_ms, by="day")
        found = charges(rows, namespace, self._book, provider=self._provider)
        return answers.json({"columns": COLUMNS, "rows": [*found]})

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """Answer what is billed, and what the records come to."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        audit = await self._activations.audit(namespace)
        return answers.json(
            {
                "exact": audit.is_exact,
                "billed": _sums(audit.ledger),
                "recomputed": _sums(audit.recomputed),
                "dropped": _sums(audit.dropped),
            }
        )


def asked(given: Mapping[str, str], now_ms: int) -> tuple[int, int, Period]:
    """Return the time, in whole hours, and the grouping. Raises `MalformedQuery`."""
    first = datetime.fromtimestamp(now_ms / 1000, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    from_ms = _time(given, "from", int(first.timestamp() * 1000))
    to_ms = _time(given, "to", now_ms)
    by = next((each for each in get_args(Period) if each == given.get("by", "action")), None)
    if by is None:
        raise MalformedQuery("by", f"'{given['by']}' is not one of {', '.join(get_args(Period))}.")
    from_ms -= from_ms % HOUR_MS
    to_ms += -to_ms % HOUR_MS
    if to_ms < from_ms:
        raise MalformedQuery("to", "The end is before the beginning.")
    return from_ms, to_ms, by


def _time(given: Mapping[str, str], name: str, default_ms: int) -> int:
    text = given.get(name, "")
    if not text:
        return default_ms
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedQuery(name, f"'{text}' is neither Unix milliseconds nor a date.") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _row(row: UsageRow) -> dict[str, Any]:
    return {"period": row.period, "action": row.action} | _sums(row)


def _sums(row: UsageRow) -> dict[str, int]:
    return {
        "activations": row.activations,
        "billed_ms": row.billed_ms,
        "mb_ms": row.mb_ms,
    }


def _total(rows: Sequence[UsageRow]) -> dict[str, int]:
    return {
        "activations": sum(row.activations for row in rows),
        "billed_ms": sum(row.billed_ms for row in rows),
        "mb_ms": sum(row.mb_ms for row in rows),
    }
