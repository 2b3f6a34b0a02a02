"""The settings of what a platform tells of itself and of its namespaces while it works.

Part of the one tree in `common.settings`, which reads them.
"""

from pydantic import Field

from common.settings_services import Group


class UserEventSettings(Group):
    """What tools of a namespace are told of its activations and limits: user events.

    They are on the topic `events` in OpenWhisk's schema, and at an address of ours.
    """

    enabled: bool = False
    """Whether they are sent. Source of the default: OpenWhisk's `whisk.user-events.enabled`."""
    flush_ms: int = Field(default=100, ge=1)
    """How long an event may wait for others to be sent with it."""
    max_waiting: int = Field(default=10_000, ge=1)
    """How many may wait to be sent. What is more is dropped, and counted."""


class MetricSettings(Group):
    """What `/metrics` shows."""

    most_namespaces: int = Field(default=50, ge=0, le=1_000)
    """How many namespaces have series of their own, the busiest; all others are `_other`. Each of
    them has seven in an invoker. 0 names none."""


class TracingSettings(Group):
    """Traces: which requests can be followed from hop to hop, as W3C Trace Context has it."""

    sample_share: float = Field(default=0.0, ge=0, le=1)
    """For which share of the requests that bring no `traceparent` one is made. Those that bring one
    keep it, whatever this is."""
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://[^/\s]+[^\s]*$")
    """Where spans are sent by OTLP over HTTP, such as `http://collector:4318`; `/v1/traces` is put
    behind it. None sends none. It takes `pip install 'brisk-faas[otel]'`."""
    otlp_timeout_s: float = Field(default=5.0, gt=0, le=60)
    """How long the collector may take for a batch, all tries together. A stopping process waits
    so long and two seconds at most."""
    flush_ms: int = Field(default=1_000, ge=1)
    """How long a span may wait for others to be sent with it."""
    max_waiting: int = Field(default=10_000, ge=1)
    """How many may wait to be sent. What is more is dropped, and counted."""


class StreamSettings(Group):
    """Who may follow what happens in a namespace while it happens, at one controller."""

    max_streams: int = Field(default=256, ge=0)
    """How many connections may follow something in all. One more is refused with 503."""
    max_streams_per_namespace: int = Field(default=16, ge=0)
    """How many of them may belong to one namespace."""
    max_waiting: int = Field(default=1_000, ge=1)
    """How much may wait for one that reads slowly. What is more is left out, and it is told so."""
    heartbeat_s: float = Field(default=15.0, gt=0)
    """How often something is sent while nothing happens, and the key is looked at again."""
    write_s: float = Field(default=30.0, gt=0)
    """How long one may read nothing at all before the connection is closed."""
