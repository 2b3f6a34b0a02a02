"""Measures the promises of docs/specification.md; exit code 1 when one is broken.

Each line is a ratio of two things measured in turn in this run, or an absolute that hardly depends
on the machine's speed (memory). Blocks of both sides alternate, so that a machine that changes its
pace changes it for both.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.codec import encode
from tests.bench import bus, containers, fork, processes
from tests.bench.client import ThinClient
from tests.fakes.embedded import (
    GUEST_AUTH,
    ROOT,
    RunningPlatform,
    running_platform,
    start,
    wait_ready,
)

CODE = "def main(args):\n    return {'greeting': 'Hello ' + args.get('name', 'stranger')}\n"
BODY = encode({"name": "World"})
BLOCKS, CALLS = 20, 100
COLD_STARTS = 40
STARTS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One promise and what was measured of it."""

    promise: str
    measured: str
    value: float
    bound: float

    @property
    def is_kept(self) -> bool:
        """Whether the measured value is within the bound."""
        return self.value <= self.bound


def quantile(values: list[float], share: float) -> float:
    """Return the value below which *share* of *values* lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextmanager
def direct_runtime() -> Iterator[str]:
    """Run the Python runtime's HTTP face as a plain process; yield its URL."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        runtime = subprocess.Popen(
            [sys.executable, str(ROOT / "runtimes/python/proxy.py"), "--http", f"127.0.0.1:{port}"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for_port(url)
            with ThinClient(url) as client:
                value = {"name": "hello", "main": "main", "binary": False, "code": CODE}
                status, body = client.send(
                    client.request("POST", "/init", encode({"value": value}))
                )
                assert status == 200, body
            yield url
        finally:
            runtime.terminate()
            runtime.wait()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for_port(url: str) -> None:
    """Return when somebody listens at *url*; within ten seconds."""
    give_up_s = time.monotonic() + 10
    while True:
        try:
            ThinClient(url).__exit__(None, None, None)
            return
        except ConnectionRefusedError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.01)


def put_action(client: ThinClient, name: str, code: str = CODE) -> None:
    """Create or update an action."""
    path = f"/api/v1/namespaces/_/actions/{name}?overwrite=true"
    body = encode({"exec": {"kind": "python:default", "code": code}})
    status, answer = client.send(client.request("PUT", path, body))
    assert status == 200, answer


def warm(platform: RunningPlatform) -> list[Line]:
    """Compare a warm blocking call with the same runtime called directly over HTTP."""
    through: list[float] = []
    direct: list[float] = []
    with (
        direct_runtime() as runtime_url,
        ThinClient(platform.url, platform.auth) as client,
        ThinClient(runtime_url) as runtime,
    ):
        with ThinClient(platform.url, platform.auth) as other:
            put_action(other, "warm")
        path = "/api/v1/namespaces/_/actions/warm?blocking=true&result=true"
        call = client.request("POST", path, BODY)
        run = runtime.request("POST", "/run", encode({"value": {"name": "World"}}))
        for _ in range(CALLS):
            client.time_us(call)
            runtime.time_us(run)
        cpu_before_s = processes.cpu_s([platform.process.pid])
        for _ in range(BLOCKS):
            through += [client.time_us(call) for _ in range(CALLS)]
            direct += [runtime.time_us(run) for _ in range(CALLS)]
        cpu_us = (processes.cpu_s([platform.process.pid]) - cpu_before_s) * 1e6 / len(through)
    p50, direct_p50 = statistics.median(through), statistics.median(direct)
    p99, direct_p99 = quantile(through, 0.99), quantile(direct, 0.99)
    return [
        Line("warm blocking p50 ÷ direct HTTP call p50",
             f"{p50:.0f} µs ÷ {direct_p50:.0f} µs", p50 / direct_p50, 6),
        Line("warm blocking p99 ÷ direct HTTP call p99",
             f"{p99:.0f} µs ÷ {direct_p99:.0f} µs", p99 / direct_p99, 6),
        Line("platform CPU per warm call ÷ direct HTTP call p50",
             f"{cpu_us:.0f} µs ÷ {direct_p50:.0f} µs", cpu_us / direct_p50, 6),
    ]  # fmt: skip


def cold(platform: RunningPlatform) -> Line:
    """Compare a cold blocking call with a bare fork of the interpreter that it is cloned from."""
    cold_ms: list[float] = []
    fork_ms: list[float] = []
    with ThinClient(platform.url, platform.auth) as client:
        path = "/api/v1/namespaces/_/actions/cold?blocking=true&result=true"
        call = client.request("POST", path, BODY)
        for number in range(COLD_STARTS):
            put_action(client, "cold", f"{CODE}# {number}\n")
            cold_ms.append(client.time_us(call) / 1000)
            fork_ms += fork.bare_fork_ms(1)
    fork.close()
    p50, fork_p50 = statistics.median(cold_ms), statistics.median(fork_ms)
    return Line("cold blocking p50 ÷ bare fork of the same zygote p50",
                f"{p50:.1f} ms ÷ {fork_p50:.2f} ms", p50 / fork_p50, 6)  # fmt: skip


def bus_of_a_cluster() -> list[Line]:
    """Compare a round trip through the cluster's bus with bare aiokafka, where there is Kafka."""
    if reason := bus.absence():
        print(f"not measured: {reason}\n")
        return []
    lines = []
    # With one under way latency counts, with sixteen the work of our own that nobody waits for.
    for at_once, calls, bound in ((1, 50, 1.5), (16, 400, 2)):
        ours, bare = bus.round_trips_ms(at_once, calls)
        p50, bare_p50 = statistics.median(ours), statistics.median(bare)
        lines.append(
            Line(f"bus round trip p50 ÷ bare aiokafka p50, {at_once} at once",
                 f"{p50:.2f} ms ÷ {bare_p50:.2f} ms", p50 / bare_p50, bound)
        )  # fmt: skip
    return lines


def containers_started() -> list[Line]:
    """Compare starts through the driver with the engine's own, where there is an engine."""
    if reason := containers.absence():
        print(f"not measured: {reason}\n")
        return []
    ours, alone = (statistics.median(each) for each in containers.starts_per_s())
    return [
        Line("starts of containers a second: engine's own ÷ through the driver",
             f"{alone:.1f} ÷ {ours:.1f}", alone / ours, 1.5)
    ]  # fmt: skip


def start_to_ready() -> Line:
    """Measure how long the platform takes from its first instruction to its ready line."""
    seconds: list[float] = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            began_s = time.monotonic()
            process = start(Path(folder) / "data")
            wait_ready(process)
            seconds.append(time.monotonic() - began_s)
            process.terminate()
            assert process.wait(20) == 0
            assert process.stdout
            process.stdout.close()
    median_s = statistics.median(seconds)
    return Line("start to ready, seconds", f"{median_s:.2f} s", median_s, 1.5)


def idle_memory(platform: RunningPlatform) -> Line:
    """Measure what the platform with its zygote and stem cells occupies before the first call."""
    megabytes = processes.pss_mb(processes.tree(platform.process.pid))
    return Line("idle memory (PSS of all processes), MB", f"{megabytes:.0f} MB", megabytes, 120)


def main() -> int:
    """Measure everything, print the table, and return the exit code."""
    lines = [start_to_ready()]
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as platform:
        with ThinClient(platform.url, GUEST_AUTH) as client:
            settle(client)
        lines.append(idle_memory(platform))
        lines += warm(platform)
        lines.append(cold(platform))
    lines += bus_of_a_cluster()
    lines += containers_started()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, "
          f"{time.strftime('%Y-%m-%d', time.gmtime())}\n")  # fmt: skip
    print("| promise | measured | value | bound | kept |\n|---|---|---|---|---|")
    for line in lines:
        kept = "yes" if line.is_kept else "**no**"
        print(f"| {line.promise} | {line.measured} | {line.value:.2f} | {line.bound:g} | {kept} |")
    return 0 if all(line.is_kept for line in lines) else 1


def settle(client: ThinClient) -> None:
    """Return when the stem cells are up: two seconds after the start they are."""
    status, _ = client.send(client.request("GET", "/ping", b""))
    assert status == 200
    time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
