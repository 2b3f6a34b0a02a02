"""The settings of what a platform stands on, and of what it costs.

Part of the one tree in `common.settings`, which reads them.
"""

from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Group(BaseModel):
    """What is set together: frozen, and nothing in it that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StoreSettings(Group):
    """How records reach the disk."""

    flush_interval_ms: int = Field(default=20, ge=1)
    """How long a record may wait for others to share its transaction."""
    flush_records: int = Field(default=512, ge=1)
    """How many records share a transaction at most."""
    stale_s: float = Field(default=3600.0, ge=0)
    """How long actions and keys that were read are used while the database is away. A key that is
    withdrawn elsewhere meanwhile works for that long."""
    close_s: float = Field(default=10.0, gt=0)
    """How long a stopping platform waits for its stores."""


class GatewaySettings(Group):
    """How APIs are served."""

    url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    """Where callers reach APIs: what stands before `/api/TENANT/…` in their addresses. Empty is
    `/gw` of the host that the request which asks for the address was sent to."""
    max_apis: int = Field(default=100, ge=1)
    """How many APIs a tenant may have."""
    max_keys: int = Field(default=100, ge=1)
    """How many keys an API may have."""
    max_document_bytes: int = Field(default=512 << 10, ge=1)
    """The largest document of an API. All those of a tenant are read when one of them changes."""


class RetentionSettings(Group):
    """How long what is kept, counted from the end of its day (UTC)."""

    grace_h: int = Field(default=26, ge=1)
    """When a day is closed and its usage summed. Longer than a record may wait in a spool."""
    records_days: int = Field(default=7, ge=1)
    """How long records are kept, with results and logs. They are dropped once they are summed. A
    namespace may have less or more (`brisk admin limits set NAMESPACE --retentionDays N`)."""
    sums_days: int = Field(default=400, ge=1)
    """How long usage is kept, hour by hour."""
    code_h: int = Field(default=72, ge=1)
    """How long code is kept that no action names. Longer than `kafka.retention_ms`: the arguments
    of a call that are too large for a message lie there, too."""
    check_s: float = Field(default=3600.0, gt=0)
    """How often it is looked what is to be closed or thrown away."""


class PriceEntry(Group):
    """What usage costs from a day on, in millionths of the currency."""

    from_day: date
    """The first day (UTC)."""
    million_activations_micros: int = Field(default=0, ge=0)
    """A million activations."""
    million_gb_s_micros: int = Field(default=0, ge=0)
    """A million GB-seconds of reserved memory."""


class PriceSettings(Group):
    """What usage costs. Without a book, nothing has a price and none is shown."""

    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    """A code of ISO 4217, such as `EUR`."""
    provider: str = "Brisk"
    """Who sells this and writes the bill, for `brisk usage export`."""
    budget_check_s: float = Field(default=15.0, gt=0)
    """How often it is read from the bill what is spent of budgets (`brisk admin budget`)."""
    book: tuple[PriceEntry, ...] = ()
    """A table `[[price.book]]` in the file for each change of price: `from_day`, and in millionths
    of the currency `million_activations_micros` and `million_gb_s_micros`."""

    @model_validator(mode="after")
    def _is_a_book(self) -> Self:
        days = [entry.from_day for entry in self.book]
        if len(set(days)) < len(days):
            raise ValueError("two prices begin on one day")
        if self.book and not self.currency:
            raise ValueError("prices need a currency")
        return self


class KafkaSettings(Group):
    """The message bus of a cluster. Every controller and invoker reads the same group."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """Where brokers are found first: `host:port`, several with commas between."""
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How a connection is protected, in Kafka's words."""
    ca_file: Path | None = None
    """Certificates that a broker's is checked against; None is those of the system."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How user and password are proven, where `security` begins with SASL."""
    user: str | None = None
    """Who connects, where `security` begins with SASL."""
    password: SecretStr | None = None
    """The password of `user`."""
    topic_prefix: str = ""
    """Put before the name of every topic and group, where installations share a broker."""
    replication: int = Field(default=1, ge=1)
    """Brokers that hold each topic this platform makes. With three of them, use 3."""
    retention_ms: int = Field(default=172_800_000, ge=60_000)
    """How long a topic of an invoker keeps messages; the others keep them for an hour."""
    retention_bytes: int = Field(default=1 << 30, ge=1 << 20)
    """How much a topic keeps."""
    max_message_bytes: int = Field(default=12 << 20, ge=1 << 16)
    """The largest message: a record with its result and logs must fit."""
    compression: Literal["none", "gzip", "lz4"] = "lz4"
    """How batches are compressed; small ones are sent as they are."""
    capacity: int = Field(default=10_000, ge=1)
    """Messages that may wait in a topic, or here for a broker; beyond that nothing is taken."""
    buffer_bytes: int = Field(default=64 << 20, ge=1 << 20)
    """Bytes that may wait here for a broker, for all topics together."""
    prefetch: int = Field(default=256, ge=1)
    """Messages of a topic that are read before they are asked for."""
    send_timeout_s: float = Field(default=20.0, gt=0)
    """How long who must know that a message is safe waits for the brokers."""
    request_timeout_s: float = Field(default=10.0, gt=0)
    """How long one request waits for a broker's answer before it is tried anew."""
    session_timeout_s: float = Field(default=10.0, ge=1)
    """A consumer that was silent for this long is taken for dead, and its topic goes elsewhere."""
    commit_interval_ms: int = Field(default=100, ge=1)
    """How often brokers are told what has been settled."""
    hand_over_s: float = Field(default=5.0, gt=0)
    """How long a topic that goes to another consumer waits for messages that are in work."""
    retry_pause_s: float = Field(default=0.5, gt=0)
    """The pause before an absent broker is asked again."""
    close_s: float = Field(default=10.0, gt=0)
    """How long a stopping platform waits for the brokers."""


class CouchdbSettings(Group):
    """The store of a cluster. Every controller and invoker reads the same group."""

    url: str = "http://127.0.0.1:5984"
    """Where CouchDB answers. User and password do not belong in it."""
    prefix: str = Field(default="brisk_", pattern=r"^[a-z][a-z0-9_]*$")
    """Put before the name of every database, where installations share a server."""
    user: str | None = None
    """Who connects. One of its own for each service: a wrong password locks a user out."""
    password: SecretStr | None = None
    """The password of `user`."""
    member: str | None = None
    """The user of invokers, where it is no server admin: it reads actions, writes records, and that
    is all. The same for all processes; controllers make databases and let it in."""
    connect_s: float = Field(default=3.0, gt=0)
    """How long making a connection may take."""
    request_s: float = Field(default=10.0, gt=0)
    """How long a read waits for its answer."""
    retry_s: float = Field(default=2.0, ge=0)
    """How long a request is tried again while the server is away."""
    bulk_s: float = Field(default=30.0, gt=0)
    """How long a write waits for its answer."""
    bulk_records: int = Field(default=200, ge=1, le=1000)
    """How many records are written together at most."""
    bulk_bytes: int = Field(default=1 << 20, ge=1 << 14, le=4 << 20)
    """How large a bulk of records is at most. A larger record is kept as an attachment."""
    bulk_wait_ms: int = Field(default=20, ge=1)
    """How long a record waits for others to be written with."""
    bulks_in_flight: int = Field(default=4, ge=1)
    """How many bulks are under way at the same time."""
    settle_s: float = Field(default=120.0, ge=0)
    """How long a day that was closed waits for writes under way. Longer than `bulk_s` and 10 s."""
    heartbeat_s: float = Field(default=10.0, gt=0)
    """How often the feed of changes must say that it lives; it is dead after three times that."""

    @property
    def is_member(self) -> bool:
        """Whether this process is no server admin: others make its databases."""
        return self.member is not None and self.user == self.member


class EventsSettings(Group):
    """Which provider of events this process is, and what feeds may do."""

    id: int = Field(default=0, ge=0)
    """Its number, below `count`. A second one of a number waits until the first one ends."""
    count: int = Field(default=1, ge=1, le=64)
    """How many providers share the feeds."""
    api_host: str = "http://127.0.0.1:3233"
    """Where a provider reaches the API, which it fires triggers by."""
    url: str = "http://127.0.0.1:3240"
    """Where controllers reach the providers; of several, with commas between, the first that can
    be reached is asked."""
    public_url: str = ""
    """Where the world reaches the API, as the addresses of hooks show it. Empty is `api_host`, or
    where the embedded platform listens."""
    sources: str = ""
    """Where feeds of databases and brokers may read: `couchdb:5984, kafka`, a host with or without
    a port each, with commas between. `*` is everywhere, which is for those alone whose users may
    reach whatever a provider reaches."""
    max_sources: int = Field(default=200, ge=1)
    """How many databases, and how many topics, a provider reads from at the same time."""
    max_firings: int = Field(default=64, ge=1, le=1000)
    """Triggers that a provider fires at the same time."""
