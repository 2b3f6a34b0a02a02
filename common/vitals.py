"""What an operator asks any process: `/ping`, `/healthz`, `/metrics`.

`/ping` says that the process answers, and nothing else: who restarts processes should ask that.
`/healthz` is 503 while the process starts or stops: who distributes requests should ask that.

A process that serves an API shows this face until the API is up: a request that comes too early is
told what the process waits for.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from common import codec, metrics
from common.health import Health

TRY_AGAIN_S: Final = 1


@asynccontextmanager
async def served(
    listener: socket.socket, health: Health, *, instead_of: str | None = None
) -> AsyncIterator[None]:
    """Answer at *listener* while inside; it is closed at the end.

    instead_of: what will be served there later; until then whoever asks for it is told 503.
    """

    async def show_health(_: web.Request) -> web.Response:
        return healthz(health)

    async def early(_: web.Request) -> web.Response:
        text = f"The {instead_of} is starting. {health.waits_for}".strip()
        body = codec.encode({"error": text})
        return web.Response(
            body=body,
            status=503,
            content_type="application/json",
            headers={"Retry-After": str(TRY_AGAIN_S), "Connection": "close"},
        )

    app = web.Application()
    app.add_routes(
        [
            web.get("/ping", _ping),
            web.get("/healthz", show_health),
            web.get("/metrics", _show_metrics),
        ]
    )
    if instead_of is not None:
        app.router.add_route("*", "/{rest:.*}", early)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def healthz(health: Health) -> web.Response:
    """Return the answer to `/healthz`."""
    return web.Response(
        body=codec.encode(health.document()),
        status=200 if health.serves else 503,
        content_type="application/json",
    )


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text="pong")


async def _show_metrics(_: web.Request) -> web.Response:
    return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})
