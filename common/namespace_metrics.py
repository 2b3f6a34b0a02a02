"""What each namespace uses, as metrics: of the busiest each for itself, of all others together.

The other metrics have closed sets of labels, which this cannot have; what bounds the number of
series is how many namespaces have a place (`common.busiest`). They are for operators: `/metrics`
names namespaces, so it is to be reached by nobody else where their names are secret.

Counted by the process that ran the activation. A place may change hands whenever metrics are read.
"""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from common.busiest import OTHERS, Busiest, Tally
from common.entity.activation import Status
from common.metric_registry import REGISTRY

DEFAULT: Final = 50
STATUSES: Final = {status: status.text.replace(" ", "_") for status in Status}
_SUMS: Final[dict[str, tuple[str, Callable[[Tally], float]]]] = {
    "brisk_namespace_billed_seconds": (
        "Time that activations of a namespace are billed for.",
        lambda tally: tally.billed_ms / 1000,
    ),
    "brisk_namespace_wait_seconds": (
        "Time that activations of a namespace waited until their code began.",
        lambda tally: tally.wait_ms / 1000,
    ),
    "brisk_namespace_cold_activations": (
        "Activations of a namespace for which code had to be loaded.",
        lambda tally: tally.cold,
    ),
}


class NamespaceMetrics(Collector):
    """Shows what a `Busiest` has counted."""

    def __init__(self) -> None:
        self.busiest = Busiest(DEFAULT)
        REGISTRY.register(self)

    def bound(self, most: int) -> None:
        """Give *most* namespaces a place from now on; 0 shows all of them as one."""
        if most != self.busiest.most:
            self.busiest = Busiest(most)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the families, and begin a new time in which places are won."""
        tallies = [*self.busiest.shown.items(), (OTHERS, self.busiest.others)]
        ended = CounterMetricFamily(
            "brisk_namespace_activations",
            "Activations of a namespace that ended, by how; `_other` is all that have no place.",
            labels=["namespace", "status"],
        )
        for namespace, tally in tallies:
            for status, text in STATUSES.items():
                ended.add_metric([namespace, text], tally.ended[status])
        yield ended
        for name, (meaning, value) in _SUMS.items():
            family = CounterMetricFamily(name, meaning, labels=["namespace"])
            for namespace, tally in tallies:
                family.add_metric([namespace], value(tally))
            yield family
        self.busiest.look()


NAMESPACES: Final = NamespaceMetrics()
"""Of this process."""
