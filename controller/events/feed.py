"""A feed: what a provider has to know and to remember of one trigger. Pure.

A trigger has one feed at a time, so its name is the feed's. What the user asked for is `config`, as
it is shown; what the provider has got to is `progress`. The trigger's key is in here sealed: who
reads the store cannot fire with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final

from common.ids import DocId, Namespace, Rev
from controller.events.schedule import shown

ENTITY_TYPE: Final = "feed"
SHARDS: Final = 16
"""Parts of all feeds that providers share out among themselves."""
_ROOT: Final = "~feeds"


@dataclass(frozen=True, slots=True)
class Source:
    """Which feed action made it: `alarms/interval`."""

    provider: str
    feed: str


@dataclass(frozen=True, slots=True)
class Status:
    """Whether it makes events, since when, and why not."""

    active: bool
    changed_ms: int
    reason: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One trigger's feed."""

    namespace: Namespace
    trigger: str
    source: Source
    uid: str
    """Of this feed alone: one that is made anew under the same name has another."""
    sealed_key: str
    config: Mapping[str, Any]
    payload: Mapping[str, Any]
    progress: Mapping[str, Any]
    status: Status
    updated_ms: int
    """When others than its provider have changed it last."""
    rev: Rev = Rev("")

    @property
    def doc_id(self) -> DocId:
        """Under which it is stored."""
        return doc_id(self.namespace, self.trigger)

    @property
    def shard(self) -> int:
        """Which part of all feeds it is in."""
        return shard_of(self.doc_id)

    @property
    def address(self) -> str:
        """`namespace/trigger`, for logs."""
        return f"{self.namespace}/{self.trigger}"


def doc_id(namespace: Namespace, trigger: str) -> DocId:
    """Return under what the feed of a trigger is stored; no entity's name begins so."""
    return DocId(f"~feed/{namespace}/{trigger}")


def shard_of(name: DocId) -> int:
    """Return which part of all feeds the one of this name is in, in every process alike."""
    # Not `hash`, which is another one in each process.
    return blake2b(name.encode(), digest_size=1).digest()[0] % SHARDS


def place(shard: int) -> tuple[Namespace, str]:
    """Return where a list finds the feeds of a part: as a namespace and a package."""
    return Namespace(_ROOT), f"{shard:02}"


def disabled(feed: Feed, now_ms: int, message: str, *, status_code: int | None = None) -> Feed:
    """Return *feed* as it is when it was stopped for a reason that its owner is told.

    status_code: what its trigger answered, if that is why.
    """
    reason: dict[str, Any] = {"kind": "AUTO", "message": message}
    if status_code is not None:
        reason["statusCode"] = status_code
    return replace(feed, status=Status(active=False, changed_ms=now_ms, reason=reason))


def shown_status(status: Status) -> dict[str, Any]:
    """Return what READ says of a feed's status, as OpenWhisk's feeds do."""
    told: dict[str, Any] = {
        "active": status.active,
        "dateChanged": status.changed_ms,
        "dateChangedISO": shown(status.changed_ms),
    }
    return told if status.reason is None else told | {"reason": dict(status.reason)}


def to_document(feed: Feed) -> dict[str, Any]:
    """Return how *feed* is written down."""
    root, part = place(feed.shard)
    return {
        "entityType": ENTITY_TYPE,
        "namespace": f"{root}/{part}",
        "name": feed.address,
        "updated": feed.updated_ms,
        "of": {"namespace": feed.namespace, "trigger": feed.trigger},
        "source": {"provider": feed.source.provider, "feed": feed.source.feed},
        "uid": feed.uid,
        "key": feed.sealed_key,
        "config": dict(feed.config),
        "payload": dict(feed.payload),
        "progress": dict(feed.progress),
        "status": {
            "active": feed.status.active,
            "changed": feed.status.changed_ms,
            "reason": None if feed.status.reason is None else dict(feed.status.reason),
        },
    }


def from_document(body: Mapping[str, Any], rev: Rev = Rev("")) -> Feed:
    """Return the feed that *body* is. Raises `ValueError` when it is none."""
    try:
        status = body["status"]
        return Feed(
            namespace=Namespace(body["of"]["namespace"]),
            trigger=body["of"]["trigger"],
            source=Source(body["source"]["provider"], body["source"]["feed"]),
            uid=body["uid"],
            sealed_key=body["key"],
            config=body["config"],
            payload=body["payload"],
            progress=body["progress"],
            status=Status(status["active"], status["changed"], status["reason"]),
            updated_ms=body["updated"],
            rev=rev,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{body.get('name')} is no feed: {error!r}") from error
