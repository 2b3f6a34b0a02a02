"""Where feed actions of the platform's own find what makes their events.

A feed action runs in a sandbox, with the caller's key. What it is told goes on as it is to a
provider of events, which checks whose the trigger is. So does what the world sends to a hook, which
has no key: it is checked by its signature.
"""

from aiohttp import web

from controller.api.route import Route
from controller.api.services import Events
from controller.edge import answers, content
from controller.edge.transid import TRANSID

MAX_BODY_BYTES = 1 << 20
_BUSY = 503


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
            Route(
                method="POST",
                path="/api/brisk/v1/hooks/{namespace}/{trigger}/{token}",
                handler=self.call,
                summary="Call a hook: fire the trigger behind it with what was signed",
                kind="trigger",
                body="Whatever the sender says.",
                answers={
                    200: "Slack's question whether this is a hook, answered.",
                    202: "The trigger is fired.",
                    401: "It is not signed with the secret of the hook, or too old.",
                    404: "There is no such hook.",
                    409: "The hook is paused or stopped.",
                    413: "It is too large.",
                    429: "The namespace has fired too often: send it again.",
                    503: "The platform cannot take it now: send it again.",
                },
                is_open=True,
            ),
        )

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """Pass on what a feed action was told, and what it is answered."""
        body = await content.raw(request, limit_bytes=MAX_BODY_BYTES)
        named = request.match_info
        status, text = await self._events.feed(named["package"], named["feed"], body or b"")
        return answers.passed_on(status, text, request[TRANSID])

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Pass on the call of a hook, and what it is answered."""
        body = await content.raw(request, limit_bytes=MAX_BODY_BYTES)
        named = request.match_info
        path = (named["namespace"], named["trigger"], named["token"])
        status, text = await self._events.hook(path, request.headers, body or b"")
        later = {answers.RETRY_AFTER: "5"} if status == _BUSY else {}
        return answers.passed_on(status, text, request[TRANSID], **later)
