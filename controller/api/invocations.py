"""`POST` on an action: one request, one activation. The hot path of the whole API.

The order of the checks is OpenWhisk's: address, rate, rights, size, query, body, existence. The
body is checked to be an object and passed on as it was sent; the result is put into the answer as
the runtime gave it. Nothing of the user's is encoded anew.
"""

from typing import Final

from aiohttp import web

from common import codec
from common.entity.action import Action
from common.entity.activation import ActivationRecord, Status
from common.entity.parameters import overridden
from common.errors import ParametersNotAllowed, RuntimeDeprecated
from controller.api import activation_answer, rights
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, answers, content, query
from controller.edge.auth import IDENTITY
from controller.edge.transid import TRANSID
from controller.invoke.action import Accepted

FINAL: Final = "final"

STATUS: Final = {
    Status.SUCCESS: 200,
    Status.APPLICATION_ERROR: 502,
    Status.DEVELOPER_ERROR: 502,
    Status.WHISK_ERROR: 500,
}
"""What a caller who waited sees of an activation's end."""


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
        rights.own_entity(identity, name)
        content.check_length(request, self._limits.max_payload_bytes)
        blocking, as_result, wait_ms = self._asked(request)
        payload, given = await content.optional_object(
            request, limit_bytes=self._limits.max_payload_bytes
        )
        action = await self._services.actions.get(name)
        self._check(action, given)
        outcome = await self._services.invoker.invoke(
            identity,
            action,
            payload,
            blocking=blocking,
            wait_ms=wait_ms,
            transid=request[TRANSID],
            received_ms=received_ms,
        )
        if isinstance(outcome, Accepted):
            activation_id = outcome.activation_id
            return answers.activation(
                activation_id, codec.encode({"activationId": activation_id}), 202
            )
        return _finished(outcome.record, as_result=as_result)

    def _asked(self, request: web.Request) -> tuple[bool, bool, int]:
        longest_ms = self._limits.blocking_wait_ms
        if not request.query_string:
            return False, False, longest_ms
        asked = request.query
        return (
            query.boolean(asked, "blocking", default=False),
            query.boolean(asked, "result", default=False),
            query.wait_ms(asked, longest_ms),
        )

    def _check(self, action: Action, given: dict[str, object]) -> None:
        """Raise `ParametersNotAllowed` or `RuntimeDeprecated` where *action* must not run."""
        if given and action.annotations.get(FINAL) is True and overridden(action.parameters, given):
            raise ParametersNotAllowed
        runtime = self._services.manifest.resolve(action.exec.kind)
        if runtime is not None and runtime.deprecated:
            raise RuntimeDeprecated(action.exec.kind)


def _finished(record: ActivationRecord, *, as_result: bool) -> web.Response:
    result = record.response.result
    # An array is answered bare even where the whole activation was asked for: OpenWhisk does so.
    if as_result or result[:16].lstrip().startswith(b"["):
        text = result
    else:
        text = codec.encode(activation_answer.whole(record, logs=()))
    return answers.activation(record.activation_id, text, STATUS[record.response.status])
