"""How one request becomes one activation of a primitive action, and who waits for its end.

A call that does not wait is answered when its message would survive a power cut. A call that waits
is sent without that cost, and made durable only when its wait is over before it is.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from common.bus.port import Bus
from common.clock import Clock
from common.entity.action import Action
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.entity.parameters import merge
from common.entropy import Entropy
from common.ids import RANDOM_BITS, ActivationId, ControllerId, TransId, activation_id
from common.message.activation import ActivationMessage
from controller.balance.inflight import GRACE_S, InFlight, Waiter
from controller.balance.port import LoadBalancer

PROVIDE_API_KEY: Final = "provide-api-key"


class Keys(Protocol):
    """Knows the keys of namespaces, for actions that ask for theirs."""

    async def api_key(self, uuid: str) -> str:
        """Return `uuid:key`."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """The activation is on its way, or still running; its record can be read later."""

    activation_id: ActivationId


@dataclass(frozen=True, slots=True)
class Finished:
    """The activation ended while the caller waited."""

    record: ActivationRecord


class ActionInvoker:
    """Sends activations of primitive actions on their way."""

    def __init__(
        self,
        controller: ControllerId,
        *,
        bus: Bus,
        balancer: LoadBalancer,
        inflight: InFlight,
        keys: Keys,
        clock: Clock,
    ) -> None:
        self._controller = controller
        self._bus = bus
        self._balancer = balancer
        self._inflight = inflight
        self._keys = keys
        self._clock = clock
        self._entropy = Entropy()

    async def invoke(
        self,
        identity: Identity,
        action: Action,
        payload: bytes | None,
        *,
        blocking: bool,
        wait_ms: int,
        transid: TransId,
        received_ms: int,
    ) -> Accepted | Finished:
        """Run *action* once with *payload* over its bound parameters.

        payload: a JSON object, checked; None is none.
        wait_ms: how long a *blocking* call waits.
        received_ms: when the request came in; the record's `waitTime` counts from here.
        Raises `BusUnavailable` when it was not accepted, or a wait ended and no disk takes it.
        """
        arguments = merge(action.parameters, payload)
        asks_for_key = bool(action.annotations.get(PROVIDE_API_KEY, True))
        message = ActivationMessage(
            activation_id=activation_id(self._clock.now_ms(), self._entropy.bits(RANDOM_BITS)),
            transid=transid,
            controller=self._controller,
            namespace=identity.namespace,
            subject=identity.subject,
            action=action.name,
            rev=action.rev,
            version=action.version,
            payload=arguments.payload,
            init_env=arguments.init_env,
            received_ms=received_ms,
            blocking=blocking,
            api_key=await self._keys.api_key(identity.uuid) if asks_for_key else None,
        )
        ends_by_s = self._clock.elapsed_s() + 2 * action.limits.timeout_ms / 1000 + GRACE_S
        waiter = self._inflight.add(message.activation_id, message.namespace, ends_by_s=ends_by_s)
        try:
            await self._balancer.publish(message, durable=not blocking)
        except BaseException:
            self._inflight.complete(message.activation_id, None)
            raise
        if not blocking:
            return Accepted(message.activation_id)
        record = await _wait(waiter, wait_ms / 1000)
        if record is None:
            await self._bus.secure(message)
            return Accepted(message.activation_id)
        return Finished(record)


async def _wait(waiter: Waiter, wait_s: float) -> ActivationRecord | None:
    """Return what *waiter* brings, or None when it brings nothing within *wait_s*."""
    timer = asyncio.get_running_loop().call_later(wait_s, _give_up, waiter)
    try:
        return await waiter
    finally:
        timer.cancel()


def _give_up(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(None)
