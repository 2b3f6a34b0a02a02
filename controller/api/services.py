"""What the API calls: the parts of the platform, handed in by the root of the process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from common.clock import Clock
from common.entity.exec_request import Kinds
from common.entity.identity import Identity
from common.health import Health
from common.message.activation import ActivationMessage
from common.settings import Settings
from common.store.catalog import Catalog
from common.store.port import ActivationStore
from common.store.registries import RegistryStore
from common.telemetry.spans import Spans
from controller.balance.inflight import OnEnd
from controller.billing.budgets import Shown
from controller.edge.auth import Subjects
from controller.invoke.invocation import Accepted, Invocation, Invoked
from controller.invoke.own_records import OwnRecords
from controller.invoke.repeated import RepeatedFirings
from controller.invoke.resolve import Resolver
from controller.stream.activations import ActivationStreams
from controller.stream.user_events import EventStreams


class Manifest(Kinds, Protocol):
    """The runtimes of this platform."""

    def info(self) -> dict[str, Any]:
        """Return the object `runtimes` of the info document."""
        ...


class Throttle(Protocol):
    """How often a namespace may invoke, and how much at the same time."""

    def charge_invocation(self, identity: Identity) -> None:
        """Count one invocation. Raises `TooManyRequests`, `TooManyConcurrent`."""
        ...

    def check_invocation(self, identity: Identity) -> None:
        """Raise what `charge_invocation` would raise now; count nothing."""
        ...

    def count_invocation(self, identity: Identity) -> None:
        """Count one invocation that was checked, and begun."""
        ...

    def charge_firing(self, identity: Identity) -> None:
        """Count one firing of a trigger. Raises `TooManyRequests`."""
        ...


class Invoker(Protocol):
    """Makes one activation of one request."""

    async def invoke(self, asked: Invocation) -> Invoked:
        """Run an action; see `controller.invoke.action.ActionInvoker`."""
        ...

    def try_begin(self, asked: Invocation, on_end: OnEnd) -> ActivationMessage | None:
        """Begin to run an action, if nothing has to be waited for before; see there."""
        ...

    async def promise(self, message: ActivationMessage) -> Accepted:
        """Make an activation last that nobody waits for any more."""
        ...


class Events(Protocol):
    """The providers of events."""

    async def feed(self, package: str, feed: str, body: bytes) -> tuple[int, bytes]:
        """Answer a feed action with a status and JSON; never raises."""
        ...

    async def hook(
        self, path: tuple[str, str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Answer who calls a hook; never raises. *path*: namespace, trigger and token."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that `build_app` needs."""

    settings: Settings
    clock: Clock
    manifest: Manifest
    catalog: Catalog
    resolver: Resolver
    activations: ActivationStore
    subjects: Subjects
    registries: RegistryStore
    repeats: RepeatedFirings
    events: Events
    entitlement: Throttle
    budgets: Shown
    invoker: Invoker
    invoker_health: Callable[[], Mapping[str, str]]
    """State by name, as `/invokers` shows it: `{"invoker0/0": "up"}`."""
    own_records: OwnRecords
    """Where records are kept that the controller makes itself."""
    streams: ActivationStreams
    """Who follows activations."""
    event_streams: EventStreams
    """Who follows user events."""
    health: Health
    """What this process stands on."""

    @property
    def spans(self) -> Spans:
        """Who is told of requests that are traced."""
        return self.own_records.telling.spans
