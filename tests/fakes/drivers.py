"""Drivers and sandboxes that obey a script, and misbehave on request."""

import asyncio
from collections.abc import Awaitable, Callable

from common.ids import ContainerId
from invoker.driver.port import (
    Answer,
    CannotCast,
    CannotStart,
    Died,
    DriverReport,
    Level,
    LogSink,
    NotCopied,
    Operation,
    OwnImage,
    Reply,
    Sandbox,
    SandboxSpec,
    Stream,
)

Behaviour = Callable[[Operation, bytes], Awaitable[Reply]]


async def echo(operation: Operation, payload: bytes) -> Reply:
    """Answer as a healthy runtime: every load succeeds, every run returns its body."""
    return Answer(200, payload, len(payload))


async def _nothing(_: OwnImage) -> None:
    """Pull an image that is there."""


class FakeSandbox:
    """A sandbox without anything in it. `story` holds what was asked of it, in order."""

    def __init__(self, spec: SandboxSpec, behaviour: Behaviour) -> None:
        self.spec = spec
        self.story: list[str] = []
        self._behaviour = behaviour
        self._death: asyncio.Future[Died] = asyncio.get_running_loop().create_future()
        self.pausing: asyncio.Event | None = None
        self.resuming: asyncio.Event | None = None

    @property
    def container_id(self) -> ContainerId:
        return self.spec.container_id

    async def call(
        self,
        operation: Operation,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        self.story.append(operation)
        return await self._behaviour(operation, payload)

    def die(self, how: str = "exit 1") -> None:
        self._death.set_result(Died(how))

    async def wait_death(self) -> Died:
        return await asyncio.shield(self._death)

    async def pause(self) -> None:
        self.story.append("pause")
        if self.pausing:
            await self.pausing.wait()

    async def resume(self) -> None:
        self.story.append("resume")
        if self.resuming:
            await self.resuming.wait()

    async def destroy(self) -> None:
        self.story.append("destroy")


class Unheard:
    """Takes what nobody reads."""

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        pass


class FakeTemplate(FakeSandbox):
    """A template without anything in it. It fails to be copied once for each of `failures`."""

    failures = 0

    async def copy_into(
        self,
        sandbox: Sandbox,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        self.story.append(f"copied into {sandbox.container_id}")
        if self.failures:
            self.failures -= 1
            raise NotCopied("it would not")
        assert isinstance(sandbox, FakeSandbox)
        sandbox.story.append("copied")
        return Answer(200, b"{}", 2)


class FakeDriver:
    """Makes `FakeSandbox`es. `gate` holds every start back until it is set."""

    def __init__(self, behaviour: Behaviour = echo) -> None:
        self.behaviour = behaviour
        self.sandboxes: list[FakeSandbox] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0
        self.broken: CannotStart | None = None
        self.prepared: list[OwnImage] = []
        self.templates: list[FakeTemplate] = []
        self.no_templates = ""
        self.pull: Callable[[OwnImage], Awaitable[None]] = _nothing

    async def probe(self) -> DriverReport:
        return DriverReport(
            driver="fake", level=Level.NONE, abilities=frozenset(), kinds={"python:3.11": "fake"}
        )

    async def reconcile(self) -> list[str]:
        return []

    async def prepare(self, image: OwnImage) -> None:
        self.prepared.append(image)
        await self.pull(image)

    async def create(self, spec: SandboxSpec) -> FakeSandbox:
        await self.gate.wait()
        if self.broken:
            raise self.broken
        if self.failures:
            self.failures -= 1
            raise CannotStart
        sandbox = FakeSandbox(spec, self.behaviour)
        self.sandboxes.append(sandbox)
        return sandbox

    async def cast(self, spec: SandboxSpec, payload: bytes, *, timeout_s: float) -> "FakeTemplate":
        if self.no_templates:
            raise CannotCast(self.no_templates)
        template = FakeTemplate(spec, self.behaviour)
        self.templates.append(template)
        await template.call(
            "init", payload, timeout_s=timeout_s, answer_limit_bytes=0, logs=Unheard()
        )
        return template

    async def close(self) -> None:
        for sandbox in self.sandboxes:
            await sandbox.destroy()
