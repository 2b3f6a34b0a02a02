"""The face of a provider in a process of its own: HTTP for controllers, and for who operates it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from common import metrics, vitals
from common.health import Health
from controller.events.face import MAX_BODY_BYTES, Face
from controller.events.provider import Answer

READ_S: Final = 30.0
"""How long a controller may take to send what a client told it."""
_TOO_LARGE: Final = Answer(413, b'{"error": "The request is too large."}')
_TOO_SLOW: Final = Answer(408, b'{"error": "The request did not come in time."}')


@asynccontextmanager
async def served(listener: socket.socket, face: Face, health: Health) -> AsyncIterator[None]:
    """Answer at *listener* while inside; it is closed at the end."""

    async def tell(request: web.Request) -> web.Response:
        body = await _body(request)
        if isinstance(body, Answer):
            return _response(body)
        named = request.match_info
        return _response(await face.feed(named["package"], named["feed"], body))

    async def call(request: web.Request) -> web.Response:
        body = await _body(request)
        if isinstance(body, Answer):
            return _response(body)
        named = request.match_info
        path = (named["namespace"], named["trigger"], named["token"])
        return _response(await face.hook(path, request.headers, body))

    async def healthz(_: web.Request) -> web.Response:
        return vitals.healthz(health)

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.post("/feeds/{package}/{feed}", tell),
            web.post("/hooks/{namespace}/{trigger}/{token}", call),
            web.get("/ping", _ping),
            web.get("/healthz", healthz),
            web.get("/metrics", _metrics),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


async def _body(request: web.Request) -> bytes | Answer:
    try:
        async with asyncio.timeout(READ_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return _TOO_LARGE
    except TimeoutError:
        return _TOO_SLOW


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, content_type="application/json")


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text="pong")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})
