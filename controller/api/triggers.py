"""Triggers: create, update, read, delete, list, fire.

A firing is answered when everything that it started would survive a power cut, its record, too. Its
rules run side by side; what one of them is refused is in the record, and no error of the firing.

Who fires may name the firing (`X-Brisk-Idempotency-Key`), and send it again until it is answered:
whatever has that name is done once.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from common import codec
from common.entity.entity_change import changed_trigger, new_trigger, read_trigger
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.trigger import Trigger, to_rest
from common.entropy import Entropy
from common.errors import ResourceExists
from common.ids import RANDOM_BITS, ActivationId, DocId, TransId, accepted_ms, activation_id
from common.log import logger
from common.store.port import Missing
from common.tracing import Trace
from controller.api.bounds import effective, payload_bytes
from controller.api.collection_list import LIST_QUERY, counted
from controller.api.invocations import Asked, Call, Invocations
from controller.api.route import Query, Route
from controller.api.services import Services
from controller.edge import address, answers, content, query
from controller.edge.auth import IDENTITY
from controller.edge.errors import answer_to, is_fault
from controller.edge.traces import TRACE
from controller.edge.transid import TRANSID
from controller.entitlement import rights
from controller.invoke import firing, repeats
from controller.invoke.firing import Outcome, Refused, Started
from controller.invoke.repeated import UNDER_WAY_MS, FiringUnderWay

_ROOT: Final = "/api/v1/namespaces/{namespace}/triggers"
_ONE: Final = f"{_ROOT}/{{name}}"
_FOUND: Final = {
    200: "The trigger, with its rules.",
    404: "There is no such trigger.",
    409: "It is something else.",
}
_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Firing:
    """A trigger that is fired: by whom, when, with which JSON."""

    trigger: Trigger
    identity: Identity
    payload: bytes
    start_ms: int
    trace: Trace | None
    transid: TransId


class Triggers:
    """The collection `triggers`."""

    def __init__(self, services: Services, invocations: Invocations) -> None:
        self._services = services
        self._triggers = services.catalog.triggers
        self._invocations = invocations
        self._clock = services.clock
        self._limits = services.settings.limits
        self._entropy = Entropy()
        self._named: dict[ActivationId, asyncio.Event] = {}
        """Firings with names that are under way here, each set when it is over."""

    def routes(self) -> tuple[Route, ...]:
        """Return the lines of the table."""
        return (
            Route(
                method="GET",
                path=_ROOT,
                handler=self.list_all,
                shows={200: "TriggerMeta[]"},
                summary="List the triggers of a namespace, newest first",
                kind="trigger",
                query=LIST_QUERY,
                answers={200: "The triggers, or how many there are."},
                may_end_in_slash=True,
            ),
            Route(
                method="GET",
                path=_ONE,
                handler=self.get,
                shows={200: "Trigger"},
                summary="Read a trigger",
                kind="trigger",
                answers=_FOUND,
            ),
            Route(
                method="PUT",
                path=_ONE,
                handler=self.put,
                takes="TriggerPut",
                shows={200: "Trigger"},
                summary="Create or update a trigger",
                kind="trigger",
                query=(Query("overwrite", "boolean", "Update what exists; default false."),),
                body="parameters, annotations, limits, version, publish.",
                answers={
                    200: "The trigger as it is now.",
                    400: "The body is wrong, or its annotation `feed`.",
                    409: "It exists, is something else, or was changed by somebody else meanwhile.",
                    413: "The parameters or the annotations are too large.",
                },
            ),
            Route(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                shows={200: "Trigger"},
                summary="Delete a trigger; its rules stay, and do nothing",
                kind="trigger",
                answers=_FOUND,
            ),
            Route(
                method="POST",
                path=_ONE,
                handler=self.fire,
                takes="Arguments",
                shows={202: "ActivationId"},
                summary="Fire a trigger",
                kind="trigger",
                body="The event: an object, or nothing.",
                answers={
                    202: "The actions of its active rules are on their way; the activation's id.",
                    204: "It has no active rule, and nothing was done.",
                    404: "There is no such trigger.",
                    409: "It is something else.",
                    413: "The event is too large.",
                    429: "The namespace has fired too often.",
                    503: "The platform keeps no more activations right now, or a firing of the "
                    "same name is under way.",
                },
            ),
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """List a namespace."""
        namespace = address.namespace(request)
        rights.own_namespace(request[IDENTITY], namespace)
        page = query.page(request.query, "triggers")
        if page.count:
            total = await self._triggers.count(namespace)
            return answers.json(counted("triggers", total, page))
        return answers.json(await self._triggers.list(namespace, limit=page.limit, skip=page.skip))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer one trigger."""
        return answers.json(to_rest(await self._triggers.get(self._own(request))))

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Create or update one trigger, and answer what it is now."""
        name = self._own(request)
        may_overwrite = query.boolean(request.query, "overwrite", default=False)
        body = await content.document(request, limit_bytes=self._limits.max_request_bytes)
        most_bytes = effective(self._limits, request[IDENTITY].own).max_parameters_bytes
        change = read_trigger(body, most_bytes)
        stored = await self._triggers.existing(name)
        if stored is not None and not may_overwrite:
            raise ResourceExists
        now_ms = self._clock.now_ms()
        if stored is None:
            wanted = new_trigger(name, change, updated_ms=now_ms)
        else:
            wanted = changed_trigger(stored, change, updated_ms=now_ms)
        await self._triggers.write(wanted, None if stored is None else stored.rev)
        return answers.json(to_rest(wanted))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete one trigger, and answer what it was."""
        trigger = await self._triggers.newest(self._own(request))
        await self._triggers.delete(trigger)
        await self._services.repeats.forget(trigger.name)
        return answers.json(to_rest(trigger))

    async def fire(self, request: web.Request) -> web.StreamResponse:
        """Start the action of each active rule."""
        start_ms = self._clock.now_ms()
        identity, name = request[IDENTITY], address.entity(request)
        self._services.entitlement.charge_firing(identity)
        rights.own_entity(identity, name)
        most_bytes = payload_bytes(self._limits, identity.own)
        content.check_length(request, most_bytes)
        payload, given = await content.optional_object(request, limit_bytes=most_bytes)
        key = repeats.key_in(request.headers)
        trigger = await self._triggers.get(name)
        if not firing.active(trigger):
            return answers.nothing()
        traced, transid = request.get(TRACE), request[TRANSID]
        fire = _Firing(trigger, identity, payload or b"{}", start_ms, traced, transid)
        arguments = firing.arguments(trigger, request.headers, given)
        if key is None:
            fired = activation_id(start_ms, self._entropy.bits(RANDOM_BITS))
            await self._do(fire, fired, arguments, request[TRANSID])
        else:
            fired = await self._do_once(fire, key, arguments, request[TRANSID])
        return answers.activation(fired, codec.encode({"activationId": fired}), 202)

    async def _do(
        self, fire: "_Firing", fired: ActivationId, arguments: dict[str, Any], transid: TransId
    ) -> None:
        outcomes = await self._started(
            fire.trigger, fire.identity, arguments, transid, fire.start_ms, fire.trace
        )
        await self._keep(fire, fired, outcomes)

    async def _do_once(
        self, fire: "_Firing", key: str, arguments: dict[str, Any], transid: TransId
    ) -> ActivationId:
        """Do what has the name *key*, unless it was done; return its activation.

        Raises `FiringUnderWay` while another process does it.
        """
        claim = await self._services.repeats.claim(fire.trigger.name, key, fire.start_ms)
        if claim.is_first:
            over = self._named[claim.activation_id] = asyncio.Event()
            try:
                await self._do(fire, claim.activation_id, arguments, transid)
            finally:
                over.set()
                del self._named[claim.activation_id]
        else:
            await self._require_done(fire, claim.activation_id)
        return claim.activation_id

    async def _require_done(self, fire: "_Firing", fired: ActivationId) -> None:
        """Return when *fired*, which was begun before, has its record, or gets none any more."""
        if (over := self._named.get(fired)) is not None:
            await over.wait()
        began_ms = accepted_ms(fired)
        try:
            await self._services.activations.get(fire.identity.namespace, fired)
            return
        except Missing:
            if fire.start_ms < began_ms + UNDER_WAY_MS:
                if over is not None and fire.identity.own.store_activations is False:
                    return
                raise FiringUnderWay from None
        await self._keep(replace(fire, start_ms=began_ms), fired, firing.cut_off(fire.trigger))

    async def _started(
        self,
        trigger: Trigger,
        identity: Identity,
        arguments: dict[str, Any],
        transid: TransId,
        start_ms: int,
        trace: Trace | None,
    ) -> dict[DocId, Outcome]:
        """Start every active rule's action, side by side, and return what came of each."""
        payload = codec.encode(arguments)
        async with asyncio.TaskGroup() as tasks:
            started = {
                rule: tasks.create_task(
                    self._start(
                        Call(
                            identity=identity,
                            name=action,
                            asked=Asked(blocking=False, as_result=False, wait_ms=0),
                            payload=payload,
                            given=arguments,
                            transid=transid,
                            received_ms=start_ms,
                            trace=trace,
                        )
                    )
                )
                for rule, action in firing.active(trigger)
            }
        return {rule: task.result() for rule, task in started.items()}

    async def _start(self, call: Call) -> Outcome:
        """Invoke as who fires would, and return what they would be answered."""
        try:
            self._services.entitlement.charge_invocation(call.identity)
            return Started((await self._invocations.run(call)).activation_id)
        except Exception as error:
            answer = answer_to(error)
            if is_fault(answer):
                _log.error(
                    "rule failed",
                    transid=call.transid,
                    namespace=call.identity.namespace,
                    action=call.name.doc_id,
                    exc_info=error,
                )
            return Refused(answer.status, answer.text or str(error))

    async def _keep(
        self, fire: "_Firing", fired: ActivationId, outcomes: dict[DocId, Outcome]
    ) -> None:
        """Keep the record, unless the namespace keeps none. Raises `StoreUnavailable`."""
        if fire.identity.own.store_activations is False:
            return
        self._services.own_records.put_firing(
            firing.record(
                fire.trigger,
                activation_id=fired,
                namespace=fire.identity.namespace,
                subject=fire.identity.subject,
                payload=fire.payload,
                start_ms=fire.start_ms,
                logs=firing.log(fire.trigger, outcomes),
            ),
            fire.trace,
            fire.transid,
        )
        await self._services.own_records.sync()

    def _own(self, request: web.Request) -> QualifiedName:
        name = address.entity(request)
        rights.own_entity(request[IDENTITY], name)
        return name
