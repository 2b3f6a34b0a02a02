"""What is promised and watched, each with its bound: the lines of `docs/specification.md`."""

from dataclasses import dataclass
from enum import Enum


class Promise(Enum):
    """One line: its words, and the largest value that keeps it; None promises nothing."""

    START = ("start to ready, seconds", 1.5)
    MEMORY = ("idle memory (PSS of all processes), MB", 120)
    WARM_P50 = ("warm blocking p50 ÷ direct HTTP call p50, by http.client", 5)
    WARM_P99 = ("warm blocking p99 ÷ direct HTTP call p99, by http.client", 5)
    WARM_BARE = ("the same p50 by a bare socket, no client's share in it", None)
    WARM_CPU = ("platform CPU of a warm call ÷ direct HTTP call p50", None)
    SEQUENCE = ("warm sequence of 3 p50 ÷ 3 blocking calls p50, by http.client", None)
    COLD = ("cold blocking p50 ÷ bare fork of the same zygote p50", 6)
    COLD_RATE = ("bare forks a second ÷ cold starts a second, one after the other", 4)
    LOADING = (
        "cold call of code with heavy imports that was loaded before p50 ÷ its first p50",
        0.2,
    )
    LINES = ("warm call that prints 10 lines p50 ÷ one that prints none", None)
    MEGABYTE = ("warm call with 1 MB in and out p50 ÷ direct HTTP call p50", 2)
    PAGE = ("web action p50 ÷ direct HTTP call p50, by http.client", 6)
    PAGE_BARE = ("the same by a bare socket, no client's share in it", None)
    PAGE_RATE = ("direct HTTP calls a second ÷ web actions a second, 8 at once", 6)
    OUTSIDE = ("start of a sandbox with egress p50 ÷ with no network p50", 1.15)
    NEIGHBOUR = ("p99 of a neighbour's calls beside the worst of hostile code ÷ alone", None)
    BUS = ("bus round trip p50 ÷ bare aiokafka p50, 1 at once", 1.5)
    BUSY_BUS = ("bus round trip p50 ÷ bare aiokafka p50, 16 at once", 1.5)
    CLUSTER = ("warm blocking p50 through Kafka ÷ (bare round trip + direct call) p50", None)
    CLUSTER_MS = ("the same, milliseconds ÷ OpenWhisk's, whose answers do not pass Kafka", None)
    CONTAINERS = ("starts of containers a second: engine's own ÷ through the driver", 1.5)
    FEW = ("warm call, 100 warm actions in turn p50 ÷ one action", None)
    MANY = ("warm call, 1000 warm actions in turn p50 ÷ one action", None)
    CROWD = ("what 100 warm actions in turn add ÷ what 100 bare interpreters in turn add", None)
    SANDBOX = ("memory of one idle sandbox more (PSS), MB", None)

    def __init__(self, words: str, bound: float | None) -> None:
        self.words = words
        self.bound = bound


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one promise."""

    promise: Promise
    figures: str
    """The two sides of a ratio, with units."""
    value: float

    @property
    def is_kept(self) -> bool:
        """Whether the value is within the bound, if there is one."""
        return self.promise.bound is None or self.value <= self.promise.bound

    @property
    def row(self) -> str:
        """The line of the table, in Markdown."""
        bound = "" if self.promise.bound is None else f"{self.promise.bound:g}"
        kept = "" if self.promise.bound is None else "yes" if self.is_kept else "**no**"
        return f"| {self.promise.words} | {self.figures} | {self.value:.2f} | {bound} | {kept} |"


HEADER = "| promise | measured | value | bound | kept |\n|---|---|---|---|---|"
