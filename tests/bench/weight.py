"""What a call costs that prints, and one that carries a megabyte."""

import statistics
from collections.abc import Callable
from typing import Any, Final

from common.codec import encode
from tests.bench.client import ThinClient
from tests.fakes.embedded import RunningPlatform

LINES: Final = 10
MEGABYTE: Final = 1_000_000
BLOCKS: Final = 6
ECHO: Final = "def main(args):\n    return args\n"
PRINTS: Final = f"""
def main(args):
    for n in range({LINES}):
        print('line', n)
    return {{}}
"""
SILENT: Final = "def main(args):\n    return {}\n"


def of_lines_us(platform: RunningPlatform) -> tuple[float, float]:
    """Return the medians of a call that prints ten lines, and of one that prints none."""
    with ThinClient(platform.url, platform.auth) as client:
        printing, silent = _call(client, "prints", PRINTS), _call(client, "silent", SILENT)
    with ThinClient(platform.url, platform.auth) as client:
        return medians(lambda: client.time_us(printing), lambda: client.time_us(silent), 100)


def of_a_megabyte_us(platform: RunningPlatform, runtime: ThinClient) -> tuple[float, float]:
    """Return the medians of a call with a megabyte in and out, and of the runtime's own.

    runtime: its HTTP face, with code that returns what it is given.
    """
    arguments = {"text": "x" * MEGABYTE}
    direct = runtime.request("POST", "/run", encode({"value": arguments}))
    with ThinClient(platform.url, platform.auth) as client:
        call = _call(client, "echo", ECHO, encode(arguments))
    with ThinClient(platform.url, platform.auth) as client:
        return medians(lambda: client.time_us(call), lambda: runtime.time_us(direct), 5)


def medians(
    one: Callable[[], float], other: Callable[[], float], calls: int
) -> tuple[float, float]:
    """Measure both in blocks that alternate; the first block of each only warms up."""
    ones: list[float] = []
    others: list[float] = []
    for _ in range(BLOCKS + 1):
        ones += [one() for _ in range(calls)]
        others += [other() for _ in range(calls)]
    return statistics.median(ones[calls:]), statistics.median(others[calls:])


def _call(client: ThinClient, name: str, code: str, body: bytes = b"{}") -> bytes:
    """Store an action, and return the bytes of a call of it."""
    put(client, name, code)
    path = f"/api/v1/namespaces/_/actions/{name}?blocking=true&result=true"
    return client.request("POST", path, body)


def put(client: ThinClient, name: str, code: str, **fields: Any) -> None:
    """Store an action; *fields* are the rest of its document."""
    document = {"exec": {"kind": "python:default", "code": code}, **fields}
    path = f"/api/v1/namespaces/_/actions/{name}?overwrite=true"
    status, answer = client.send(client.request("PUT", path, encode(document)))
    assert status == 200, answer
