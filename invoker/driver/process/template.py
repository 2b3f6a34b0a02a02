"""A template of the process driver: a sandbox that has loaded its code, and was then stopped.

What becomes of a template inside, and why nobody has to trust it, is told in `inside/keeper.py`.
"""

from typing import Final

from common.codec import MalformedJson, decode
from common.ids import ContainerId
from invoker.driver.channel import Said
from invoker.driver.port import (
    Answer,
    CannotCast,
    Died,
    LogSink,
    NotCopied,
    Reply,
    Sandbox,
    SandboxSpec,
    Stream,
)
from invoker.driver.process.host import Host
from invoker.driver.process.sandbox import ProcessSandbox
from invoker.driver.process.zygote import ZygoteFailed

KINDS: Final = "python:"
"""What the kinds begin with whose runtime can be a template."""

COPY_S: Final = 8.0
"""How long it may take until a copy is there; some milliseconds are usual."""
SETTLE_S: Final = 10.0
"""How long code may take to collect its garbage and its files, when it becomes a template."""
WORDS_BYTES: Final = 4096
"""What is read of an answer."""


class ProcessTemplate:
    """One template; owned by who asked the driver for it, until `destroy`."""

    def __init__(self, sandbox: ProcessSandbox) -> None:
        self._sandbox = sandbox

    def __repr__(self) -> str:
        return f"<ProcessTemplate {self._sandbox!r}>"

    @property
    def container_id(self) -> ContainerId:
        """The id that was asked for."""
        return self._sandbox.container_id

    async def copy_into(
        self,
        sandbox: Sandbox,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Have *sandbox* take over what was loaded; see the port."""
        if not isinstance(sandbox, ProcessSandbox):
            raise NotCopied(f"{sandbox!r} is of another driver")
        try:
            await sandbox.lease.graft(self._sandbox.lease, COPY_S)
        except ZygoteFailed as error:
            raise NotCopied(str(error)) from error
        reply = await sandbox.tell(
            "wake",
            payload,
            timeout_s=timeout_s,
            answer_limit_bytes=answer_limit_bytes,
            logs=logs,
        )
        if isinstance(reply, Died) and not reply.memory_exhausted:
            # No code of an init ran that could be to blame.
            raise NotCopied(f"the copy did not wake up: {reply.how}")
        return reply

    async def wait_death(self) -> Died:
        """Return when it has ended by itself."""
        return await self._sandbox.wait_death()

    async def destroy(self) -> None:
        """End it; its copies live on. Idempotent, never raises."""
        await self._sandbox.destroy()


def demand_possible(host: Host, spec: SandboxSpec) -> None:
    """Raise `CannotCast` where there is no template to *spec* on *host*."""
    if host.no_templates:
        raise CannotCast(host.no_templates)
    if spec.image is not None or not spec.kind.startswith(KINDS):
        raise CannotCast(f"sandboxes of {spec.kind} are not copied")


async def hardened(sandbox: ProcessSandbox, payload: bytes, *, timeout_s: float) -> ProcessTemplate:
    """Have *sandbox* load the code of *payload*, and be a template. Raises `CannotCast`."""
    steps: tuple[tuple[Said, bytes, float], ...] = (
        ("init", payload, timeout_s),
        ("template", b"", SETTLE_S),
    )
    for operation, body, patience_s in steps:
        reply = await sandbox.tell(
            operation,
            body,
            timeout_s=patience_s,
            answer_limit_bytes=WORDS_BYTES,
            logs=_Unheard(),
        )
        _demand_success(reply)
    try:
        await sandbox.lease.fix(COPY_S)
    except ZygoteFailed as error:
        raise CannotCast(str(error)) from error
    return ProcessTemplate(sandbox)


class _Unheard:
    """Takes what is printed while a template loads its code: it belongs to no activation."""

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        """Drop it."""


def _demand_success(reply: Reply) -> None:
    """Raise `CannotCast` with the reason where *reply* says that this is no template."""
    match reply:
        case Answer(status=200):
            return
        case Answer(body=body):
            raise CannotCast(_error_in(body))
        case Died(how=how):
            raise CannotCast(f"its code ended while it was loaded: {how}")
        case _:
            raise CannotCast("its code took too long to be loaded")


def _error_in(body: bytes) -> str:
    try:
        return str(decode(body)["error"])
    except (MalformedJson, KeyError, TypeError):
        return "its code could not be loaded"
