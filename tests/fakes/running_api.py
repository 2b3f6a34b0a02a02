"""The API in this process, over stores of dictionaries and an invoker that does as it is told."""

import base64
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from common.bus.memory import MemoryBus
from common.entity.action import BlobRef
from common.entity.activation import ActivationRecord
from common.entity.identity import Identity
from common.entity.manifest import Manifest
from common.entity.namespace_limits import NONE, NamespaceLimits
from common.health import Health
from common.ids import ActivationId, ControllerId, DocId, InvokerId, Namespace, Rev, Subject
from common.message.activation import ActivationMessage
from common.settings import (
    GatewaySettings,
    LimitSettings,
    Settings,
    StreamSettings,
    TracingSettings,
    UserEventSettings,
)
from common.store.catalog import Catalog
from common.store.port import (
    ActivationFilter,
    Audit,
    Body,
    Conflict,
    Doc,
    Missing,
    Period,
    UsageRow,
)
from common.store.registries import RegistryStore
from common.store.secrets_file import Seal
from common.telemetry.spans import Spans
from common.telemetry.telling import Telling
from common.user_events import UserEvents
from controller.app import Services, build_app
from controller.balance.inflight import OnEnd
from controller.edge.auth import Subjects
from controller.invoke.invocation import Accepted, Finished, Invocation, Invoked
from controller.invoke.own_records import OwnRecords
from controller.invoke.repeated import RepeatedFirings
from controller.invoke.resolve import Resolver
from controller.stream.activations import ActivationStreams
from controller.stream.user_events import EventStreams
from tests.fakes.clock import FakeClock
from tests.fakes.records import NOON_MS, a_record, an_id

UUID = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502"
KEY = "k" * 64
GUEST = Identity(
    subject=Subject("guest"),
    namespace=Namespace("guest"),
    uuid=UUID,
    invocations_per_minute=60,
    firings_per_minute=60,
    concurrent_invocations=30,
)
MANIFEST = """{"runtimes": {"python": [
    {"kind": "python:3.11", "image": {"name": "python"}, "default": true,
     "attached": {"attachmentName": "code", "attachmentType": "text/plain"}},
    {"kind": "python:2", "image": {"name": "python"}, "deprecated": true}
]}}"""


class MemoryDocs:
    """Documents in a dictionary; `failure` is raised by the next call, once.

    overtaken: so many writes to come find that somebody else was faster.
    """

    def __init__(self) -> None:
        self.docs: dict[DocId, Doc] = {}
        self.reads = 0
        self.failure: Exception | None = None
        self.overtaken = 0
        self._writes = 0

    async def get(self, doc_id: DocId) -> Doc:
        self.reads += 1
        self._fail()
        if doc_id not in self.docs:
            raise Missing
        return self.docs[doc_id]

    async def create(self, doc_id: DocId, body: Body) -> Rev:
        self._fail()
        if doc_id in self.docs:
            raise Conflict
        return self._write(doc_id, body)

    async def replace(self, doc_id: DocId, rev: Rev, body: Body) -> Rev:
        self._fail()
        if self.overtaken:
            self.overtaken -= 1
            raise Conflict
        self._expect(doc_id, rev)
        return self._write(doc_id, body)

    async def delete(self, doc_id: DocId, rev: Rev) -> None:
        self._fail()
        self._expect(doc_id, rev)
        del self.docs[doc_id]

    async def list(
        self, namespace: Namespace, kind: str, *, package: str | None, limit: int, skip: int
    ) -> Sequence[dict[str, Any]]:
        path = namespace if package is None else f"{namespace}/{package}"
        found = [
            doc.body
            for doc in self.docs.values()
            if doc.body.get("entityType") == kind
            and f"{doc.body['namespace']}/".startswith(f"{path}/")
        ]
        newest = sorted(reversed(found), key=lambda body: -int(body.get("updated", 0)))
        return newest[skip : skip + limit]

    async def count(self, namespace: Namespace, kind: str, *, package: str | None) -> int:
        return len(await self.list(namespace, kind, package=package, limit=1000, skip=0))

    async def every(self) -> AsyncIterator[Doc]:
        self._fail()
        for doc in list(self.docs.values()):
            yield doc

    def _write(self, doc_id: DocId, body: Body) -> Rev:
        self._writes += 1
        rev = Rev(str(self._writes))
        self.docs[doc_id] = Doc(doc_id, rev, dict(body))
        return rev

    def _expect(self, doc_id: DocId, rev: Rev) -> None:
        if doc_id not in self.docs:
            raise Missing
        if self.docs[doc_id].rev != rev:
            raise Conflict

    def _fail(self) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure


class MemoryBlobs:
    """Bytes in a dictionary."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    async def put(self, data: bytes) -> BlobRef:
        digest = sha256(data).hexdigest()
        self.blobs[digest] = data
        return BlobRef(digest, len(data))

    async def get(self, ref: BlobRef) -> bytes:
        if ref.sha256 not in self.blobs:
            raise Missing
        return self.blobs[ref.sha256]

    async def sweep(self, live: Container[str], *, older_than_ms: int) -> int:
        return 0


class MemoryActivations:
    """Records in a list, newest first; remembers what it was asked for."""

    def __init__(self) -> None:
        self.records: list[ActivationRecord] = []
        self.asked: list[tuple[ActivationFilter, int, int]] = []
        self.usage_asked: list[tuple[int, int, str]] = []
        self.rows: list[UsageRow] = []

    def put(self, record: ActivationRecord) -> None:
        self.records.insert(0, record)

    async def sync(self) -> None:
        return

    async def arrived(self, namespace: Namespace, activation_id: ActivationId) -> None:
        return

    async def get(self, namespace: Namespace, activation_id: ActivationId) -> ActivationRecord:
        for record in self.records:
            if (record.namespace, record.activation_id) == (namespace, activation_id):
                return record
        raise Missing

    async def list(
        self, wanted: ActivationFilter, *, limit: int, skip: int
    ) -> Sequence[ActivationRecord]:
        self.asked.append((wanted, limit, skip))
        return self.records[skip : skip + limit]

    async def count(self, wanted: ActivationFilter) -> int:
        self.asked.append((wanted, 0, 0))
        return len(self.records)

    async def usage(
        self, namespace: Namespace, *, from_ms: int, to_ms: int, by: Period
    ) -> Sequence[UsageRow]:
        self.usage_asked.append((from_ms, to_ms, by))
        return self.rows

    async def audit(self, namespace: Namespace) -> Audit:
        return Audit(*(UsageRow("", "", 0, 0, 0) for _ in range(3)))


class NoBudgets:
    """Nobody has a budget."""

    def shown(self, namespace: Namespace) -> dict[str, Any] | None:
        return None


class OneGuest:
    """Knows one key, of a namespace with limits of its own."""

    def __init__(self, own: NamespaceLimits = NONE) -> None:
        self._guest = replace(GUEST, own=own)

    async def identify(self, uuid: str, key: str) -> Identity | None:
        return self._guest if (uuid, key) == (UUID, KEY) else None

    async def owner(self, namespace: Namespace) -> Identity | None:
        return self._guest if namespace == self._guest.namespace else None


@dataclass
class Obedient:
    """Throttle and invoker: raises `refusal` or `failure`, else answers `outcome`."""

    outcome: Accepted | Finished = field(default_factory=lambda: Finished(a_record()))
    refusal: Exception | None = None
    failure: Exception | None = None
    asked: list[Invocation] = field(default_factory=list)

    def charge_invocation(self, identity: Identity) -> None:
        if self.refusal is not None:
            raise self.refusal

    def check_invocation(self, identity: Identity) -> None:
        self.charge_invocation(identity)

    def count_invocation(self, identity: Identity) -> None:
        """Nothing is counted here."""

    def charge_firing(self, identity: Identity) -> None:
        self.charge_invocation(identity)

    def try_begin(self, asked: Invocation, on_end: OnEnd) -> None:
        """Everything has to be waited for here."""

    async def promise(self, message: ActivationMessage) -> Accepted:
        return Accepted(message.activation_id)

    async def invoke(self, asked: Invocation) -> Invoked:
        self.asked.append(asked)
        if self.failure is not None:
            raise self.failure
        return Accepted(an_id(7)) if asked.wait_ms is None else self.outcome


class NoEvents:
    """Providers of events that are away."""

    async def feed(self, package: str, feed: str, body: bytes) -> tuple[int, bytes]:
        return 503, b'{"error": "away"}'

    async def hook(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        return 503, b'{"error": "away"}'


@dataclass
class Api:
    """The running API, and what stands behind it."""

    client: "TestClient[Any, Any]"
    docs: MemoryDocs
    blobs: MemoryBlobs
    activations: MemoryActivations
    invoker: Obedient
    clock: FakeClock
    health: dict[InvokerId, bool]
    services: Services

    async def ask(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[int, Any, ClientResponse]:
        """Send a request as the guest; a body of bytes is sent as it is.

        path: what begins with `~` is below the guest's namespace.
        """
        headers = {"Authorization": authorization()} | options.pop("headers", {})
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        if isinstance(body, bytes):
            headers = {"Content-Type": "application/json"} | headers
        address = path.replace("~", "/api/v1/namespaces/_", 1)
        answer = await self.client.request(
            method,
            address,
            headers={name: value for name, value in headers.items() if value is not None},
            **(given if body is not None else {}),
            **options,
        )
        is_json = answer.content_type == "application/json" and method != "HEAD"
        return answer.status, await answer.json() if is_json else await answer.text(), answer


def authorization(credentials: str = f"{UUID}:{KEY}") -> str:
    """Return the header for *credentials*."""
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@asynccontextmanager
async def running_api(
    limits: LimitSettings | None = None,
    own: NamespaceLimits = NONE,
    subjects: Subjects | None = None,
    stream: StreamSettings | None = None,
    gateway: GatewaySettings | None = None,
) -> AsyncIterator[Api]:
    """Serve the API until the end of the block; the guest's namespace has limits of its *own*.

    subjects: who has a key, in place of the one guest.
    """
    docs, blobs, activations = MemoryDocs(), MemoryBlobs(), MemoryActivations()
    invoker, clock = Obedient(), FakeClock(NOON_MS)
    health = {InvokerId(0): True}
    catalog = Catalog.over(docs, blobs, clock=clock)
    bus = MemoryBus(None, capacity=100)
    events = UserEvents("controller0", bus, clock, UserEventSettings())
    streams = ActivationStreams(
        ControllerId(0),
        bus=bus,
        activations=activations,
        clock=clock,
        settings=stream or StreamSettings(),
    )
    services = Services(
        settings=Settings(
            limits=limits or LimitSettings(),
            stream=stream or StreamSettings(),
            gateway=gateway or GatewaySettings(),
        ),
        clock=clock,
        manifest=Manifest.load(MANIFEST),
        catalog=catalog,
        resolver=Resolver(catalog),
        activations=activations,
        subjects=subjects or OneGuest(own),
        registries=RegistryStore(docs, lambda: Seal(bytes(32)), clock),
        repeats=RepeatedFirings(docs),
        events=NoEvents(),
        entitlement=invoker,
        budgets=NoBudgets(),
        invoker=invoker,
        invoker_health=lambda: {
            f"invoker{n}/{n}": "up" if up else "down" for n, up in health.items()
        },
        own_records=OwnRecords(
            activations, streams.ended, Telling(events, Spans(clock, TracingSettings(), None))
        ),
        streams=streams,
        event_streams=EventStreams(bus, StreamSettings(), are_told=False),
        health=Health(clock, "invokers"),
    )
    server = TestServer(build_app(services))
    async with TestClient(server) as client:
        yield Api(client, docs, blobs, activations, invoker, clock, health, services)
