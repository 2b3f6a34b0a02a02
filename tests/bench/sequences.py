"""A sequence of warm steps beside as many blocking calls, by one client on one connection."""

import statistics

from common.codec import encode
from tests.bench.client import StandardClient, ThinClient
from tests.fakes.embedded import RunningPlatform

STEPS = 3
BLOCKS, CALLS = 10, 50
CODE = "def main(args):\n    return args\n"
BODY = encode({"name": "World"})
PATH = "/api/v1/namespaces/_/actions/{}?blocking=true&result=true"


def put(client: ThinClient) -> None:
    """Store the step, and the sequence of it."""
    components = ["/_/step"] * STEPS
    for name, code in (
        ("step", {"kind": "python:default", "code": CODE}),
        ("steps", {"kind": "sequence", "components": components}),
    ):
        path = f"/api/v1/namespaces/_/actions/{name}?overwrite=true"
        status, answer = client.send(client.request("PUT", path, encode({"exec": code})))
        assert status == 200, answer


def measure_us(platform: RunningPlatform) -> tuple[float, float]:
    """Return the medians: of the sequence, and of as many calls one after the other."""
    with ThinClient(platform.url, platform.auth) as client:
        put(client)
    wholes: list[float] = []
    calls: list[float] = []
    with StandardClient(platform.url, platform.auth) as caller:
        for _ in range(BLOCKS + 1):
            wholes += [caller.time_us(PATH.format("steps"), BODY) for _ in range(CALLS)]
            calls += [
                sum(caller.time_us(PATH.format("step"), BODY) for _ in range(STEPS))
                for _ in range(CALLS)
            ]
    return statistics.median(wholes[CALLS:]), statistics.median(calls[CALLS:])
