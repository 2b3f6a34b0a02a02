"""How one request becomes one activation of a primitive action, and who waits for its end.

A call that does not wait is answered when its message would survive a power cut. A call that waits
is sent without that cost, and made durable only when its wait is over before it is. Arguments that
are too large for the bus are left with the store, and the message says where.
"""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Final, Protocol, TypeAlias

from common.bus.port import Bus, MessageTooLarge
from common.clock import Clock
from common.codec import encode
from common.entity.action import Action
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.entity.parameters import merge
from common.entropy import Entropy
from common.errors import ArgumentsTooBig
from common.ids import RANDOM_BITS, ControllerId, activation_id
from common.message.activation import ActivationMessage
from common.message.hint import Hint
from common.store.port import BlobStore
from controller.balance.inflight import GRACE_S, InFlight, OnEnd
from controller.balance.port import LoadBalancer
from controller.invoke.invocation import Accepted, Finished, Invocation, Invoked

PROVIDE_API_KEY: Final = "provide-api-key"
ENVELOPE_BYTES: Final = 6068
"""By how much arguments may exceed the largest payload once the bound parameters are among them.
Source: OpenWhisk's `whisk.activation.kafka.payload`, its allowance for the rest of a message."""

Waiter: TypeAlias = asyncio.Future[ActivationRecord | None]


class Keys(Protocol):
    """Knows the keys of namespaces, for actions that ask for theirs."""

    async def api_key(self, uuid: str) -> str:
        """Return `uuid:key`."""
        ...


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
        blobs: BlobStore,
        clock: Clock,
        max_payload_bytes: int,
    ) -> None:
        """Invoke in the name of *controller*.

        blobs: keeps arguments that are too large for the bus.
        """
        self._controller = controller
        self._bus = bus
        self._balancer = balancer
        self._inflight = inflight
        self._keys = keys
        self._blobs = blobs
        self._clock = clock
        self._max_bytes = max_payload_bytes + ENVELOPE_BYTES
        self._entropy = Entropy()

    @property
    def is_usable(self) -> bool:
        """Whether any invoker takes activations."""
        return self._balancer.is_usable

    async def invoke(self, asked: Invocation) -> Invoked:
        """Run an action once.

        Raises `ArgumentsTooBig`; `BusUnavailable` or `StoreUnavailable` when it was not accepted,
            or a wait ended and no disk takes it.
        """
        action = asked.meant.action
        key = await self._keys.api_key(asked.identity.uuid) if _asks_for_key(action) else None
        message = self._message(asked, api_key=key)
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._enter(message, action, partial(_bring, waiter))
        try:
            message = await self._published(message, durable=not message.blocking)
        except BaseException:
            self._inflight.forget(message.activation_id)
            raise
        if asked.wait_ms is None:
            return Accepted(message.activation_id)
        record = await _wait(waiter, asked.wait_ms / 1000)
        return await self.promise(message) if record is None else Finished(record)

    def foretell(self, identity: Identity, action: Action) -> None:
        """Tell an invoker that *action* is likely to be invoked soon. May be lost; raises nothing.

        action: one without an image of its own, for which nothing can be made ahead.
        """
        self._balancer.foretell(
            Hint(
                namespace=identity.namespace,
                action=action.name,
                rev=action.rev,
                kind=action.exec.kind,
                memory_mb=action.limits.memory_mb,
                is_cut_off=action.is_cut_off,
            )
        )

    async def _published(self, message: ActivationMessage, *, durable: bool) -> ActivationMessage:
        """Send *message*, or one that says where its arguments lie, and return what was sent."""
        try:
            await self._balancer.publish(message, durable=durable)
        except MessageTooLarge:
            message = await self._lightened(message)
            await self._balancer.publish(message, durable=durable)
        return message

    async def _lightened(self, message: ActivationMessage) -> ActivationMessage:
        """Leave with the store what *message* hands on. Raises `StoreUnavailable`."""
        ref, env_ref = await self._blobs.put(message.payload), None
        if message.init_env:
            env_ref = await self._blobs.put(encode(dict(message.init_env)))
        return replace(message, payload=b"{}", payload_ref=ref, init_env={}, init_env_ref=env_ref)

    def try_begin(self, asked: Invocation, on_end: OnEnd) -> ActivationMessage | None:
        """Begin a blocking invocation, if nothing has to be waited for before; else None.

        on_end: called once when it ends. Who stops waiting before then calls `promise`.
        Raises `ArgumentsTooBig`; `BusUnavailable` when it was not accepted.
        """
        if _asks_for_key(asked.meant.action):
            return None
        message = self._message(asked, api_key=None)
        self._enter(message, asked.meant.action, on_end)
        try:
            sent = self._balancer.try_publish(message)
        except BaseException:
            self._inflight.forget(message.activation_id)
            raise
        if not sent:
            self._inflight.forget(message.activation_id)
        return message if sent else None

    async def promise(self, message: ActivationMessage) -> Accepted:
        """Make an activation last that nobody waits for any more. Raises `BusUnavailable`."""
        await self._bus.secure(message)
        return Accepted(message.activation_id)

    def _message(self, asked: Invocation, *, api_key: str | None) -> ActivationMessage:
        identity, action = asked.identity, asked.meant.action
        arguments = merge(action.parameters, asked.payload)
        if arguments.size_bytes > self._max_bytes:
            raise ArgumentsTooBig
        return ActivationMessage(
            activation_id=activation_id(self._clock.now_ms(), self._entropy.bits(RANDOM_BITS)),
            transid=asked.transid,
            controller=self._controller,
            namespace=identity.namespace,
            subject=identity.subject,
            action=action.name,
            rev=action.rev,
            version=action.version,
            payload=arguments.payload,
            init_env=arguments.init_env,
            received_ms=asked.received_ms,
            memory_mb=action.limits.memory_mb,
            kind=action.exec.kind,
            blocking=asked.wait_ms is not None,
            api_key=api_key,
            stores=identity.own.store_activations is not False,
            uuid=identity.uuid,
            binding=asked.meant.binding,
            cause=asked.cause,
            trace=asked.trace,
        )

    def _enter(self, message: ActivationMessage, action: Action, on_end: OnEnd) -> None:
        longest_s = 2 * action.limits.timeout_ms / 1000 + GRACE_S
        self._inflight.add(
            message.activation_id,
            message.namespace,
            ends_by_s=self._clock.elapsed_s() + longest_s,
            on_end=on_end,
        )


def _asks_for_key(action: Action) -> bool:
    return bool(action.annotations.get(PROVIDE_API_KEY, True))


async def _wait(waiter: Waiter, wait_s: float) -> ActivationRecord | None:
    """Return what *waiter* brings, or None when it brings nothing within *wait_s*."""
    timer = asyncio.get_running_loop().call_later(wait_s, _bring, waiter, None)
    try:
        return await waiter
    finally:
        timer.cancel()


def _bring(waiter: Waiter, record: ActivationRecord | None) -> None:
    if not waiter.done():
        waiter.set_result(record)
