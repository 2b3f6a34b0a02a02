"""What becomes of a feed when its trigger is made, read, changed, paused or deleted.

A feed action passes on what the command line told it. Whoever asks has to show the key of the
trigger's namespace, which the platform checks: a trigger is read with it first. What a provider
refuses leaves nothing; what it takes is in the store before anybody is answered.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from common.clock import Clock
from common.entity.names import is_legal
from common.errors import BriskError
from common.ids import DocId, Namespace
from common.log import logger
from controller.events.client import Reply
from controller.events.feed import Feed, Source, Status, doc_id, shown_status
from controller.events.provider import NotKnown, Order, Refused
from controller.events.registry import Registry

_OWN: Final = ("lifecycleEvent", "triggerName", "authKey")
"""What is not for a provider."""
_NOT_FOUND: Final = 404
_PAUSED: Final = {"kind": "USER", "message": "Paused."}
_log: Final = logger(__name__)


class Unanswered(BriskError):
    """The platform does not answer, so nobody can say whose trigger this is. Try again."""


class NotAllowed(BriskError):
    """The trigger cannot be read with this key."""


class Provider(Protocol):
    """What knows about one kind of source of events."""

    @property
    def feeds(self) -> Sequence[str]:
        """The names of its feed actions."""
        ...

    async def created(self, feed: str, given: Mapping[str, Any], now_ms: int) -> Order:
        """Return what a new feed is to do. Raises `Refused`."""
        ...

    async def updated(
        self, feed: str, before: Order, given: Mapping[str, Any], now_ms: int
    ) -> Order:
        """Return what a feed is to do from now on. Raises `Refused`."""
        ...

    def resumed(self, before: Order, now_ms: int) -> Order:
        """Return what a feed is to do that was paused."""
        ...

    def shown(self, feed: Feed) -> dict[str, Any]:
        """Return what READ shows of what was asked for."""
        ...

    def answer(self, feed: Feed) -> dict[str, Any]:
        """Return what CREATE says of a feed, beside that it went well."""
        ...


class Served(Protocol):
    """Where feeds are served."""

    def take(self, feed: Feed) -> None:
        """Serve *feed* as it is now."""
        ...

    def drop(self, name: DocId) -> None:
        """Serve a feed no more."""
        ...


class Reading(Protocol):
    """Where triggers are read."""

    async def trigger(self, namespace: str, name: str, auth: str) -> Reply:
        """Read a trigger."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class _Told:
    """What a feed action was told: of which trigger, by whom, and what is for the provider."""

    source: Source
    provider: Provider
    namespace: Namespace
    trigger: str
    auth: str
    given: Mapping[str, Any]

    @property
    def doc_id(self) -> DocId:
        return doc_id(self.namespace, self.trigger)


class Lifecycle:
    """Answers feed actions."""

    def __init__(
        self,
        registry: Registry,
        providers: Mapping[str, Provider],
        served: Served,
        triggers: Reading,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._providers = providers
        self._served = served
        self._triggers = triggers
        self._clock = clock
        self._events: Mapping[str, Callable[[_Told], Awaitable[dict[str, Any]]]] = {
            "CREATE": self._create,
            "READ": self._read,
            "UPDATE": self._update,
            "DELETE": self._delete,
            "PAUSE": self._pause,
            "UNPAUSE": self._unpause,
        }

    def __repr__(self) -> str:
        return f"<Lifecycle of {', '.join(self._providers)}>"

    async def told(self, source: Source, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the feed action *source* was told, and return its answer.

        Raises `Refused`, `NotKnown`, `NotAllowed`, `Unanswered`, `StoreUnavailable`.
        """
        told = self._read_told(source, given)
        event = str(given.get("lifecycleEvent") or "CREATE").strip().upper()
        if event not in self._events:
            raise Refused(f"unsupported lifecycleEvent '{event[:32]}'")
        await self._require_theirs(told, may_be_gone=event == "DELETE")
        return await self._events[event](told)

    def _read_told(self, source: Source, given: Mapping[str, Any]) -> _Told:
        provider = self._providers.get(source.provider)
        if provider is None or source.feed not in provider.feeds:
            raise Refused(f"there is no feed {source.provider}/{source.feed}")
        auth, name = given.get("authKey"), given.get("triggerName")
        if not isinstance(auth, str) or not auth:
            raise Refused("no authKey parameter was provided")
        if not isinstance(name, str) or not name:
            raise Refused("no trigger name parameter was provided")
        parts = name.strip("/").split("/")
        if len(parts) != len(("namespace", "name")) or not all(map(is_legal, parts)):
            raise Refused(f"the trigger name '{name[:300]}' is not of the form /NAMESPACE/NAME")
        rest = {key: value for key, value in given.items() if key not in _OWN}
        return _Told(source, provider, Namespace(parts[0]), parts[1], auth, rest)

    async def _require_theirs(self, told: _Told, *, may_be_gone: bool) -> None:
        """Return if the key that was shown reads the trigger. Raises `NotAllowed`, `Unanswered`."""
        reply = await self._triggers.trigger(told.namespace, told.trigger, told.auth)
        if reply.status == 200 or (may_be_gone and reply.status == _NOT_FOUND):
            return
        if reply.status is None or reply.status >= 500:
            raise Unanswered
        raise NotAllowed(
            f"Trigger authentication request failed with {reply.status}: {reply.text}".rstrip(": ")
        )

    async def _create(self, told: _Told) -> dict[str, Any]:
        now_ms = self._clock.now_ms()
        order = await told.provider.created(told.source.feed, told.given, now_ms)
        feed = Feed(
            namespace=told.namespace,
            trigger=told.trigger,
            source=told.source,
            uid=self._registry.new_uid(),
            sealed_key=self._registry.sealed(told.doc_id, told.auth),
            config=order.config,
            payload=order.payload,
            progress=order.progress,
            status=Status(active=True, changed_ms=now_ms),
            updated_ms=now_ms,
        )
        await self._registry.put(feed)
        self._served.take(feed)
        _log.info("feed_created", feed=feed.address, source=told.source.feed, uid=feed.uid)
        return {"status": "success"} | told.provider.answer(feed)

    async def _read(self, told: _Told) -> dict[str, Any]:
        feed = await self._of(told)
        return {"config": told.provider.shown(feed), "status": shown_status(feed.status)}

    async def _update(self, told: _Told) -> dict[str, Any]:
        now_ms = self._clock.now_ms()
        before = await self._of(told)
        order = await told.provider.updated(told.source.feed, _order_of(before), told.given, now_ms)
        # A key that was changed since is the one to fire with.
        key = self._registry.sealed(told.doc_id, told.auth)

        def change(feed: Feed) -> Feed:
            # What was fired meanwhile stays counted; what the user has changed wins.
            moved = order.progress != before.progress
            return replace(
                feed,
                config=order.config,
                payload=order.payload,
                progress=dict(feed.progress) | dict(order.progress) if moved else feed.progress,
                sealed_key=key,
                status=Status(active=True, changed_ms=now_ms),
                updated_ms=max(now_ms, feed.updated_ms + 1),
            )

        return await self._change(told, before.uid, change)

    async def _delete(self, told: _Told) -> dict[str, Any]:
        try:
            feed = await self._of(told)
            await self._registry.change(told.doc_id, feed.uid, lambda _: None)
        finally:
            self._served.drop(told.doc_id)
        _log.info("feed_deleted", feed=feed.address, uid=feed.uid)
        return {"status": "success"}

    async def _pause(self, told: _Told) -> dict[str, Any]:
        now_ms = self._clock.now_ms()

        def change(feed: Feed) -> Feed:
            if not feed.status.active:
                return feed
            status = Status(active=False, changed_ms=now_ms, reason=_PAUSED)
            return replace(feed, status=status, updated_ms=max(now_ms, feed.updated_ms + 1))

        return await self._change(told, None, change)

    async def _unpause(self, told: _Told) -> dict[str, Any]:
        now_ms = self._clock.now_ms()

        def change(feed: Feed) -> Feed:
            if feed.status.active:
                return feed
            order = told.provider.resumed(_order_of(feed), now_ms)
            return replace(
                feed,
                progress=order.progress,
                status=Status(active=True, changed_ms=now_ms),
                updated_ms=max(now_ms, feed.updated_ms + 1),
            )

        return await self._change(told, None, change)

    async def _change(
        self, told: _Told, uid: str | None, change: Callable[[Feed], Feed]
    ) -> dict[str, Any]:
        await self._of(told)
        feed = await self._registry.change(told.doc_id, uid, change)
        assert feed is not None, "nothing is deleted here"
        self._served.take(feed)
        return {"status": "success"}

    async def _of(self, told: _Told) -> Feed:
        """Return the feed that is meant. Raises `NotKnown` when the trigger has another one."""
        feed = await self._registry.get(told.doc_id)
        if feed.source != told.source:
            raise NotKnown
        return feed


def _order_of(feed: Feed) -> Order:
    return Order(feed.config, feed.payload, feed.progress)
