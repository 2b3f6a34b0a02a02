"""Sequences and compositions without a platform: what stands behind them does as a test says."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from common.bus.memory import MemoryBus
from common.bus.port import Message, MessageTooLarge
from common.entity.action import Action, Exec
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.identity import Identity
from common.entity.limits import Limits
from common.entity.names import QualifiedName
from common.ids import ActivationId, ControllerId, Namespace, TransId
from common.message import topics
from common.message.activation import ActivationMessage
from common.message.topics import Topic
from common.settings import TracingSettings, UserEventSettings
from common.store.catalog import Catalog
from common.telemetry.spans import Spans
from common.telemetry.telling import Telling
from common.user_events import UserEvents
from controller.invoke.compositions import Bounds, Compositions
from controller.invoke.invocation import Accepted, Finished, Invocation, Invoked
from controller.invoke.notes import Notes
from controller.invoke.own_records import OwnRecords
from controller.invoke.resolve import Resolved, Resolver
from tests.fakes.clock import FakeClock
from tests.fakes.records import a_record, an_id
from tests.fakes.running_api import GUEST, MemoryActivations, MemoryBlobs, MemoryDocs

TOPIC = topics.compositions(ControllerId(0))
DONE = Response(status=Status.SUCCESS, result=b'{"n":1}', size=7)


def named(name: str) -> QualifiedName:
    return QualifiedName(Namespace("guest"), None, name)


def a_sequence(name: str, *components: str) -> Action:
    return Action(
        name=named(name),
        exec=Exec(kind="sequence", components=tuple(f"/guest/{each}" for each in components)),
    )


class ScriptedBus(MemoryBus):
    """A bus without a journal that may refuse what is sent."""

    refusal: Exception | None = None
    notes_at_once = True
    largest_bytes = 1 << 20

    async def send(self, topic: Topic, message: Message, *, durable: bool) -> None:
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        if isinstance(message, ActivationMessage) and len(message.payload) > self.largest_bytes:
            raise MessageTooLarge
        await super().send(topic, message, durable=durable)

    def try_note(self, topic: Topic, message: ActivationMessage) -> bool:
        if self.refusal is not None:
            raise self.refusal
        return self.notes_at_once and super().try_note(topic, message)


class Primitives:
    """Runs actions as the test says: a record, or an error, after `may_end`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes | None, ActivationId]] = []
        self.outcome: Callable[[ActivationId], Accepted | Finished] = self._done
        self.failure: Exception | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.identities: list[Identity] = []
        self.is_usable = True
        self.foretold: list[str] = []

    def foretell(self, identity: Identity, action: Action) -> None:
        self.foretold.append(action.name.name)

    async def invoke(self, asked: Invocation) -> Invoked:
        action = asked.meant.action
        assert asked.wait_ms == action.limits.timeout_ms + 60_000
        assert asked.cause is not None
        self.asked.append((action.name.name, asked.payload, asked.cause))
        self.identities.append(asked.identity)
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return self.outcome(an_id(len(self.asked)))

    @staticmethod
    def _done(activation_id: ActivationId) -> Finished:
        limits = Limits(memory_mb=128)
        return Finished(
            replace(a_record(7, response=DONE, limits=limits), activation_id=activation_id)
        )


class Controller:
    """Compositions, and all that stands behind them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.docs, self.blobs = MemoryDocs(), MemoryBlobs()
        self.activations = MemoryActivations()
        self.told: list[ActivationRecord] = []
        self.catalog = Catalog.over(self.docs, self.blobs, clock=self.clock)
        self.bus = ScriptedBus(None, capacity=10)
        self.events = UserEvents(
            "controller0", self.bus, self.clock, UserEventSettings(enabled=True)
        )
        self.telling = Telling(self.events, Spans(self.clock, TracingSettings(), None))
        self.primitives = Primitives()
        resolver = Resolver(self.catalog)
        self.compositions = Compositions(
            ControllerId(0),
            bus=self.bus,
            primitives=self.primitives,
            resolver=resolver,
            notes=Notes(resolver, self.catalog.actions, self.blobs, self.clock),
            records=OwnRecords(self.activations, self.told.append, self.telling),
            clock=self.clock,
            bounds=Bounds(length=3, under_way=2),
        )

    async def put(self, *actions: Action) -> None:
        for action in actions:
            await self.catalog.actions.put(action, None)

    async def invoke(
        self,
        name: str,
        payload: bytes | None = b'{"in":1}',
        *,
        blocking: bool = True,
        wait_ms: int = 60_000,
        identity: Identity = GUEST,
    ) -> Invoked:
        action = await self.catalog.actions.get(named(name))
        return await self.compositions.invoke(
            Invocation(
                identity=identity,
                meant=Resolved(action),
                payload=payload,
                transid=TransId("t"),
                received_ms=self.clock.now_ms(),
                wait_ms=wait_ms if blocking else None,
            )
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so; the loop has nothing else to do than to come to that."""
        for _ in range(1000):
            if is_so():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to that")

    async def records(self, count: int) -> list[ActivationRecord]:
        await self.until(lambda: len(self.activations.records) >= count)
        return self.activations.records
