"""What a namespace has used, under our own address: exact sums of its records, hour by hour."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, get_args

from aiohttp import web

from common.clock import Clock
from common.store.port import ActivationStore, Period, UsageRow
from controller.api import rights
from controller.api.route import Query, Route
from controller.edge import address, answers
from controller.edge.auth import IDENTITY
from controller.edge.rejections import MalformedQuery

HOUR_MS: Final = 3_600_000

_EPOCH_MS: Final = re.compile(r"[0-9]{1,14}")


class Usage:
    """Answers sums."""

    def __init__(self, activations: ActivationStore, clock: Clock) -> None:
        self._activations = activations
        self._clock = clock

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        time = "Unix ms, or an ISO date or time (UTC)"
        return (
            Route(
                method="GET",
                path="/api/brisk/v1/namespaces/{namespace}/usage",
                handler=self.get,
                summary="Read what a namespace has used",
                kind="namespace",
                query=(
                    Query("from", "string", f"{time}; default the first of this month."),
                    Query("to", "string", f"{time}, not included; default now."),
                    Query("by", "string", "`action` (default), `hour`, `day` or `month`."),
                ),
                answers={200: "Sums per period and action, whole hours, and their total."},
            ),
        )

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer the sums of one namespace."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        from_ms, to_ms, by = asked(request.query, self._clock.now_ms())
        rows = await self._activations.usage(namespace, from_ms=from_ms, to_ms=to_ms, by=by)
        return answers.json(
            {
                "from": from_ms,
                "to": to_ms,
                "by": by,
                "rows": [{"period": row.period, "action": row.action} | _sums(row) for row in rows],
                "total": _total(rows),
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
