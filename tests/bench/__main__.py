"""Measures the promises of docs/specification.md; exit code 1 when one is broken.

Each line is a ratio of two things measured in turn in this run, or an absolute that hardly depends
on the machine's speed (memory). Blocks of both sides alternate, so that a machine that changes its
pace changes it for both.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from common.codec import encode
from common.settings import PoolSettings
from tests.bench import (
    breadth,
    bus,
    cluster,
    containers,
    crowd,
    fork,
    loading,
    neighbour,
    outside,
    pages,
    processes,
    sequences,
    weight,
)
from tests.bench.client import StandardClient, ThinClient
from tests.bench.promises import HEADER, Measured, Promise
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


def quantile(values: list[float], share: float) -> float:
    """Return the value below which *share* of *values* lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextmanager
def direct_runtime(code: str = CODE) -> Iterator[str]:
    """Run the Python runtime's HTTP face as a plain process, with *code*; yield its URL."""
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
                value = {"name": "hello", "main": "main", "binary": False, "code": code}
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


def warm(platform: RunningPlatform) -> list[Measured]:
    """Compare a warm blocking call with the same runtime called directly over HTTP."""
    path, run = "/api/v1/namespaces/_/actions/warm?blocking=true&result=true", "/run"
    run_body = encode({"value": {"name": "World"}})
    with direct_runtime() as runtime_url:
        with ThinClient(platform.url, platform.auth) as client:
            put_action(client, "warm")
        with (
            StandardClient(platform.url, platform.auth) as caller,
            StandardClient(runtime_url) as runtime,
        ):
            through, direct = alternate(
                lambda: caller.time_us(path, BODY), lambda: runtime.time_us(run, run_body)
            )
        with (
            ThinClient(platform.url, platform.auth) as thin,
            ThinClient(runtime_url) as thin_runtime,
        ):
            call = thin.request("POST", path, BODY)
            direct_call = thin_runtime.request("POST", run, run_body)
            cpu_before_s = processes.cpu_s([platform.process.pid])
            bare, bare_direct = alternate(
                lambda: thin.time_us(call), lambda: thin_runtime.time_us(direct_call)
            )
            used_s = processes.cpu_s([platform.process.pid]) - cpu_before_s
    cpu_us = used_s * 1e6 / (len(bare) + CALLS)
    p50, direct_p50 = statistics.median(through), statistics.median(direct)
    p99, direct_p99 = quantile(through, 0.99), quantile(direct, 0.99)
    bare_p50, bare_direct_p50 = statistics.median(bare), statistics.median(bare_direct)
    return [
        compared(Promise.WARM_P50, p50, direct_p50, "µs"),
        compared(Promise.WARM_P99, p99, direct_p99, "µs"),
        compared(Promise.WARM_BARE, bare_p50, bare_direct_p50, "µs"),
        compared(Promise.WARM_CPU, cpu_us, direct_p50, "µs"),
    ]


def compared(promise: Promise, one: float, other: float, unit: str) -> Measured:
    """Return the ratio of two times."""
    digits = 0 if other >= 10 else 2
    return Measured(promise, f"{one:.{digits}f} {unit} ÷ {other:.{digits}f} {unit}", one / other)


def alternate(
    one: Callable[[], float], other: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Measure both in blocks that alternate; the first block of each only warms up."""
    ones: list[float] = []
    others: list[float] = []
    for _ in range(BLOCKS + 1):
        ones += [one() for _ in range(CALLS)]
        others += [other() for _ in range(CALLS)]
    return ones[CALLS:], others[CALLS:]


def cold(platform: RunningPlatform) -> list[Measured]:
    """Compare a cold blocking call with a bare fork of the interpreter that it is cloned from."""
    cold_ms: list[float] = []
    fork_ms: list[float] = []
    with ThinClient(platform.url, platform.auth) as client:
        path = "/api/v1/namespaces/_/actions/cold?blocking=true&result=true"
        for number in range(COLD_STARTS):
            put_action(client, "cold", f"{CODE}# {number}\n")
            with StandardClient(platform.url, platform.auth) as caller:
                cold_ms.append(caller.time_us(path, BODY) / 1000)
            fork_ms += fork.bare_fork_ms(1)
    fork.close()
    p50, fork_p50 = statistics.median(cold_ms), statistics.median(fork_ms)
    rate, fork_rate = 1000 / statistics.mean(cold_ms), 1000 / statistics.mean(fork_ms)
    return [
        compared(Promise.COLD, p50, fork_p50, "ms"),
        Measured(Promise.COLD_RATE, f"{fork_rate:.0f} ÷ {rate:.0f}", fork_rate / rate),
    ]


def led_outside() -> list[Measured]:
    """Compare starts with egress with those without a network, where there is a way outside."""
    found = outside.starts_ms()
    if found is None:
        print("not measured: this host leads no sandbox outside; see `brisk doctor`\n")
        return []
    return [compared(Promise.OUTSIDE, *found, "ms")]


def hostile_code() -> list[Measured]:
    """Compare a tenant's calls beside another's misdeeds with its calls alone."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_platform(Path(folder), settings=neighbour.SETTINGS) as platform,
    ):
        worst, *others = neighbour.measure(platform)
    for harm in others:
        print(f"beside a {harm.misdeed}: {harm.beside_us:.0f} µs ÷ {harm.alone_us:.0f} µs")
    found = compared(Promise.NEIGHBOUR, worst.beside_us, worst.alone_us, "µs")
    return [replace(found, figures=f"{worst.misdeed}: {found.figures}")]


def weights(platform: RunningPlatform) -> list[Measured]:
    """Compare calls that print, carry much, or come by a URL with those that do not."""
    with direct_runtime(weight.ECHO) as url, ThinClient(url) as runtime:
        megabyte_us = weight.of_a_megabyte_us(platform, runtime)
    with direct_runtime() as url:
        found = pages.measure(platform, url)
    per_s, direct_per_s = found.per_s
    return [
        compared(Promise.LINES, *weight.of_lines_us(platform), "µs"),
        compared(Promise.MEGABYTE, *megabyte_us, "µs"),
        compared(Promise.PAGE, *found.standard_us, "µs"),
        compared(Promise.PAGE_BARE, *found.bare_us, "µs"),
        Measured(Promise.PAGE_RATE, f"{direct_per_s:.0f} ÷ {per_s:.0f}", direct_per_s / per_s),
    ]


def many_actions() -> list[Measured]:
    """Compare calls of many warm actions in turn with calls of one."""
    found = breadth.measure()
    alone_us, crowd_us = crowd.measure_us(breadth.FEW)
    added_us = found.few_us - found.one_us
    return [
        compared(Promise.FEW, found.few_us, found.one_us, "µs"),
        compared(Promise.MANY, found.many_us, found.one_us, "µs"),
        compared(Promise.CROWD, added_us, crowd_us - alone_us, "µs"),
        Measured(Promise.SANDBOX, f"{found.sandbox_mb:.1f} MB", found.sandbox_mb),
    ]


def bus_of_a_cluster() -> list[Measured]:
    """Compare a round trip through the cluster's bus with bare aiokafka, where there is Kafka."""
    if reason := bus.absence():
        print(f"not measured: {reason}\n")
        return []
    lines = []
    # With one under way latency counts, with sixteen the work of our own that nobody waits for.
    for promise, at_once, calls in ((Promise.BUS, 1, 50), (Promise.BUSY_BUS, 16, 400)):
        ours, bare = bus.round_trips_ms(at_once, calls)
        p50, bare_p50 = statistics.median(ours), statistics.median(bare)
        lines.append(compared(promise, p50, bare_p50, "ms"))
    return lines


def warm_through_kafka() -> list[Measured]:
    """Compare a warm call through a cluster with what its way costs at least."""
    if bus.absence():
        return []
    run = encode({"value": {"name": "World"}})
    path = "/api/v1/namespaces/_/actions/warm?blocking=true&result=true"

    def put(client: ThinClient) -> bytes:
        put_action(client, "warm")
        return client.request("POST", path, BODY)

    with direct_runtime() as url, ThinClient(url) as runtime:
        direct_call = runtime.request("POST", "/run", run)
        times = cluster.measure(put, lambda: runtime.time_us(direct_call))
    through, bare, direct = (statistics.median(each) for each in times)
    figures = f"{through:.2f} ms ÷ ({bare:.2f} + {direct:.2f}) ms"
    beside = f"{through:.2f} ms ÷ {cluster.OPENWHISK_MS} ms"
    return [
        Measured(Promise.CLUSTER, figures, through / (bare + direct)),
        Measured(Promise.CLUSTER_MS, beside, through / cluster.OPENWHISK_MS),
    ]


def containers_started() -> list[Measured]:
    """Compare starts through the driver with the engine's own, where there is an engine."""
    if reason := containers.absence():
        print(f"not measured: {reason}\n")
        return []
    ours, alone = (statistics.median(each) for each in containers.starts_per_s())
    return [Measured(Promise.CONTAINERS, f"{alone:.1f} ÷ {ours:.1f}", alone / ours)]


def start_to_ready() -> Measured:
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
    return Measured(Promise.START, f"{median_s:.2f} s", median_s)


def idle_memory(platform: RunningPlatform) -> Measured:
    """Measure what the platform with its zygote and stem cells occupies before the first call."""
    megabytes = processes.pss_mb(processes.tree(platform.process.pid))
    return Measured(Promise.MEMORY, f"{megabytes:.0f} MB", megabytes)


def main() -> int:
    """Measure everything, print the table, and return the exit code."""
    lines = [start_to_ready()]
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as platform:
        with ThinClient(platform.url, GUEST_AUTH) as client:
            settle(client)
        lines.append(idle_memory(platform))
        lines += warm(platform)
        lines.append(compared(Promise.SEQUENCE, *sequences.measure_us(platform), "µs"))
        lines += cold(platform)
        lines.append(compared(Promise.LOADING, *loading.cold_starts_ms(platform), "ms"))
        lines += weights(platform)
    lines += led_outside()
    lines += hostile_code()
    lines += bus_of_a_cluster()
    lines += warm_through_kafka()
    lines += containers_started()
    lines += many_actions()  # last: a thousand sandboxes take a while to be gone
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, "
          f"{time.strftime('%Y-%m-%d', time.gmtime())}\n")  # fmt: skip
    print(HEADER)
    for line in lines:
        print(line.row)
    return 0 if all(line.is_kept for line in lines) else 1


def settle(client: ThinClient) -> None:
    """Return when the stem cells are up; within ten seconds."""
    wanted = PoolSettings().stem_cells
    give_up_s = time.monotonic() + 10
    while blank_sandboxes(client) < wanted:
        assert time.monotonic() < give_up_s, "the stem cells did not come up"
        time.sleep(0.05)


def blank_sandboxes(client: ThinClient) -> float:
    """Return how many blank sandboxes the platform says it has."""
    _, text = client.send(client.request("GET", "/metrics", b""))
    found = re.search(rb'brisk_pool_sandboxes{state="blank"} ([0-9.]+)', text)
    assert found, "the platform does not say"
    return float(found[1])


if __name__ == "__main__":
    sys.exit(main())
