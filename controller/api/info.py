"""What the platform says of itself to anybody: no credentials, and nothing that needs them."""

import importlib.resources
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from common import metrics, vitals
from common.settings import LimitSettings, ThrottleSettings
from controller.api.route import Route
from controller.api.services import Services
from controller.edge import answers

MB: Final = 1 << 20
BUILD_NUMBER: Final = "1"
"""OpenWhisk's count of builds. Brisk counts versions, and shows them elsewhere."""


class Info:
    """The documents of the deployment, of the API and of its health."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._deployment = partial(deployment, settings.limits, settings.throttle)
        self._manifest = services.manifest
        self._api = api(_built_on())
        self._swagger = _swagger()
        self._invoker_health = services.invoker_health
        self._health = services.health

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            _open("/", self.get_deployment, "Read what this deployment offers"),
            _open("/ping", self.ping, "Ask whether the process answers"),
            _open(
                "/healthz",
                self.get_health,
                "Read whether requests should be sent here, and how each dependency is",
                {200: "They should; what is degraded is named.", 503: "The process stops."},
            ),
            _open("/metrics", self.get_metrics, "Read all metrics in Prometheus' text format"),
            _open("/invokers", self.get_invokers, "Read the health of each invoker"),
            _open("/invokers/healthy/count", self.count_healthy, "Count the healthy invokers"),
            _open(
                "/invokers/ready",
                self.get_readiness,
                "Ask whether all invokers are healthy",
                {200: "All are.", 500: "One is not, or there is none."},
            ),
            _open("/api/v1", self.get_api, "Read which API this is", slash=True),
            _open("/api/v1/api-docs", self.get_swagger, "Read OpenWhisk's description", slash=True),
        )

    async def get_deployment(self, _: web.Request) -> web.StreamResponse:
        """Answer limits and runtimes."""
        return answers.plain_json(self._deployment(self._manifest.info()))

    async def ping(self, _: web.Request) -> web.StreamResponse:
        """Answer `pong`."""
        return web.Response(text="pong", headers={"Content-Type": "text/plain; charset=UTF-8"})

    async def get_health(self, _: web.Request) -> web.StreamResponse:
        """Answer how this process and each of its dependencies is."""
        return vitals.healthz(self._health)

    async def get_metrics(self, _: web.Request) -> web.StreamResponse:
        """Answer all metrics."""
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def get_invokers(self, _: web.Request) -> web.StreamResponse:
        """Answer state by name."""
        return answers.plain_json(dict(self._invoker_health()))

    async def count_healthy(self, _: web.Request) -> web.StreamResponse:
        """Answer a bare number."""
        return answers.plain_json(self._count_healthy()[0])

    async def get_readiness(self, _: web.Request) -> web.StreamResponse:
        """Answer 200 only while every invoker is healthy."""
        healthy, known = self._count_healthy()
        share = f"{healthy}/{known}"
        if 0 < known == healthy:
            return answers.plain_json({"healthy": share})
        return answers.plain_json({"unhealthy": share}, status=500)

    async def get_api(self, _: web.Request) -> web.StreamResponse:
        """Answer which API this is."""
        return answers.json(self._api)

    async def get_swagger(self, _: web.Request) -> web.StreamResponse:
        """Answer OpenWhisk's own description of its API."""
        return answers.json(self._swagger)

    def _count_healthy(self) -> tuple[int, int]:
        states = list(self._invoker_health().values())
        return states.count("up"), len(states)


def deployment(
    bounds: LimitSettings, throttle: ThrottleSettings, runtimes: dict[str, Any]
) -> dict[str, Any]:
    """Return the document of `GET /`: times in milliseconds, sizes in bytes."""
    ranges = {
        "action_duration": (bounds.min_timeout_ms, bounds.max_timeout_ms),
        "action_memory": (bounds.min_memory_mb * MB, bounds.max_memory_mb * MB),
        "action_logs": (bounds.min_logs_mb * MB, bounds.max_logs_mb * MB),
    }
    limits = {
        "actions_per_minute": throttle.invocations_per_minute,
        "triggers_per_minute": throttle.firings_per_minute,
        "concurrent_actions": throttle.concurrent_invocations,
        "sequence_length": bounds.sequence_length,
    }
    for name, (least, most) in ranges.items():
        for prefix in ("", "default_"):
            limits |= {f"{prefix}min_{name}": least, f"{prefix}max_{name}": most}
    return {
        "description": "OpenWhisk",
        "support": {
            "github": "https://github.com/apache/openwhisk/issues",
            "slack": "http://slack.openwhisk.org",
        },
        "api_paths": ["/api/v1"],
        "limits": limits,
        "runtimes": runtimes,
    }


def api(built_on: str) -> dict[str, Any]:
    """Return the document of `GET /api/v1`."""
    return {
        "description": "OpenWhisk API",
        "api_version": "1.0.0",
        "api_version_path": "v1",
        "build": built_on,
        "buildno": BUILD_NUMBER,
        "swagger_paths": {"ui": "/docs", "api-docs": "/api-docs"},
    }


def _open(
    path: str,
    handler: Any,
    summary: str,
    meanings: dict[int, str] | None = None,
    *,
    slash: bool = False,
) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        answers=meanings or {200: "What was asked for."},
        is_open=True,
        may_end_in_slash=slash,
    )


def _built_on() -> str:
    """Return the day on which this copy was installed, which is what we know of its build."""
    changed_s = Path(__file__).stat().st_mtime
    return datetime.fromtimestamp(changed_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _swagger() -> Any:
    text = importlib.resources.files("controller.api").joinpath("apiv1swagger.json").read_bytes()
    return json.loads(text)
