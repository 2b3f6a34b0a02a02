"""Following the user events of a namespace, in OpenWhisk's schema."""

from collections.abc import AsyncGenerator
from typing import Final

from aiohttp import web

from common import codec
from common.message.event import EventType
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, event_stream, sse
from controller.edge.auth import IDENTITY
from controller.edge.rejections import MalformedQuery
from controller.entitlement import rights
from controller.stream.activations import Beat
from controller.stream.line import Missed
from controller.stream.user_events import Told

_TYPES: Final[dict[str, EventType | None]] = {
    "": None,
    "Activation": "Activation",
    "Metric": "Metric",
}


class UserEventStream:
    """One address of our own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._streams = services.event_streams

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path="/api/brisk/v1/namespaces/{namespace}/events",
                handler=self.follow,
                summary="Follow user events",
                kind="namespace",
                query=(Query("type", "string", "`Activation` or `Metric`; default both."),),
                answers={
                    200: "Server-sent events: `event`, one in OpenWhisk's schema; `missed`, how "
                    "many were left out because they were read too slowly.",
                    404: "This platform sends no user events.",
                    503: "Too many follow already.",
                },
                produces=sse.CONTENT_TYPE,
            ),
        )

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Send events until the client goes."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        asked = request.query.get("type", "")
        if asked not in _TYPES:
            raise MalformedQuery("type", f"It is Activation or Metric, not {asked}.")
        return await event_stream.answered(
            request,
            _events(self._streams.follow(namespace, _TYPES[asked])),
            subjects=self._services.subjects,
            write_s=self._services.settings.stream.write_s,
        )


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
        return sse.event("missed", codec.encode({"missed": told.count}))
    return sse.event("event", codec.encode(told.to_wire()))
