"""One activation as the invoker works on it: the message and the action it names.

Here are also the two bodies that a runtime is sent. The caller's payload is put into the second one
as the bytes it came in; nobody decodes it on the way. Source: OpenWhisk's `ActionContainer`
contract, `/init` and `/run`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from common.codec import Raw, encode
from common.entity.action import Action
from common.message.activation import ActivationMessage
from common.tracing import PARENT_HEADER, STATE_HEADER, Trace, step_of
from invoker.driver.port import OwnImage
from invoker.pool.container import ActionKey, Shape
from invoker.pool.orders import Job as Entry

ALLOWS_SHARING: Final = "__OW_ALLOW_CONCURRENT"
"""The variable that tells a runtime that it may be called while it is at work."""
_OF_ONE: Final = frozenset(
    {"__OW_ACTIVATION_ID", "__OW_TRANSACTION_ID", "__OW_DEADLINE", ALLOWS_SHARING}
)
"""Variables of one activation, and what is said to a sandbox that will be called."""


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
        if message.api_key:
            context["api_key"] = message.api_key
        if message.trace is not None:
            context |= _traced(message.trace.at(step_of(message.activation_id)))
        return context

    async def init_body(self, deadline_ms: int) -> bytes:
        """Return the body of `/init`. Raises `StoreError` when the code cannot be read."""
        return await self._init_body(self._variables(deadline_ms))

    async def template_body(self) -> bytes:
        """Return it for a template: without what is different in each activation."""
        return await self._init_body(self._lasting_variables)

    def copy_body(self, deadline_ms: int) -> bytes:
        """Return it for a copy of a template: without the code."""
        return encode({"value": {"env": self._variables(deadline_ms)}})

    @property
    def likeness(self) -> str:
        """A digest of what the code is given when it is loaded, by whatever activation."""
        return sha256(encode(sorted(self._lasting_variables.items()))).hexdigest()

    async def _init_body(self, variables: dict[str, Any]) -> bytes:
        code, exec_ = await self.code(), self.action.exec
        value = {
            "name": self.action.name.name,
            "main": exec_.main or "main",
            "binary": exec_.binary,
            "env": variables,
        }
        return encode({"value": value if code is None else value | {"code": code}})

    def _variables(self, deadline_ms: int) -> dict[str, Any]:
        """Return what the code finds in its environment when it is loaded."""
        context = self.context(deadline_ms)
        variables = {f"__OW_{key.upper()}": value for key, value in context.items()}
        if self.action.limits.concurrency > 1:
            variables[ALLOWS_SHARING] = "true"
        return {**self.message.init_env, **variables}

    @property
    def _lasting_variables(self) -> dict[str, Any]:
        variables = self._variables(0)
        return {name: value for name, value in variables.items() if name not in _OF_ONE}

    def run_body(self, deadline_ms: int) -> bytes:
        """Return the body of `/run`."""
        return encode({"value": Raw(self.message.payload), **self.context(deadline_ms)})


def _traced(trace: Trace) -> dict[str, str]:
    """Return what code is told, to be passed on with what it calls itself."""
    told = {PARENT_HEADER: trace.parent}
    return told | {STATE_HEADER: trace.state} if trace.state else told


def _image(action: Action) -> OwnImage | None:
    image = action.exec.image
    return None if image is None else OwnImage(image, action.name.namespace)
