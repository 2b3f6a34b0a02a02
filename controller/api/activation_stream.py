"""Following the activations of a namespace: each record is sent as it is kept, with its log."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from aiohttp import web

from common import codec
from common.entity.activation import ActivationRecord
from common.entity.namespace_limits import NamespaceLimits
from common.ids import ACTIVATION_ID_LENGTH, ActivationId
from controller.api import activation_answer
from controller.api.bounds import shown_from_ms
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, event_stream, query, sse
from controller.edge.auth import IDENTITY
from controller.entitlement import rights
from controller.stream.activations import Beat, Since, Told, after
from controller.stream.line import Missed

_ACTIVATION: Final = "activation"
_MISSED: Final = "missed"


class ActivationStream:
    """One address of our own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._streams = services.streams

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path="/api/brisk/v1/namespaces/{namespace}/activations/stream",
                handler=self.follow,
                summary="Follow activations as they end",
                kind="activation",
                query=(
                    Query("name", "string", "Of this action only: `action` or `package/action`."),
                    Query(
                        "since",
                        "integer",
                        "Begin with the newest 200 that started then or later, in Unix ms.",
                    ),
                ),
                answers={
                    200: "Server-sent events: `activation`, a whole record; `missed`, how many "
                    "were left out because they were read too slowly. What comes twice has the "
                    "same id. Who comes again with `Last-Event-ID` is sent what ended since.",
                    503: "Too many follow already.",
                },
                produces=sse.CONTENT_TYPE,
            ),
        )

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Send records until the client goes."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        name = query.action_filter(request.query)
        since = _resumed(request.headers.get(sse.LAST_SEEN))
        started_ms = query.epoch_ms(request.query, "since")
        if since is None and started_ms is not None:
            since = Since(started_ms=started_ms)
        if since is not None:
            shown_ms = self._shown_from_ms(request)
            since = replace(since, started_ms=max(since.started_ms or shown_ms, shown_ms))
        return await event_stream.answered(
            request,
            _events(self._streams.follow(namespace, name, since)),
            subjects=self._services.subjects,
            write_s=self._services.settings.stream.write_s,
        )

    def _shown_from_ms(self, request: web.Request) -> int:
        own: NamespaceLimits = request[IDENTITY].own
        records_days = self._services.settings.retention.records_days
        return shown_from_ms(self._services.clock.now_ms(), records_days, own)


async def _events(told: AsyncGenerator[Told, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for each in told:
            yield _event(each)
    finally:
        await told.aclose()


def _event(told: Told) -> bytes:
    if isinstance(told, Beat):
        return sse.BEAT
    if isinstance(told, Missed):
        return sse.event(_MISSED, codec.encode({"missed": told.count}))
    document = codec.encode(activation_answer.whole(told, logs=told.logs))
    return sse.event(_ACTIVATION, document, _name(told))


def _name(record: ActivationRecord) -> str:
    return f"{record.end_ms}-{record.activation_id}"


def _resumed(last_seen: str | None) -> Since | None:
    """Return where a client goes on; None for one that is new, or names what we never sent."""
    ended_ms, dash, seen = (last_seen or "").partition("-")
    is_ours = dash and ended_ms.isascii() and ended_ms.isdigit() and len(ended_ms) <= _DIGITS
    if not is_ours or len(seen) != ACTIVATION_ID_LENGTH:
        return None
    return after(int(ended_ms), ActivationId(seen))


_DIGITS: Final = 15
"""Of a moment in Unix milliseconds; a longer number is no moment."""
