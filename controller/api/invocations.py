"""`POST` on an action: one request, one activation. The hot path of the whole API.

The order of the checks is OpenWhisk's: address, rate, rights, size, query, body, existence. The
body is checked to be an object and passed on as it was sent; the result is put into the answer as
the runtime gave it. Nothing of the user's is encoded anew.
"""

from typing import Any, Final, NamedTuple

from aiohttp import web

from common import codec
from common.entity.action import Action
from common.entity.activation import ActivationRecord, Status
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.parameters import overridden
from common.errors import ParametersNotAllowed, RuntimeDeprecated
from common.ids import ActivationId, TransId
from common.tracing import Trace
from controller.api import activation_answer
from controller.api.bounds import payload_bytes
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, answers, content, query
from controller.edge.auth import IDENTITY
from controller.edge.traces import TRACE
from controller.edge.transid import TRANSID
from controller.invoke.invocation import Accepted, Invocation
from controller.invoke.resolve import Resolved

FINAL: Final = "final"

STATUS: Final = {
    Status.SUCCESS: 200,
    Status.APPLICATION_ERROR: 502,
    Status.DEVELOPER_ERROR: 502,
    Status.WHISK_ERROR: 500,
}
"""What a caller who waited sees of an activation's end."""


class Asked(NamedTuple):
    """What the query of an invocation asks for."""

    blocking: bool
    as_result: bool
    wait_ms: int


class Call(NamedTuple):
    """One invocation, read and checked."""

    identity: Identity
    name: QualifiedName
    asked: Asked
    payload: bytes | None
    given: dict[str, Any]
    """The payload, decoded; empty where there is none."""
    transid: TransId
    received_ms: int
    trace: Trace | None = None

    def invocation(self, meant: Resolved) -> Invocation:
        """Return what is asked of the platform: *meant* is what the name stands for."""
        return Invocation(
            identity=self.identity,
            meant=meant,
            payload=self.payload,
            transid=self.transid,
            received_ms=self.received_ms,
            wait_ms=self.asked.wait_ms if self.asked.blocking else None,
            trace=self.trace,
        )


class CallAnswer(NamedTuple):
    """What a caller is told of one invocation; *text* is JSON."""

    activation_id: ActivationId
    text: bytes
    status: int


class Invocations:
    """Invokes actions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limits = services.settings.limits

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return tuple(
            Route(
                method="POST",
                path=f"/api/v1/namespaces/{{namespace}}/actions/{name}",
                handler=self.invoke,
                takes="Arguments",
                shows={200: "Invoked", 202: "ActivationId", 500: "Failed", 502: "Failed"},
                summary=f"Invoke an action{where}",
                kind="invoke",
                query=(
                    Query("blocking", "boolean", "Wait for the end; default false."),
                    Query("result", "boolean", "With blocking: answer the result alone."),
                    Query("timeout", "integer", "How many milliseconds to wait at most."),
                ),
                body="The arguments: an object, or nothing.",
                answers={
                    200: "The activation, or its result.",
                    202: "Accepted, or the wait is over: the id of the activation.",
                    404: "There is no such action.",
                    409: "It is something else.",
                    413: "The arguments are too large.",
                    429: "The namespace has invoked too often.",
                    500: "The platform failed; the activation says how.",
                    502: "The action failed; the activation says how.",
                    503: "The platform takes no more activations right now.",
                },
            )
            for name, where in (("{name}", ""), ("{package}/{name}", " of a package"))
        )

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """Run an action once."""
        received_ms = self._services.clock.now_ms()
        identity = request[IDENTITY]
        name = address.entity(request)
        self._services.entitlement.charge_invocation(identity)
        await self._services.resolver.admit(identity, name)
        most_bytes = payload_bytes(self._limits, identity.own)
        content.check_length(request, most_bytes)
        asked = self.asked(request.query if request.query_string else {})
        payload, given = await content.optional_object(request, limit_bytes=most_bytes)
        answer = await self.run(
            Call(
                identity=identity,
                name=name,
                asked=asked,
                payload=payload,
                given=given,
                transid=request[TRANSID],
                received_ms=received_ms,
                trace=request.get(TRACE),
            )
        )
        return answers.activation(answer.activation_id, answer.text, answer.status)

    async def run(self, call: Call) -> CallAnswer:
        """Run an action once; what of it is HTTP has been read, and is written elsewhere.

        Raises `BriskError` when nothing was accepted.
        """
        resolved = await self._services.resolver.resolve(call.identity, call.name)
        self.check(resolved.action, call.given)
        outcome = await self._services.invoker.invoke(call.invocation(resolved))
        if isinstance(outcome, Accepted):
            return told_accepted(outcome.activation_id)
        return finished(outcome.record, as_result=call.asked.as_result)

    def asked(self, given: query.Query) -> Asked:
        """Return what the query parameters ask for. Raises `MalformedQuery`."""
        longest_ms = self._limits.blocking_wait_ms
        return Asked(
            query.boolean(given, "blocking", default=False),
            query.boolean(given, "result", default=False),
            query.wait_ms(given, longest_ms),
        )

    def check(self, action: Action, given: dict[str, object]) -> None:
        """Raise `ParametersNotAllowed` or `RuntimeDeprecated` where *action* must not run."""
        if given and action.annotations.get(FINAL) is True and overridden(action.parameters, given):
            raise ParametersNotAllowed
        runtime = self._services.manifest.resolve(action.exec.kind)
        if runtime is not None and runtime.deprecated:
            raise RuntimeDeprecated(action.exec.kind)


def told_accepted(activation_id: ActivationId) -> CallAnswer:
    """Return what a caller is told who does not wait, or not any more."""
    return CallAnswer(activation_id, codec.encode({"activationId": activation_id}), 202)


def finished(record: ActivationRecord, *, as_result: bool) -> CallAnswer:
    """Return what a caller is told who waited until the end."""
    result = record.response.result
    # An array is answered bare even where the whole activation was asked for: OpenWhisk does so.
    if as_result or result[:16].lstrip().startswith(b"["):
        text = result
    else:
        # Log lines may still be on their way; what a composite has for a log is known.
        logs = record.logs if record.is_composite else ()
        text = codec.encode(activation_answer.whole(record, logs=logs))
    return CallAnswer(record.activation_id, text, STATUS[record.response.status])
