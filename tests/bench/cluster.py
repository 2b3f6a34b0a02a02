"""A warm blocking call through a cluster: a controller and an invoker as processes, on Kafka.

Beside it, in blocks that alternate: a bare aiokafka round trip over two topics of the same broker,
and a direct call of the same runtime. Their sum is what the way through a broker costs whoever does
nothing else.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from tests.bench import bus
from tests.bench.client import ThinClient
from tests.fakes import kafka
from tests.fakes.cluster import running_cluster
from tests.fakes.embedded import GUEST_AUTH

OPENWHISK_MS: Final = 2.47
"""The same with OpenWhisk on a machine of this size, its answers not even through Kafka."""
BLOCKS: Final = 12
CALLS: Final = 50


class Times(NamedTuple):
    """Milliseconds of each call."""

    through: list[float]
    bare: list[float]
    direct: list[float]


def measure(
    put: Callable[[ThinClient], bytes], direct: Callable[[], float], *, blocks: int = BLOCKS
) -> Times:
    """Measure all three in turn.

    put: makes the action on the platform of a client, and returns the request that calls it.
    direct: calls the runtime, and returns the microseconds.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running_cluster(Path(folder), invokers=1) as cluster,
    ):
        with ThinClient(cluster.url, GUEST_AUTH) as client:
            request = put(client)
        # A connection of its own: one that had anything but plain calls takes the longer way.
        with ThinClient(cluster.url, GUEST_AUTH) as caller:
            return uvloop.run(_alternate(lambda: caller.time_us(request), direct, blocks))


async def _alternate(
    through: Callable[[], float], direct: Callable[[], float], blocks: int
) -> Times:
    times = Times([], [], [])

    def block(call: Callable[[], float]) -> list[float]:
        return [call() / 1000 for _ in range(CALLS)]

    async with kafka.corner() as settings, bus.bare_round_trips(settings) as bare:
        for number in range(blocks + 1):
            found = Times(
                await asyncio.to_thread(block, through),
                await bus.block(bare, 1, CALLS),
                await asyncio.to_thread(block, direct),
            )
            if number:  # the first block only warms up
                for side, added in zip(times, found, strict=True):
                    side += added
    return times
