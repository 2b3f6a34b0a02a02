"""The API: the table of routes, behind the gate, and the two faces that show it on one port.

`build_app` builds values and registers them; it starts nothing. `served` runs both faces on a
socket: the hot one in front, for plain invocations, and aiohttp behind it, for everything.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from controller.api import page_shortcut, shortcut
from controller.api.actions import Actions
from controller.api.activation_stream import ActivationStream
from controller.api.activations import Activations
from controller.api.apimgmt import ApiManagement
from controller.api.apis import ApiAccess
from controller.api.feeds import Feeds
from controller.api.gateway import Gateway
from controller.api.info import Info
from controller.api.invocations import Invocations
from controller.api.namespaces import Namespaces
from controller.api.openapi import OpenApi
from controller.api.packages import Packages
from controller.api.page_shortcut import PageShortcut
from controller.api.registries import Registries
from controller.api.route import Route, register
from controller.api.rules import Rules
from controller.api.services import Services
from controller.api.shortcut import Shortcut
from controller.api.triggers import Triggers
from controller.api.usage import Usage
from controller.api.user_events import UserEventStream
from controller.api.webactions import WebActions
from controller.edge.gate import Gate
from controller.edge.hot import HotListener, Shorts
from controller.edge.raw import RawAnswers
from controller.gateway.apis import Apis

__all__ = ["Services", "build_app", "served", "table"]

BACKLOG: Final = 1024
KEEP_ALIVE_S: Final = 75.0
ANSWER_S: Final = 1.0
"""How long it may take to answer those who wait no longer, when the platform stops."""


def table(services: Services) -> tuple[Route, ...]:
    """Return all routes of the API; the hot ones first, where the router finds them first."""
    invocations, web_actions = Invocations(services), WebActions(services)
    apis = Apis(services.catalog.apis, services.clock, services.settings.gateway)
    routes = (
        *invocations.routes(),
        *ActivationStream(services).routes(),  # `stream` is no id of an activation
        *Activations(
            services.activations, services.clock, services.settings.retention.records_days
        ).routes(),
        *Actions(services).routes(),
        *Packages(services).routes(),
        *Triggers(services, invocations).routes(),
        *Rules(services).routes(),
        *web_actions.routes(),
        *Gateway(services, web_actions).routes(),
        *ApiManagement(services, apis).routes(),
        *ApiAccess(apis, services.clock, services.settings.gateway).routes(),
        *Namespaces(services).routes(),
        *Registries(services.registries).routes(),
        *Feeds(services.events).routes(),
        *UserEventStream(services).routes(),
        *Usage(
            services.activations, services.clock, services.settings.price, services.budgets
        ).routes(),
        *Info(services).routes(),
    )
    return (*routes, *OpenApi(routes).routes())


def build_app(services: Services) -> web.Application:
    """Return the application that serves the API with *services*."""
    sample_share = services.settings.tracing.sample_share
    gate = Gate(services.subjects, sample_share, services.spans, services.clock)
    app = web.Application(middlewares=[gate.middleware()])
    register(table(services), app.router, gate)

    async def end_streams(_: web.Application) -> None:
        services.streams.close()
        services.event_streams.close()

    app.on_shutdown.append(end_streams)
    return app


@asynccontextmanager
async def served(
    services: Services,
    listener: socket.socket,
    *,
    drain_s: float,
    end_waits: Callable[[], object],
) -> AsyncIterator[None]:
    """Answer requests that come to *listener* while inside.

    listener: bound; it stays the caller's.
    drain_s: how long the end of the block waits for requests that are under way.
    end_waits: called when that is over; has who still waits for an activation answered at once.
    """
    runner = web.AppRunner(
        build_app(services),
        access_log=None,
        logger=_silent(),
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=drain_s + ANSWER_S,
    )
    await runner.setup()
    assert runner.server, "the runner is set up"
    hot = HotListener(_shorts(services), runner.server)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(hot.serve())
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(hot, sock=listener, backlog=BACKLOG)
            try:
                yield
            finally:
                server.close()
                overdue = loop.call_later(drain_s, end_waits)
                await hot.drain(drain_s + ANSWER_S)
                await runner.cleanup()
                overdue.cancel()
        finally:
            await runner.cleanup()
            serving.cancel()


def _shorts(services: Services) -> Shorts:
    raw = RawAnswers(services.clock)
    invocations = Shortcut(services, Invocations(services), raw)
    return Shorts(
        posts=(shortcut.PREFIX, invocations),
        gets=(page_shortcut.PREFIX, PageShortcut(services, raw)),
    )


def _silent() -> logging.Logger:
    """Return a log for aiohttp that holds nothing: else anyone could fill it with bad requests.

    What a handler of ours raises, the gate logs.
    """
    logger = logging.getLogger("aiohttp.server.silent")
    logger.disabled = True
    return logger
