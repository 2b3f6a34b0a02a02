"""Messages of a broker that fire triggers: what users ask for, and what becomes of each batch.

Where a feed has come to is written down behind what was accepted, and then the broker is told, too.
What is in a batch is written down before it is fired: a provider that dies amid it, or the one that
takes over, reads the same messages again and fires them under the same name.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from common.clock import Clock
from common.log import logger
from controller.events import sources
from controller.events.consumers import SourceAway
from controller.events.feed import Feed, disabled
from controller.events.firing import Firer
from controller.events.messages import Batch, Form, Message, batch_of, name_of
from controller.events.provider import Order, Refused
from controller.events.registry import Registry, Sealing
from controller.events.retrying import Stopped

KAFKA: Final = "kafkaFeed"
MESSAGE_HUB: Final = "messageHubFeed"
MOST_BROKERS: Final = 20
_FLAGS: Final = ("isJSONData", "isBinaryKey", "isBinaryValue")
_log: Final = logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A topic, and who reads it. Shows no password."""

    brokers: tuple[str, ...]
    topic: str
    group: str
    user: str = ""
    password: str = ""


class Topic(Protocol):
    """A topic that is being read."""

    partitions: frozenset[int]
    """Those that it had when reading began."""

    async def read(self, offsets: Mapping[int, int]) -> Sequence[Message]:
        """Return messages from *offsets* on, perhaps none after a while. Raises `SourceAway`."""
        ...

    async def bounds(self, partition: int) -> tuple[int, int]:
        """Return the offset of the first message there is, and of the next one to come.

        Raises `SourceAway`.
        """
        ...

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the broker where the feed has come to; for people who look there."""
        ...


class Brokers(Protocol):
    """What reads topics."""

    async def ends(self, place: Place) -> dict[int, int]:
        """Return the offset of each partition that its next message gets. Raises `SourceAway`."""
        ...

    def reading(self, place: Place) -> AbstractAsyncContextManager[Topic]:
        """Read a topic while inside. Raises `SourceAway`."""
        ...


class Messaging:
    """The provider of messages: the life of its feeds, and what they read."""

    feeds = (KAFKA, MESSAGE_HUB)

    def __init__(
        self,
        registry: Registry,
        seal: Sealing,
        firer: Firer,
        brokers: Brokers,
        clock: Clock,
        *,
        allowed: str,
    ) -> None:
        """Read by *brokers*, from where it is *allowed*; see `controller.events.sources`."""
        self._registry = registry
        self._seal = seal
        self._firer = firer
        self._brokers = brokers
        self._clock = clock
        self._allowed = allowed

    def __repr__(self) -> str:
        return "<Messaging>"

    async def created(self, feed: str, given: Mapping[str, Any], now_ms: int) -> Order:
        """Return what a new feed is to do: tell of messages from now on. Raises `Refused`."""
        config = _new_config(feed, given)
        for broker in config["brokers"]:
            host, _, port = broker.rpartition(":")
            sources.require(self._allowed, host, int(port))
        password = str(given.get("password") or "")
        try:
            ends = await self._brokers.ends(_place(config, "brisk-feed", password))
        except SourceAway as error:
            raise Refused(f"the brokers cannot be read from: {error}") from error
        sealed = self._seal.encrypt(password, owner=_owner(config)) if password else ""
        return Order(config, {}, {"offsets": _kept(ends), "password": sealed})

    async def updated(
        self, feed: str, before: Order, given: Mapping[str, Any], now_ms: int
    ) -> Order:
        """Return what a feed is to do from now on. Raises `Refused`."""
        if not any(name in given for name in _FLAGS):
            raise Refused(f"At least one of {', '.join(_FLAGS)} parameters must be supplied")
        flags = _flags_in(dict(before.config) | dict(given))
        return Order(dict(before.config) | flags, before.payload, before.progress)

    def resumed(self, before: Order, now_ms: int) -> Order:
        """Return what a feed is to do that was paused: tell also of what has come since."""
        return before

    def shown(self, feed: Feed) -> dict[str, Any]:
        """Return what READ shows; of passwords nothing."""
        return {"triggerName": f"/{feed.namespace}/{feed.trigger}"} | dict(feed.config)

    def answer(self, feed: Feed) -> dict[str, Any]:
        """Return what CREATE says beside that it went well."""
        return {"uuid": feed.uid}

    async def follow(self, feed: Feed) -> None:
        """Fire for each batch, until the feed is to end. Raises `SourceAway`, `NotKnown`."""
        found: Feed | None = await self._registry.get(feed.doc_id)
        if found is None or found.uid != feed.uid:
            return
        sealed = found.progress.get("password")
        password = self._seal.decrypt(sealed, owner=_owner(found.config)) if sealed else ""
        # As OpenWhisk's: a group for each trigger, which people find at the broker.
        group = f"/{found.namespace}/{found.trigger}"
        async with self._brokers.reading(_place(found.config, group, password)) as topic:
            while found is not None and found.status.active and found.uid == feed.uid:
                found = await self._step(found, topic)

    async def _step(self, feed: Feed, topic: Topic) -> Feed | None:
        """Fire one batch: the one that was begun before, or the next. None: the feed is gone."""
        offsets = _offsets(feed.progress["offsets"])
        begun = feed.progress.get("batch")
        if begun:
            ranges = {int(part): (first, last) for part, (first, last) in begun.items()}
            batch = batch_of([each async for each in _again(topic, ranges)], _form(feed.config))
            batch = replace(batch, ranges=ranges)
        else:
            # A partition that came since is read from its beginning.
            found = await topic.read(dict.fromkeys(topic.partitions, 0) | offsets)
            if not found:
                return await self._registry.get(feed.doc_id)
            batch = batch_of(found, _form(feed.config))
            noted = {str(part): list(bounds) for part, bounds in batch.ranges.items()}
            wanted = await self._write(feed, {"batch": noted})
            if wanted is None:
                return None
            feed = wanted
        return await self._fire(feed, topic, batch)

    async def _fire(self, feed: Feed, topic: Topic, batch: Batch) -> Feed | None:
        if batch.skipped:
            _log.warning("messages_left_out", feed=feed.address, number=batch.skipped)
        if batch.shown:
            payload = {"messages": list(batch.shown)}
            outcome = await self._firer.fire(feed, name_of(batch.ranges), payload)
            if isinstance(outcome, Stopped):
                now_ms, stopped = self._clock.now_ms(), outcome
                return await self._registry.change(
                    feed.doc_id,
                    feed.uid,
                    lambda newest: disabled(
                        newest, now_ms, stopped.message, status_code=stopped.status_code
                    ),
                )
        offsets = _offsets(feed.progress["offsets"])
        offsets |= {part: last + 1 for part, (_, last) in batch.ranges.items()}
        done = await self._write(feed, {"offsets": _kept(offsets), "batch": None})
        await topic.commit(offsets)
        return done

    async def _write(self, feed: Feed, progress: Mapping[str, Any]) -> Feed | None:
        return await self._registry.change(
            feed.doc_id,
            feed.uid,
            lambda newest: replace(newest, progress=dict(newest.progress) | dict(progress)),
        )


async def _again(topic: Topic, ranges: Mapping[int, tuple[int, int]]) -> AsyncIterator[Message]:
    """Yield the messages of *ranges*, without what the broker has thrown away meanwhile."""
    for part, (first, last) in sorted(ranges.items()):
        at = first
        while at <= last:
            found = [each for each in await topic.read({part: at}) if each.partition == part]
            if not found:
                begin, end = await topic.bounds(part)
                if begin <= at < end:
                    raise SourceAway("the broker has messages and does not give them")
                at = max(at, begin) if begin < end else end
                if at >= end:
                    break
                continue
            for each in found:
                if each.offset <= last:
                    yield each
            at = found[-1].offset + 1


def _new_config(feed: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if not given.get("topic"):
        raise Refused("You must supply a 'topic' parameter.")
    name = "kafka_brokers_sasl" if feed == MESSAGE_HUB else "brokers"
    listed = given.get(name)
    if not listed:
        raise Refused(f"You must supply a '{name}' parameter.")
    brokers = listed.split(",") if isinstance(listed, str) else listed
    if not isinstance(brokers, list) or not 0 < len(brokers) <= MOST_BROKERS:
        raise Refused(f"You must supply a '{name}' parameter as an array of Message Hub brokers.")
    config: dict[str, Any] = {"topic": str(given["topic"]), "brokers": []}
    for broker in brokers:
        host, _, port = str(broker).strip().rpartition(":")
        found = sources.host_in(host, name), sources.port_in(port, name)
        config["brokers"].append(f"{found[0]}:{found[1]}")
    if feed == MESSAGE_HUB:
        if not given.get("user") or not given.get("password"):
            raise Refused("You must supply a 'user' and a 'password' parameter.")
        config["user"] = str(given["user"])
    return config | _flags_in(given)


def _flags_in(given: Mapping[str, Any]) -> dict[str, bool]:
    flags = {name: str(given.get(name, False)).lower() == "true" for name in _FLAGS}
    if flags["isJSONData"] and flags["isBinaryValue"]:
        raise Refused("isJSONData and isBinaryValue cannot both be enabled.")
    return flags


def _form(config: Mapping[str, Any]) -> Form:
    return Form(config["isJSONData"], config["isBinaryKey"], config["isBinaryValue"])


def _place(config: Mapping[str, Any], group: str, password: str) -> Place:
    brokers, topic = tuple(config["brokers"]), config["topic"]
    return Place(brokers, topic, group, str(config.get("user", "")), password)


def _owner(config: Mapping[str, Any]) -> str:
    return f"{','.join(config['brokers'])}/{config['topic']}"


def _kept(offsets: Mapping[int, int]) -> dict[str, int]:
    return {str(part): offset for part, offset in sorted(offsets.items())}


def _offsets(kept: Mapping[str, int]) -> dict[int, int]:
    return {int(part): offset for part, offset in kept.items()}
