"""Activations to be run, with everything that does not matter filled in."""

import asyncio
import dataclasses
import itertools
from dataclasses import dataclass, field

from common.entity.action import BLACKBOX, Action, BlobRef, Exec, Json
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import ActivationId, ControllerId, Namespace, Rev, Subject, TransId
from common.message.activation import ActivationMessage
from invoker.job import Job
from tests.fakes.running_api import MemoryBlobs

_numbers = itertools.count(1)


def an_action(
    name: str = "hello",
    *,
    rev: str = "1",
    memory_mb: int = 256,
    image: str | None = None,
    concurrency: int = 1,
) -> Action:
    """Return a Python action of the guest, or one that brings an *image*."""
    code = Exec(kind="python:3.11", code="def main(args): return args")
    return Action(
        name=QualifiedName(Namespace("guest"), None, name),
        exec=Exec(kind=BLACKBOX, image=image) if image else code,
        limits=Limits(memory_mb=memory_mb, concurrency=concurrency),
        rev=Rev(rev),
    )


def a_message(action: Action, *, payload: bytes = b"{}", received_ms: int = 0) -> ActivationMessage:
    """Return an order to run *action* once, with an id of its own."""
    return ActivationMessage(
        activation_id=ActivationId(f"{next(_numbers):032x}"),
        transid=TransId("test"),
        controller=ControllerId(0),
        namespace=Namespace("guest"),
        subject=Subject("guest"),
        action=action.name,
        rev=action.rev,
        version=action.version,
        payload=payload,
        received_ms=received_ms,
        memory_mb=action.limits.memory_mb,
        blocking=True,
    )


def a_job(
    name: str = "hello",
    *,
    memory_mb: int = 256,
    payload: bytes = b"{}",
    image: str | None = None,
    concurrency: int = 1,
    namespace: str = "guest",
    annotations: dict[str, Json] | None = None,
) -> Job:
    """Return a job for the action of that name, which *namespace* invokes."""
    action = an_action(name, memory_mb=memory_mb, image=image, concurrency=concurrency)
    action = dataclasses.replace(action, annotations=annotations or {})
    message = a_message(action, payload=payload)

    async def code() -> str | None:
        return action.exec.code

    return Job(
        message=dataclasses.replace(message, namespace=Namespace(namespace)),
        action=action,
        code=code,
        begin=lambda: None,
    )


@dataclass
class Actions:
    """An action store with one action, or a failure instead."""

    action: Action = field(default_factory=an_action)
    newer: Action | None = None
    """What the store has, where *action* is what was cached."""
    failure: Exception | None = None
    code_failure: Exception | None = None
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)

    async def get(self, name: QualifiedName, *, rev: Rev | None = None) -> Action:
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        if self.newer and rev not in (None, self.action.rev):
            self.action, self.newer = self.newer, None
        return self.action

    async def code(self, action: Action) -> str | None:
        await asyncio.sleep(0)
        if self.code_failure:
            raise self.code_failure
        return action.exec.code

    async def arguments(self, ref: BlobRef) -> bytes:
        return await self.blobs.get(ref)
