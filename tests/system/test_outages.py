"""A cluster whose database goes away, hangs, fills up, or locks it out: what is warm goes on.

Each time the same is owed: warm calls are answered, and soon; what needs the database is refused in
time; every process says which dependency fails, why and since when; and when it is over, each
activation has one record, and the bill is their sum.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.couchfake.faults import LOCKED
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import Cluster, a_member, health, running_cluster, wait_until
from tests.fakes.couchdb import CouchProcess
from tests.fakes.disks import small_disk
from tests.fakes.own_service import own_service

pytestmark = pytest.mark.kafka

HELLO = "def main(a):\n  return {'greeting': 'Hello ' + a.get('name', 'x')}"
# More than what is left of the last page of a file.
PRINTS = HELLO.replace("\n", "\n  print('x' * 9000)\n")
SLEEPS = "import time\ndef main(a):\n  time.sleep(a['s'])\n  return {'slept': True}"
BUSY = 'brisk_pool_sandboxes{state="busy"}'
OWN = "/api/brisk/v1/namespaces/_"
PENDING = "brisk_store_pending_records"
DEGRADED = 'brisk_health_degraded_dependencies{dependency="%s"}'
QUICK = {
    "BRISK_COUCHDB__REQUEST_S": "3",
    "BRISK_COUCHDB__BULK_S": "3",
    "BRISK_COUCHDB__RETRY_S": "1",
    "BRISK_COUCHDB__CONNECT_S": "1",
    "BRISK_INVOKER__FETCH_WAIT_S": "1",
}
SOON_S = 6.0
"""In which an outage shows, and its end: a check each second, and two seconds to answer it."""
CALLS = 12


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := kafka.absence():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder, settings=QUICK) as running:
        yield running


def leave(store: CouchProcess) -> None:
    store.leave()


def hang(store: CouchProcess) -> None:
    store.hang()


def maintain(store: CouchProcess) -> None:
    store.fail("status", method="ANY", path="", status=500, error="internal_server_error",
               reason="No DB shards could be opened.")  # fmt: skip


def fill(store: CouchProcess) -> None:
    full = {"status": 507, "error": "insufficient_storage", "reason": "enospc"}
    for method in ("POST", "PUT"):
        store.fail("status", method=method, path="(_bulk_docs|guest)", **full)


OUTAGES: list[tuple[Callable[[CouchProcess], None], str, Callable[[CouchProcess], None]]] = [
    (leave, "cannot be reached", CouchProcess.come_back),
    (hang, "did not answer within 2 s", CouchProcess.go_on),
    (maintain, "500 internal_server_error: No DB shards", CouchProcess.mend),
    (fill, "It takes no records: The database says 507 insufficient_storage", CouchProcess.mend),
]


@pytest.mark.parametrize(
    ("begin", "why", "end"), OUTAGES, ids=lambda each: getattr(each, "__name__", "")
)
def test_what_is_warm_goes_on_without_the_database_and_nothing_is_lost(
    cluster: Cluster,
    begin: Callable[[CouchProcess], None],
    why: str,
    end: Callable[[CouchProcess], None],
) -> None:
    api, store = cluster.api, cluster.store
    api.put_action("warm", HELLO)
    before = usage(api)["activations"]
    ids = [done(api) for _ in range(2)]
    wait_until(lambda: pending(cluster) == 0, cluster.logs)

    begin(store)
    slowest_s = 0.0
    for _ in range(CALLS):
        began_s = time.monotonic()
        ids.append(done(api))
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    ids += [accepted(api) for _ in range(CALLS)]
    within(SOON_S, lambda: told(cluster, why), cluster)
    assert slowest_s < 2.0
    assert pending(cluster) > 0
    assert api.call("GET", "actions/warm").status == 200, "what was read is shown"
    assert max(member.metric(DEGRADED % "couchdb") for member in cluster.members) == 1
    began_s = time.monotonic()
    assert (
        api.call("PUT", "actions/more", {"exec": {"kind": "python:3", "code": "x"}}).status == 503
    )
    assert time.monotonic() - began_s < 8.0, "who waits is told in time"
    ids.append(done(api))

    end(store)
    within(
        SOON_S,
        lambda: all(m.health()["state"] == "healthy" for m in cluster.members),
        cluster,
    )
    wait_until(lambda: pending(cluster) == 0, cluster.logs)
    billed(api, ids, before)


def test_a_database_that_locks_everybody_out_is_not_asked_again_soon(cluster: Cluster) -> None:
    api, store = cluster.api, cluster.store
    api.put_action("warm", HELLO)
    before = usage(api)["activations"]
    ids = [done(api) for _ in range(2)]
    wait_until(lambda: pending(cluster) == 0, cluster.logs)

    store.fail("status", method="ANY", path="", status=403, error="forbidden", reason=LOCKED)
    ids += [done(api) for _ in range(CALLS)]
    within(
        SOON_S,
        lambda: all("BRISK_COUCHDB__PASSWORD" in (m.why("couchdb") or "") for m in cluster.members),
        cluster,
    )
    asked = len(store.requests)
    ids += [done(api) for _ in range(CALLS)]
    assert api.call("GET", "actions").status == 503
    time.sleep(2)  # two checks of each process
    assert len(store.requests) == asked
    store.mend()
    for member in cluster.members:  # a restart asks at once, as an operator would have it
        member.stop()
        member.start()
    wait_until(lambda: health(cluster) == ["up"] * 2, cluster.logs)
    wait_until(lambda: pending(cluster) == 0, cluster.logs)
    billed(api, ids, before)


def test_a_database_that_dies_during_a_drain_holds_up_nobody(cluster: Cluster) -> None:
    api, store = cluster.api, cluster.store
    api.put_action("slow", SLEEPS)
    before = usage(api)["activations"]
    ids = [str(api.invoke("slow", {"s": 0}).body["activationId"])]
    ids += [str(api.call("POST", "actions/slow", {"s": 3}).body["activationId"]) for _ in range(4)]
    wait_until(lambda: sum(each.metric(BUSY) for each in cluster.invokers) == 4, cluster.logs)
    with ThreadPoolExecutor() as stopping:
        began_s = time.monotonic()
        stops = [stopping.submit(invoker.stop, 18) for invoker in cluster.invokers]
        wait_until(
            lambda: any(each.health().get("state") == "stopping" for each in cluster.invokers)
        )
        store.leave()
        for each in stops:
            each.result()
    assert 2 < time.monotonic() - began_s < 18, "what had begun ended first"
    for invoker in cluster.invokers:
        invoker.start()
    wait_until(lambda: all(each.health() for each in cluster.invokers), cluster.logs)
    store.come_back()
    wait_until(lambda: health(cluster) == ["up"] * 2, cluster.logs)
    billed(api, ids, before)


@pytest.mark.needs_root
def test_an_invoker_whose_disk_is_full_says_so_and_holds_what_it_has(
    cluster: Cluster, tmp_path: Path
) -> None:
    api, usual = cluster.api, cluster.invokers[0]
    api.put_action("warm", PRINTS)
    before = usage(api)["activations"]
    for invoker in cluster.invokers:
        invoker.stop()
    with small_disk(tmp_path) as disk:
        alone = a_member(tmp_path, "invoker", 7, usual.environment, prefix=disk.enter)
        alone.log = usual.log.with_name("full.log")
        alone.start()
        try:
            wait_until(lambda: health(cluster).count("up") == 1, [alone.log])
            ids = [done(api)]
            disk.fill()
            ids += [accepted(api) for _ in range(3)]
            within(SOON_S, lambda: "No space left" in (alone.why("spool") or ""), cluster)
            assert alone.metric(DEGRADED % "spool") == 1
            disk.make_room()
            within(SOON_S, lambda: alone.health()["state"] == "healthy", cluster)
            billed(api, ids, before)
            alone.stop()
        finally:
            alone.kill()
    for invoker in cluster.invokers:
        invoker.start()
    wait_until(lambda: health(cluster).count("up") == 2, cluster.logs)


@pytest.mark.timeout(120)  # a broker is begun twice
def test_a_broker_that_dies_is_said_and_a_stop_meanwhile_ends_in_time(tmp_path: Path) -> None:
    if reason := kafka.absence():
        pytest.skip(reason)
    settings = {
        "BRISK_KAFKA__CLOSE_S": "2", "BRISK_KAFKA__REQUEST_TIMEOUT_S": "3",
        "BRISK_STORE__CLOSE_S": "2", "BRISK_HTTP__DRAIN_S": "1",
    }  # fmt: skip
    with own_service("kafka", tmp_path / "broker") as broker:
        servers = {"BRISK_KAFKA__BOOTSTRAP_SERVERS": broker.address}
        with running_cluster(tmp_path, invokers=1, settings={**settings, **servers}) as cluster:
            cluster.api.put_action("warm", HELLO)
            done(cluster.api)
            broker.kill()
            within(SOON_S, lambda: all(m.why("kafka") for m in cluster.members), cluster)
            assert cluster.api.call("GET", "actions/warm").status == 200
            assert cluster.controller.health()["state"] == "degraded"
            broker.start()
            wait_until(lambda: not any(m.why("kafka") for m in cluster.members), cluster.logs)
            wait_until(lambda: cluster.api.invoke("warm").status == 200, cluster.logs)

            broker.kill()
            cluster.store.leave()
            began_s = time.monotonic()
            for member in reversed(cluster.members):
                member.stop(12)
            assert time.monotonic() - began_s < 20


def told(cluster: Cluster, why: str) -> bool:
    """Tell whether every process that can know it is degraded, for this reason."""
    members = [member for member in cluster.members if why in (member.why("couchdb") or "")]
    assert all(member.health()["state"] == "degraded" for member in members)
    # Who has no record to write does not know that none is taken.
    return bool(members) if "records" in why else len(members) == len(cluster.members)


def done(api: Api) -> str:
    """Invoke what is warm; return the id of its activation."""
    answered = api.invoke("warm", {"name": "Ada"})
    assert answered.status == 200, answered
    assert answered.body["response"]["result"] == {"greeting": "Hello Ada"}
    return str(answered.body["activationId"])


def accepted(api: Api) -> str:
    answered = api.call("POST", "actions/warm", {})
    assert answered.status == 202, answered
    return str(answered.body["activationId"])


def pending(cluster: Cluster) -> float:
    return sum(member.metric(PENDING) for member in cluster.members)


def usage(api: Api) -> dict[str, int]:
    return dict(api.call("GET", f"{OWN}/usage").body["total"])


def billed(api: Api, ids: list[str], before: int) -> None:
    """Assert that each of *ids* has its record, and that the bill is the sum of all records."""
    records = {each: api.record(each) for each in ids}
    assert all(each["response"]["success"] for each in records.values())
    wait_until(lambda: usage(api)["activations"] == before + len(ids))
    everything = api.call("GET", "activations?limit=200").body
    whole = [
        api.call("GET", f"{OWN}/activations/{each['activationId']}").body for each in everything
    ]
    assert usage(api)["activations"] == len(whole)
    assert usage(api)["billed_ms"] == sum(each["billed_ms"] for each in whole)


def within(seconds: float, condition: Callable[[], bool], cluster: Cluster) -> None:
    """Return when *condition* holds; fail when it does not in time, with what is said instead."""
    give_up_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_s, [member.health() for member in cluster.members]
        time.sleep(0.1)
