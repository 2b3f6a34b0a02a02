"""Every metric of Brisk, declared once: name, meaning, and all values that a label can have.

Labels are closed sets. A child of a metric is made here, at import, for every value: the hot path
looks nothing up (finding a child costs more than counting), every series exists from the start, and
nobody can make one per action or per namespace; that is what records and the bill are for.

Names are `brisk_<part>_<what>_<unit>`; counters end in `total`, as Prometheus has it. Times are
exported in seconds, its unit, though they are whole milliseconds inside.

How gauges are read, and all of it shown, is in `common.metric_registry`.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from prometheus_client import Counter, Gauge

from common.durations import Durations
from common.entity.activation import ActivationRecord, Status
from common.metric_registry import CONTENT_TYPE as CONTENT_TYPE
from common.metric_registry import REGISTRY as REGISTRY
from common.metric_registry import Readings as Readings
from common.metric_registry import each
from common.metric_registry import render as render
from common.metric_registry import shown as shown

StartKind: TypeAlias = Literal["cold", "stem", "warm"]
"""How an activation got its sandbox: a new one, a blank one that was ready, one with its code."""
SandboxState: TypeAlias = Literal[
    "starting", "blank", "busy", "ready", "pausing", "paused", "casting", "template", "removing"
]
TopicClass: TypeAlias = Literal[
    "invoker", "composition", "completed", "health", "cacheInvalidation", "events", "hint",
    "watched",
]  # fmt: skip
RouteClass: TypeAlias = Literal[
    "invoke",
    "web",
    "action",
    "activation",
    "package",
    "trigger",
    "rule",
    "namespace",
    "api",
    "gateway",
    "other",
]
CodeClass: TypeAlias = Literal["2xx", "3xx", "4xx", "5xx"]
HintFate: TypeAlias = Literal["taken", "needless", "dropped"]
"""What became of a hint: a sandbox was made, one was there already, or there was no room."""
TemplateFate: TypeAlias = Literal["made", "unfit", "failed", "copied", "not_copied"]
ImageFault: TypeAlias = Literal["not_pulled", "not_found", "not_run", "no_images"]
"""What is wrong with the image of an action."""
BulkTry: TypeAlias = Literal["first", "again"]
"""Whether a bulk was sent for the first time."""
Dependency: TypeAlias = Literal["kafka", "couchdb", "store", "spool", "engine", "invokers"]
"""What a process may stand on."""
Housework: TypeAlias = Literal["prepare", "seal", "drop", "forget", "sweep"]
"""What is done to days: made ahead, summed, their records deleted, their sums; to code: swept."""
FiringFate: TypeAlias = Literal["accepted", "again", "lost", "refused"]
"""What became of a firing of a feed: done, tried once more, left out, or the feed was stopped."""
ThrottleLimit: TypeAlias = Literal[
    "invocations_per_minute",
    "firings_per_minute",
    "concurrent_invocations",
    "api_calls_per_minute",
    "budget",
]
BudgetLevel: TypeAlias = Literal["within", "warned", "throttled", "stopped"]
Threshold: TypeAlias = Literal["warned", "throttled", "stopped"]

_activations: Final = Counter(
    "brisk_invoker_activations_total",
    "Activations that ended, by how.",
    ["status"],
    registry=REGISTRY,
)
ACTIVATIONS: Final[Mapping[Status, Counter]] = {
    status: _activations.labels(status.text.replace(" ", "_")) for status in Status
}
WAIT_DURATION: Final = Durations(
    REGISTRY,
    "brisk_invoker_wait_duration_seconds",
    "From the receipt of a request to the start of its code, or of loading it.",
)
INIT_DURATION: Final = Durations(
    REGISTRY,
    "brisk_invoker_init_duration_seconds",
    "How long code took to load, where it had to be loaded.",
)
RUN_DURATION: Final = Durations(
    REGISTRY,
    "brisk_invoker_run_duration_seconds",
    "How long code took to answer, without loading it.",
)

STARTS: Final[Mapping[StartKind, Counter]] = each(
    Counter(
        "brisk_pool_starts_total",
        "Activations that got a sandbox: a new one, a stem cell, or a warm one.",
        ["start"],
        registry=REGISTRY,
    ),
    get_args(StartKind),
)
HINTS: Final[Mapping[HintFate, Counter]] = each(
    Counter(
        "brisk_pool_hints_total",
        "Steps of sequences that were foretold: a sandbox was made, there was one, or no room.",
        ["hint"],
        registry=REGISTRY,
    ),
    get_args(HintFate),
)
TEMPLATES: Final[Mapping[TemplateFate, Counter]] = each(
    Counter(
        "brisk_pool_templates_total",
        "Templates of loaded code that were made, or not; sandboxes that became copies, or not.",
        ["template"],
        registry=REGISTRY,
    ),
    get_args(TemplateFate),
)
IMAGE_FAULTS: Final[Mapping[ImageFault, Counter]] = each(
    Counter(
        "brisk_pool_image_faults_total",
        "Activations that ended because the image of their action can't be used, by why.",
        ["fault"],
        registry=REGISTRY,
    ),
    get_args(ImageFault),
)
WAITING_IMAGES: Final = Gauge(
    "brisk_pool_waiting_images",
    "Images of actions that are being looked for or pulled.",
    registry=REGISTRY,
)
READY_NETWORKS: Final = Gauge(
    "brisk_driver_ready_networks",
    "Networks of sandboxes that are made and not yet taken.",
    registry=REGISTRY,
)
SANDBOXES: Final[Mapping[SandboxState, Gauge]] = each(
    Gauge("brisk_pool_sandboxes", "Sandboxes, by state.", ["state"], registry=REGISTRY),
    get_args(SandboxState),
)
WAITING_ACTIVATIONS: Final = Gauge(
    "brisk_pool_waiting_activations",
    "Activations that wait for a sandbox.",
    registry=REGISTRY,
)
RESERVED_MEMORY: Final = Gauge(
    "brisk_pool_reserved_memory_megabytes",
    "Sum of the memory limits of all sandboxes, busy and idle.",
    registry=REGISTRY,
)

RECORDS_WRITTEN: Final = Counter(
    "brisk_store_written_records_total",
    "Activation records that reached the store.",
    registry=REGISTRY,
)
PENDING_RECORDS: Final = Gauge(
    "brisk_store_pending_records",
    "Activation records on their way to the store; they are safe in the spool.",
    registry=REGISTRY,
)
SPOOL_SIZE: Final = Gauge(
    "brisk_store_spool_bytes",
    "Size of the spool: records that are not in the store yet.",
    registry=REGISTRY,
)
COUCHDB_RETRIES: Final = Counter(
    "brisk_store_couchdb_retries_total",
    "Requests to CouchDB that were sent again because it was away.",
    registry=REGISTRY,
)
COUCHDB_CONFLICTS: Final[Mapping[BulkTry, Counter]] = each(
    Counter(
        "brisk_store_couchdb_conflicts_total",
        "Records that were there already: written by somebody else, or by a try that went unheard.",
        ["bulk"],
        registry=REGISTRY,
    ),
    get_args(BulkTry),
)
REFUSED_RECORDS: Final = Counter(
    "brisk_store_refused_records_total",
    "Records that the store never takes; they are kept in the folder `refused`, on no bill.",
    registry=REGISTRY,
)
LATE_RECORDS: Final = Counter(
    "brisk_store_late_records_total",
    "Activation records that came when their day was closed, and were put apart.",
    registry=REGISTRY,
)
STALE_READS: Final = Counter(
    "brisk_store_stale_reads_total",
    "Times that an old action or identity was used because the store was away.",
    registry=REGISTRY,
)
HOUSEKEEPING: Final[Mapping[Housework, Counter]] = each(
    Counter(
        "brisk_store_housekeeping_steps_total",
        "Days that were prepared, sealed, dropped or forgotten, and sweeps of code.",
        ["step"],
        registry=REGISTRY,
    ),
    get_args(Housework),
)
HOUSEKEEPING_FAILURES: Final[Mapping[Housework, Counter]] = each(
    Counter(
        "brisk_store_housekeeping_failures_total",
        "Steps of housekeeping that failed; the log says why, and they are tried again.",
        ["step"],
        registry=REGISTRY,
    ),
    get_args(Housework),
)
SWEPT_BLOBS: Final = Counter(
    "brisk_store_swept_blobs_total",
    "Pieces of code that no action named, and that were deleted.",
    registry=REGISTRY,
)
JOURNAL_PENDING: Final = Gauge(
    "brisk_bus_journal_pending_messages",
    "Accepted activations in the journal that have not ended.",
    registry=REGISTRY,
)
COMPOSITIONS: Final = Gauge(
    "brisk_controller_compositions",
    "Sequences and compositions that this controller is carrying out; inner ones are not counted.",
    registry=REGISTRY,
)
BUS_DEPTH: Final[Mapping[TopicClass, Gauge]] = each(
    Gauge(
        "brisk_bus_depth_messages",
        "Messages that were sent and not yet taken, by kind of topic.",
        ["topic"],
        registry=REGISTRY,
    ),
    get_args(TopicClass),
)

BUS_IN_FLIGHT: Final = Gauge(
    "brisk_bus_in_flight_messages",
    "Messages on their way to the broker that it has not acknowledged.",
    registry=REGISTRY,
)
BUS_LAG: Final[Mapping[TopicClass, Gauge]] = each(
    Gauge(
        "brisk_bus_lag_messages",
        "Messages that lie in the broker and are not settled by the consumer in this process.",
        ["topic"],
        registry=REGISTRY,
    ),
    get_args(TopicClass),
)
BUS_OLDEST_UNSETTLED: Final[Mapping[TopicClass, Gauge]] = each(
    Gauge(
        "brisk_bus_oldest_unsettled_seconds",
        "Age of the oldest message that this process took and has not settled.",
        ["topic"],
        registry=REGISTRY,
    ),
    get_args(TopicClass),
)
BUS_PRODUCE_ERRORS: Final = Counter(
    "brisk_bus_produce_errors_total",
    "Messages that the broker did not take.",
    registry=REGISTRY,
)
BUS_POISON: Final = Counter(
    "brisk_bus_poison_messages_total",
    "Messages that could not be read, and were set aside.",
    registry=REGISTRY,
)

EVENTS_SENT: Final = Counter(
    "brisk_user_events_sent_messages_total",
    "User events that were handed to the bus.",
    registry=REGISTRY,
)
EVENTS_DROPPED: Final = Counter(
    "brisk_user_events_dropped_messages_total",
    "User events that were lost, because the bus did not take them fast enough.",
    registry=REGISTRY,
)
EVENTS_PENDING: Final = Gauge(
    "brisk_user_events_pending_messages",
    "User events that wait to be handed to the bus.",
    registry=REGISTRY,
)
STREAMS: Final = Gauge(
    "brisk_stream_open_connections",
    "Connections over which somebody follows the activations or the events of a namespace.",
    registry=REGISTRY,
)
STREAM_WAITING: Final = Gauge(
    "brisk_stream_waiting_news",
    "What has happened and was not yet sent to who follows it.",
    registry=REGISTRY,
)
STREAM_MISSED: Final = Counter(
    "brisk_stream_missed_news_total",
    "What somebody followed and was not sent, because they read too slowly; they were told.",
    registry=REGISTRY,
)
STREAM_UNTOLD: Final = Counter(
    "brisk_stream_untold_news_total",
    "What another controller was to be told for who follows there, and the bus did not take.",
    registry=REGISTRY,
)

_requests: Final = Counter(
    "brisk_http_requests_total",
    "Requests that were answered, by what they asked for and the class of the status.",
    ["route", "code"],
    registry=REGISTRY,
)
REQUESTS: Final[Mapping[tuple[RouteClass, CodeClass], Counter]] = {
    (route, code): _requests.labels(route, code)
    for route in get_args(RouteClass)
    for code in get_args(CodeClass)
}
_firings: Final = Counter(
    "brisk_events_firings_total", "What became of firings of feeds.", ["fate"], registry=REGISTRY
)
FIRINGS: Final[Mapping[FiringFate, Counter]] = each(_firings, get_args(FiringFate))
FEEDS: Final = Gauge("brisk_events_feeds", "Feeds that are served here.", registry=REGISTRY)
THROTTLED: Final[Mapping[ThrottleLimit, Counter]] = each(
    Counter(
        "brisk_entitlement_throttled_requests_total",
        "Requests that were refused with 429, by the limit that was reached.",
        ["limit"],
        registry=REGISTRY,
    ),
    get_args(ThrottleLimit),
)
BUDGETS: Final[Mapping[BudgetLevel, Gauge]] = each(
    Gauge(
        "brisk_entitlement_budgets",
        "Namespaces with a budget, by how much of it is spent.",
        ["level"],
        registry=REGISTRY,
    ),
    get_args(BudgetLevel),
)
THRESHOLDS: Final[Mapping[Threshold, Counter]] = each(
    Counter(
        "brisk_entitlement_thresholds_crossed_total",
        "Thresholds of budgets that were crossed, and told of by this controller.",
        ["threshold"],
        registry=REGISTRY,
    ),
    get_args(Threshold),
)
DEGRADED: Final[Mapping[Dependency, Gauge]] = each(
    Gauge(
        "brisk_health_degraded_dependencies",
        "1 while this process needs it and it does not serve; `/healthz` says why.",
        ["dependency"],
        registry=REGISTRY,
    ),
    get_args(Dependency),
)
LOG_LINES_DROPPED: Final = Counter(
    "brisk_log_dropped_lines_total",
    "Log lines that were lost because the log could not be written fast enough.",
    registry=REGISTRY,
)


_CODES: Final = get_args(CodeClass)


def count_ended(record: ActivationRecord) -> None:
    """Count an activation that has ended: its status, and how long it waited, loaded and ran."""
    ACTIVATIONS[record.response.status].inc()
    WAIT_DURATION.observe(record.wait_ms)
    init_ms = record.init_ms or 0
    if init_ms:
        INIT_DURATION.observe(init_ms)
    RUN_DURATION.observe(record.duration_ms - init_ms)


def count_request(route: RouteClass, status: int) -> None:
    """Count a request that was answered with HTTP *status*; a web action may choose any."""
    family = min(max(status // 100, 2), 5)
    REQUESTS[route, _CODES[family - 2]].inc()
