"""What an operator asks an invoker: `/ping`, `/healthz`, `/metrics`. It serves nobody else."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from common import codec, metrics

Health = Callable[[], Mapping[str, str]]
"""By name, why a dependency does not serve; empty where it does."""


@asynccontextmanager
async def served(listener: socket.socket, health: Health) -> AsyncIterator[None]:
    """Answer at *listener* while inside."""

    async def ping(_: web.Request) -> web.Response:
        return web.Response(text="pong")

    async def healthz(_: web.Request) -> web.Response:
        state = dict(health())
        body = codec.encode({"healthy": not any(state.values()), "dependencies": state})
        status = 503 if any(state.values()) else 200
        return web.Response(body=body, status=status, content_type="application/json")

    async def show(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes(
        [web.get("/ping", ping), web.get("/healthz", healthz), web.get("/metrics", show)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
