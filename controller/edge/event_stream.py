"""An answer that does not end: events are sent as they come, until either side has enough.

A client that reads nothing for a while is let go: what it holds is needed by others. A key that is
withdrawn meanwhile ends what was begun with it, at the next beat.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from controller.edge import auth, cors, sse
from controller.edge.auth import Subjects
from controller.edge.gate import SERVER
from controller.edge.transid import HEADER, TRANSID

_HEADERS = {
    "Content-Type": sse.CONTENT_TYPE,
    "Cache-Control": "no-store",
    # Else a proxy that gathers answers keeps events until there are many.
    "X-Accel-Buffering": "no",
}


async def answered(
    request: web.Request,
    events: AsyncGenerator[bytes, None],
    *,
    subjects: Subjects,
    write_s: float,
) -> web.StreamResponse:
    """Send *events* until they or the client end; each is whole.

    events: what it raises before its first event is raised here, with nothing answered.
    write_s: how long the client may read nothing.
    """
    named = {HEADER: request[TRANSID], "Server": SERVER}
    answer = web.StreamResponse(headers=_HEADERS | cors.HEADERS | named)
    async with aclosing(events):
        async for event in events:
            if not answer.prepared:
                await answer.prepare(request)
            if event is sse.BEAT and not await _is_welcome(request, subjects):
                break
            try:
                async with asyncio.timeout(write_s):
                    await answer.write(event)
            except (ConnectionError, TimeoutError):
                break  # gone, or as good as that
    return answer


async def _is_welcome(request: web.Request, subjects: Subjects) -> bool:
    try:
        await auth.authenticate(request.headers.get("Authorization"), subjects)
    except auth.REFUSED:
        return False
    return True
