"""One activation as the invoker works on it: the message and the action it names.

Here are also the two bodies that a runtime is sent. The caller's payload is put into the second one
as the bytes it came in; nobody decodes it on the way. Source: OpenWhisk's `ActionContainer`
contract, `/init` and `/run`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from common.codec import Raw, encode
from common.entity.action import Action
from common.message.activation import ActivationMessage
from invoker.driver.port import OwnImage
from invoker.pool.container import ActionKey, Shape
from invoker.pool.orders import Job as Entry

ALLOWS_SHARING: Final = "__OW_ALLOW_CONCURRENT"
"""The variable that tells a runtime that it may be called while it is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a sandbox is to do."""

    message: ActivationMessage
    action: Action
    code: Callable[[], Awaitable[str | None]]
    """Reads the code, only when it has to be loaded. Raises `StoreError`."""
    begin: Callable[[], None]
    """Notes that a sandbox is about to get it. Raises `BusUnavailable`; then none must."""

    @property
    def entry(self) -> Entry:
        """What the pool's books need to know."""
        message, action = self.message, self.action
        return Entry(
            message.activation_id,
            ActionKey(message.namespace, action.name.doc_id, action.rev),
            Shape(
                action.exec.kind,
                action.limits.memory_mb,
                _image(action),
                is_cut_off=action.is_cut_off,
            ),
            action.limits.concurrency,
        )

    def context(self, deadline_ms: int) -> dict[str, str]:
        """Return what both bodies tell of the activation. *deadline_ms* is Unix time."""
        message, action = self.message, self.action
        context = {
            "namespace": message.namespace,
            "action_name": str(action.name),
            "action_version": action.version,
            "activation_id": message.activation_id,
            "transaction_id": message.transid,
            "deadline": str(deadline_ms),
        }
        return context | {"api_key": message.api_key} if message.api_key else context

    async def init_body(self, deadline_ms: int) -> bytes:
        """Return the body of `/init`. Raises `StoreError` when the code cannot be read."""
        code, exec_ = await self.code(), self.action.exec
        environment = {
            f"__OW_{key.upper()}": value for key, value in self.context(deadline_ms).items()
        }
        if self.action.limits.concurrency > 1:
            environment[ALLOWS_SHARING] = "true"
        value = {
            "name": self.action.name.name,
            "main": exec_.main or "main",
            "binary": exec_.binary,
            "env": {**self.message.init_env, **environment},
        }
        return encode({"value": value if code is None else value | {"code": code}})

    def run_body(self, deadline_ms: int) -> bytes:
        """Return the body of `/run`."""
        return encode({"value": Raw(self.message.payload), **self.context(deadline_ms)})


def _image(action: Action) -> OwnImage | None:
    image = action.exec.image
    return None if image is None else OwnImage(image, action.name.namespace)
