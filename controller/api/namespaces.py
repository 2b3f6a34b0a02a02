"""Namespaces, of which a key sees one, and the limits in force there."""

from typing import NoReturn

from aiohttp import web

from common.errors import NoInnerLimits
from controller.api.bounds import effective
from controller.api.route import Route
from controller.api.services import Services
from controller.edge import address, answers
from controller.edge.auth import IDENTITY
from controller.entitlement import rights


class Namespaces:
    """The collections `namespaces` and `limits`."""

    def __init__(self, services: Services) -> None:
        self._limits = services.settings.limits

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        limits = "/api/v1/namespaces/{namespace}/limits"
        return (
            Route(
                method="GET",
                path="/api/v1/namespaces",
                handler=self.list_all,
                shows={200: "Namespaces"},
                summary="List the namespaces of a key: its own",
                kind="namespace",
                answers={200: "A list with one name."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=limits,
                handler=self.get_limits,
                shows={200: "UserLimits"},
                summary="Read the limits of a namespace",
                kind="namespace",
                answers={200: "The limits in force."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=f"{limits}/{{name}}",
                handler=self.get_inner_limits,
                summary="Limits of one entity; there are none",
                kind="namespace",
                answers={400: "Always."},
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List the one namespace."""
        return answers.json([request[IDENTITY].namespace])

    async def get_limits(self, request: web.Request) -> web.StreamResponse:
        """Answer the limits in force."""
        identity = request[IDENTITY]
        own, bounds = identity.own, effective(self._limits, identity.own)
        rights.own_namespace(identity, address.namespace(request))
        body: dict[str, object] = {
            "invocationsPerMinute": identity.invocations_per_minute,
            "concurrentInvocations": identity.concurrent_invocations,
            "firesPerMinute": identity.firings_per_minute,
            "minActionMemory": bounds.min_memory_mb,
            "maxActionMemory": bounds.max_memory_mb,
            "minActionLogs": bounds.min_logs_mb,
            "maxActionLogs": bounds.max_logs_mb,
            "minActionTimeout": bounds.min_timeout_ms,
            "maxActionTimeout": bounds.max_timeout_ms,
            "minActionConcurrency": bounds.min_concurrency,
            "maxActionConcurrency": bounds.max_concurrency,
            "maxParameterSize": f"{bounds.max_parameters_bytes} B",
            "maxActionInstances": identity.concurrent_invocations,
        }
        if own.allowed_kinds is not None:
            body["allowedKinds"] = list(own.allowed_kinds)
        if own.store_activations is not None:
            body["storeActivations"] = own.store_activations
        if any(name == "maxPayloadSize" for name, _ in own.numbers):
            body["maxPayloadSize"] = f"{bounds.max_payload_bytes} B"
        return answers.json(body)

    async def get_inner_limits(self, request: web.Request) -> NoReturn:
        """Refuse: limits are of namespaces."""
        name = address.entity(request)
        rights.own_namespace(request[IDENTITY], name.namespace, name.name)
        raise NoInnerLimits
