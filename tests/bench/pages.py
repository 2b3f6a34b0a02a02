"""What a web action costs over the runtime that runs it: by two clients, and many at a time."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from common.codec import encode
from tests.bench.client import StandardClient, ThinClient
from tests.bench.weight import medians, put
from tests.fakes.embedded import RunningPlatform

CODE: Final = "def main(args):\n    return {'body': 'Hello'}\n"
PATH: Final = "/api/v1/web/guest/default/page"
AT_ONCE: Final = 8
ROUNDS: Final = 5
BURSTS: Final = 10


@dataclass(frozen=True, slots=True)
class Pages:
    """What was measured; each pair is the web action, and the runtime called directly."""

    standard_us: tuple[float, float]
    bare_us: tuple[float, float]
    per_s: tuple[float, float]
    """Of web actions eight are under way at a time; the runtime takes one after the other."""


def measure(platform: RunningPlatform, runtime_url: str) -> Pages:
    """Measure in blocks that alternate. Pages are asked for as browsers do, without a key."""
    body = encode({"value": {"name": "World"}})
    with ThinClient(platform.url, platform.auth) as client:
        put(client, "page", CODE, annotations=[{"key": "web-export", "value": True}])
    with StandardClient(platform.url) as page, StandardClient(runtime_url) as runtime:
        standard_us = medians(
            lambda: page.time_us(PATH, b"", "GET"), lambda: runtime.time_us("/run", body), 100
        )
    with ExitStack() as stack:
        thin = [stack.enter_context(ThinClient(platform.url)) for _ in range(AT_ONCE)]
        direct = stack.enter_context(ThinClient(runtime_url))
        asked, run = thin[0].request("GET", PATH, b""), direct.request("POST", "/run", body)
        bare_us = medians(lambda: thin[0].time_us(asked), lambda: direct.time_us(run), 100)
        rates = [(_per_s(thin, asked), _per_s([direct], run)) for _ in range(ROUNDS + 1)][1:]
    ours, its = zip(*rates, strict=True)
    return Pages(standard_us, bare_us, (sum(ours) / ROUNDS, sum(its) / ROUNDS))


def _per_s(clients: Sequence[ThinClient], request: bytes) -> float:
    """Return how many calls a second are answered when each client has one under way."""
    began_s = time.perf_counter()
    for _ in range(BURSTS):
        for client in clients:
            client.begin(request)
        for client in clients:
            status, body = client.end()
            assert status == 200, body
    return BURSTS * len(clients) / (time.perf_counter() - began_s)
