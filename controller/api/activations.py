"""Activations: the records of a namespace, listed and read, never written.

A record that its namespace does not keep any more is not shown, also where its day is still there:
somebody else keeps that for longer.
"""

from typing import Final

from aiohttp import web

from common import codec
from common.clock import Clock
from common.entity.activation import ActivationRecord
from common.entity.namespace_limits import NamespaceLimits
from common.errors import DocsWithCount
from common.store.port import ActivationFilter, ActivationStore, Missing
from controller.api import activation_answer
from controller.api.bounds import shown_from_ms
from controller.api.collection_list import LIST_QUERY, counted
from controller.api.route import Query, Route
from controller.edge import address, answers, query
from controller.edge.auth import IDENTITY
from controller.entitlement import rights

_COLLECTION: Final = "/api/v1/namespaces/{namespace}/activations"
_ONE: Final = {200: "What was asked for.", 404: "There is none, or it has not ended."}


class Activations:
    """The collection `activations`, and the whole record under our own address."""

    def __init__(self, activations: ActivationStore, clock: Clock, records_days: int) -> None:
        self._activations = activations
        self._clock = clock
        self._records_days = records_days

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path=f"{_COLLECTION}/{{id}}",
                handler=self.get,
                shows={200: "Activation"},
                summary="Read an activation",
                kind="activation",
                answers=_ONE,
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=f"{_COLLECTION}/{{id}}/result",
                handler=self.get_result,
                shows={200: "ActivationResult"},
                summary="Read how an activation ended",
                kind="activation",
                answers=_ONE,
            ),
            Route(
                method="GET",
                path=f"{_COLLECTION}/{{id}}/logs",
                handler=self.get_logs,
                shows={200: "ActivationLogs"},
                summary="Read what an activation printed",
                kind="activation",
                answers=_ONE,
            ),
            Route(
                method="GET",
                path=_COLLECTION,
                handler=self.list_all,
                shows={200: "ActivationBrief[]"},
                summary="List activations, newest first",
                kind="activation",
                query=(
                    *LIST_QUERY,
                    Query("docs", "boolean", "Whole records, not a line each; default false."),
                    Query("name", "string", "Of this action only: `action` or `package/action`."),
                    Query("since", "integer", "Started at this time or later, in Unix ms."),
                    Query("upto", "integer", "Started at this time or before, in Unix ms."),
                ),
                answers={200: "The activations, or how many there are."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path="/api/brisk/v1/namespaces/{namespace}/activations/{id}",
                handler=self.get_billed,
                summary="Read an activation with what it cost",
                kind="activation",
                answers=_ONE,
            ),
        )

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer one record."""
        record = await self._own(request)
        return answers.json(activation_answer.whole(record, logs=record.logs))

    async def get_result(self, request: web.Request) -> web.StreamResponse:
        """Answer the response of one record."""
        return answers.json(activation_answer.response(await self._own(request)))

    async def get_logs(self, request: web.Request) -> web.StreamResponse:
        """Answer the log lines of one record."""
        return answers.json({"logs": (await self._own(request)).logs})

    async def get_billed(self, request: web.Request) -> web.StreamResponse:
        """Answer one record with what OpenWhisk has no field for."""
        record = await self._own(request)
        document = activation_answer.whole(record, logs=record.logs)
        document["response"]["statusCode"] = int(record.response.status)
        return answers.json(
            document | {"billed_ms": record.billed_ms, "memory_mb": record.memory_mb}
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List a namespace."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        asked = request.query
        page = query.page(asked, "activations")
        with_docs = query.boolean(asked, "docs", default=False)
        wanted = ActivationFilter(
            namespace=namespace,
            name=query.action_filter(asked),
            since_ms=max(query.epoch_ms(asked, "since") or 0, self._shown_from_ms(request)),
            upto_ms=query.epoch_ms(asked, "upto"),
        )
        if page.count and with_docs:
            raise DocsWithCount
        if page.count:
            total = await self._activations.count(wanted)
            return answers.json(counted("activations", total, page))
        records = await self._activations.list(wanted, limit=page.limit, skip=page.skip)
        lines = (_line(record, with_docs=with_docs) for record in records)
        return answers.json([codec.Raw(codec.encode(line)) for line in lines])

    async def _own(self, request: web.Request) -> ActivationRecord:
        namespace = address.namespace(request)
        activation_id = address.activation_id(request)
        rights.own_namespace(request[IDENTITY], namespace, activation_id)
        record = await self._activations.get(namespace, activation_id)
        if record.start_ms < self._shown_from_ms(request):
            raise Missing
        return record

    def _shown_from_ms(self, request: web.Request) -> int:
        own: NamespaceLimits = request[IDENTITY].own
        return shown_from_ms(self._clock.now_ms(), self._records_days, own)


def _line(record: ActivationRecord, *, with_docs: bool) -> dict[str, object]:
    if with_docs:
        return activation_answer.whole(record, logs=record.logs)
    return activation_answer.list_item(record)
