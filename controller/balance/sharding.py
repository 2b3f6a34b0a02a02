"""The balancer of a cluster: keeps what is known of every invoker, and places by it.

Memory is counted by what this controller has sent and not heard back of; of what other controllers
send it knows nothing, so each uses no more than its share of an invoker's memory.
Source: OpenWhisk's `ShardingContainerPoolBalancer.scala`.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from common.bus.port import Bus, BusUnavailable
from common.clock import Clock
from common.ids import ActivationId, InvokerId
from common.log import logger
from common.message import topics
from common.message.activation import ActivationMessage
from common.message.hint import Hint
from common.message.ping import Ping
from controller.balance import health
from controller.balance.health import Ended, Health
from controller.balance.placement import place, preferred
from controller.balance.port import NoCapacity

ORDERS_KEPT: Final = 4096
MEMORY: Final = "pool.memory_mb"
"""What bounds that may be sent to an invoker that is well."""
FORGOTTEN_S: Final = 3600.0
"""After so much silence an invoker is not missed any more: it was taken away."""

log = logger(__name__)


class Sharding:
    """Chooses the invoker for a message and sends it there."""

    def __init__(self, bus: Bus, clock: Clock, *, controllers: int = 1) -> None:
        """Begin without invokers; *controllers* share each of them.

        All of it is decided by `placement` and `health`.
        """
        self._bus = bus
        self._clock = clock
        self._controllers = controllers
        self._invokers: dict[InvokerId, health.Invoker] = {}
        self._booked_mb: Counter[InvokerId] = Counter()
        self._sent: dict[ActivationId, tuple[InvokerId, int]] = {}
        self._usable: frozenset[InvokerId] = frozenset()
        self._kinds: dict[InvokerId, frozenset[str]] = {}
        self._able: dict[str, frozenset[InvokerId]] = {}
        self._order = lru_cache(ORDERS_KEPT)(preferred)

    @property
    def states(self) -> Mapping[InvokerId, Health]:
        """Every invoker that was ever heard of, and its health."""
        return {invoker: known.health for invoker, known in sorted(self._invokers.items())}

    @property
    def kinds(self) -> frozenset[str]:
        """What any invoker that was ever heard of has said it runs."""
        return frozenset[str]().union(*self._kinds.values())

    @property
    def is_usable(self) -> bool:
        """Whether any invoker takes activations, as far as is known."""
        return bool(self._usable)

    async def publish(self, message: ActivationMessage, *, durable: bool) -> None:
        """Send *message* to the invoker that suits it. Raises `NoCapacity`, `BusUnavailable`."""
        invoker = self._placed(message)
        try:
            await self._bus.send(topics.invoker(invoker), message, durable=durable)
        except BaseException:
            self._release(message.activation_id)
            raise

    def try_publish(self, message: ActivationMessage) -> bool:
        """Send *message* if that takes no waiting. Raises `NoCapacity`, `BusUnavailable`."""
        invoker, sent = self._placed(message), False
        try:
            sent = self._bus.try_send(topics.invoker(invoker), message)
        finally:
            if not sent:
                self._release(message.activation_id)
        return sent

    def foretell(self, hint: Hint) -> None:
        """Tell the invoker that would get it now of *hint*; nothing is booked."""
        invoker = self._choice(hint)
        if invoker is not None:
            with contextlib.suppress(BusUnavailable):  # it costs somebody a cold start
                self._bus.try_send(topics.hints(invoker), hint)

    def heard(self, ping: Ping) -> None:
        """Take note of a ping."""
        known = self._invokers.get(ping.invoker, health.Invoker())
        kinds = frozenset(ping.kinds)
        if self._kinds.get(ping.invoker) != kinds:
            self._kinds[ping.invoker] = kinds
            self._able.clear()
        self._know(
            ping.invoker,
            health.pinged(
                known,
                memory_mb=ping.memory_mb,
                is_taking=ping.is_taking,
                now_s=self._clock.elapsed_s(),
            ),
        )

    def ended(self, activation_id: ActivationId, outcome: Ended) -> None:
        """Give back what an activation had booked, and judge its invoker by its end."""
        invoker = self._release(activation_id)
        if invoker is not None and invoker in self._invokers:
            self._know(invoker, health.ended(self._invokers[invoker], outcome))

    def tick(self) -> list[ActivationId]:
        """Look who has fallen silent; return what they were sent and have not answered."""
        now_s = self._clock.elapsed_s()
        silent = set[InvokerId]()
        for invoker, known in list(self._invokers.items()):
            self._know(invoker, health.waited(known, now_s=now_s))
            if health.is_silent(known, now_s=now_s):
                silent.add(invoker)
            if now_s - known.heard_s > FORGOTTEN_S:
                log.info("invoker_is_forgotten", invoker=invoker)
                del self._invokers[invoker]
        return [each for each, (to, _) in self._sent.items() if to in silent] if silent else []

    def _placed(self, message: ActivationMessage) -> InvokerId:
        invoker = self._choice(message)
        if invoker is None:
            raise NoCapacity(limit=MEMORY if self._able_to_run(message.kind) else "")
        self._sent[message.activation_id] = (invoker, message.memory_mb)
        self._booked_mb[invoker] += message.memory_mb
        return invoker

    def _choice(self, message: ActivationMessage | Hint) -> InvokerId | None:
        key = f"{message.namespace}/{message.action.doc_id}"
        able = self._able_to_run(message.kind)
        return place(self._order(key, able), self._free_mb, message.memory_mb)

    def _able_to_run(self, kind: str) -> frozenset[InvokerId]:
        """Return the usable invokers that run *kind*; all, if none ever has: one says why not."""
        able = self._able.get(kind)
        if able is None:
            runners = {invoker for invoker, kinds in self._kinds.items() if kind in kinds}
            able = self._able[kind] = self._usable & runners if runners else self._usable
        return able

    def _free_mb(self, invoker: InvokerId) -> int:
        share_mb = self._invokers[invoker].memory_mb // self._controllers
        return share_mb - self._booked_mb[invoker]

    def _release(self, activation_id: ActivationId) -> InvokerId | None:
        invoker, memory_mb = self._sent.pop(activation_id, (None, 0))
        if invoker is not None:
            self._booked_mb[invoker] -= memory_mb
        return invoker

    def _know(self, invoker: InvokerId, known: health.Invoker) -> None:
        before = self._invokers.get(invoker)
        self._invokers[invoker] = known
        if before is None or before.health is not known.health:
            log.info("invoker_is", invoker=invoker, health=known.health.text)
            self._usable = frozenset(
                each for each, state in self._invokers.items() if state.health is Health.HEALTHY
            )
            self._able.clear()
