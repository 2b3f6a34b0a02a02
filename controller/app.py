"""The application: the table of routes, behind the gate.

`build_app` builds values and registers them; it starts nothing. Whoever runs it owns the sockets.
"""

from aiohttp import web

from controller.api.actions import Actions
from controller.api.activations import Activations
from controller.api.info import Info
from controller.api.invocations import Invocations
from controller.api.namespaces import Namespaces
from controller.api.openapi import OpenApi
from controller.api.route import Route, register
from controller.api.services import Services
from controller.api.unfilled import Unfilled
from controller.api.usage import Usage
from controller.edge.gate import Gate

__all__ = ["Services", "build_app", "table"]


def table(services: Services) -> tuple[Route, ...]:
    """Return all routes of the API; the hot ones first, where the router finds them first."""
    routes = (
        *Invocations(services).routes(),
        *Activations(services.activations).routes(),
        *Actions(services).routes(),
        *Unfilled("packages", "package", services.actions).routes(),
        *Unfilled("triggers", "trigger", services.actions).routes(),
        *Unfilled("rules", "rule", services.actions).routes(),
        *Namespaces(services).routes(),
        *Usage(services.activations, services.clock).routes(),
        *Info(services).routes(),
    )
    return (*routes, *OpenApi(routes).routes())


def build_app(services: Services) -> web.Application:
    """Return the application that serves the API with *services*."""
    gate = Gate(services.subjects)
    app = web.Application(middlewares=[gate.middleware()])
    register(table(services), app.router, gate)
    return app
