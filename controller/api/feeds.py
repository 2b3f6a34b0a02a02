"""Where feed actions of the platform's own find what makes their events.

A feed action runs in a sandbox, with the caller's key. What it is told goes on as it is to a
provider of events, which checks whose the trigger is.
"""

from aiohttp import web

from controller.api.route import Route
from controller.api.services import Events
from controller.edge import content
from controller.edge.content import JSON

MAX_BODY_BYTES = 1 << 20


class Feeds:
    """The way to the providers of events."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="POST",
                path="/api/brisk/v1/feeds/{package}/{feed}",
                handler=self.tell,
                summary="Tell a feed what becomes of a trigger; for feed actions",
                kind="other",
                body="What the feed action was told: lifecycleEvent, triggerName, authKey, more.",
                answers={
                    200: "It is done; of READ, the feed's config and status.",
                    400: "A parameter is wrong; the text says which, and how.",
                    401: "The trigger cannot be read with this key.",
                    404: "The trigger has no such feed.",
                    503: "The providers of events are away.",
                },
            ),
        )

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """Pass on what a feed action was told, and what it is answered."""
        body = await content.raw(request, limit_bytes=MAX_BODY_BYTES)
        named = request.match_info
        status, text = await self._events.feed(named["package"], named["feed"], body or b"")
        return web.Response(status=status, body=text, headers={"Content-Type": JSON})
