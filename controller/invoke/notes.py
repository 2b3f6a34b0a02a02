"""What a composition's note on the bus refers to: who invoked, the action, and its arguments."""

import asyncio
from dataclasses import replace
from typing import Final, Protocol

from common.clock import Clock
from common.entity.action import BlobRef
from common.entity.identity import Identity
from common.entity.names import QualifiedName
from common.entity.namespace_limits import NONE, NamespaceLimits
from common.message.activation import ActivationMessage
from common.store.port import BlobStore, StoreUnavailable
from controller.invoke.resolve import Resolved, Resolver

READ_S: Final = 60.0
"""How long a store that is away is waited for."""
PAUSE_S: Final = 1.0


class Arguments(Protocol):
    """Where large arguments are; `common.store.actions.ActionStore` as a rule."""

    async def arguments(self, ref: BlobRef) -> bytes:
        """Return arguments that were too large for the bus."""
        ...


class Notes:
    """Reads what notes refer to, and keeps what is too large for one."""

    def __init__(
        self, resolver: Resolver, arguments: Arguments, blobs: BlobStore, clock: Clock
    ) -> None:
        """Keep large arguments among *blobs*, where *arguments* finds them."""
        self._resolver = resolver
        self._arguments = arguments
        self._blobs = blobs
        self._clock = clock

    async def read(self, message: ActivationMessage) -> tuple[Resolved, bytes]:
        """Return the action of *message* and its arguments, as soon as the store answers.

        Raises as `Resolver.resolve` does, and `Corrupted`; `StoreUnavailable` after a minute.
        """
        give_up_s = self._clock.elapsed_s() + READ_S
        while True:
            try:
                meant = await self._resolver.resolve(identity_of(message), _named(message))
                if message.payload_ref is None:
                    return meant, message.payload
                return meant, await self._arguments.arguments(message.payload_ref)
            except StoreUnavailable:
                if self._clock.elapsed_s() >= give_up_s:
                    raise
                await asyncio.sleep(PAUSE_S)

    async def without_payload(self, message: ActivationMessage) -> ActivationMessage:
        """Return *message* with its payload kept elsewhere. Raises `StoreUnavailable`."""
        ref = await self._blobs.put(message.payload)
        return replace(message, payload=b"{}", payload_ref=ref)


def identity_of(message: ActivationMessage) -> Identity:
    """Return in whose name the parts of *message* are invoked.

    It was charged when it was accepted, and its parts are not: the limits do not matter.
    """
    return Identity(
        subject=message.subject,
        namespace=message.namespace,
        uuid=message.uuid,
        invocations_per_minute=0,
        firings_per_minute=0,
        concurrent_invocations=0,
        own=NONE if message.stores else NamespaceLimits(store_activations=False),
    )


def _named(message: ActivationMessage) -> QualifiedName:
    """Return by which name it was invoked: through a binding that is not its own."""
    binding = message.binding
    if binding is None:
        return message.action
    return QualifiedName(binding.namespace, binding.name, message.action.name)
