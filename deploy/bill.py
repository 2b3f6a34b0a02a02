"""The last part of the demo: everything that ran, the bill, and the same bill from the store."""

import json
import time
from functools import partial

from deploy.local_cluster import LocalCluster, asked
from deploy.visitor import STEP_S, Demo, NotAsItShouldBe


def account(demo: Demo) -> None:
    """Show every activation and the bill."""
    demo.say("Everything that ran")
    demo.brisk("activation list", expect="hello:0.0.1")
    demo.say("The bill: milliseconds of load and run, by the memory reserved")
    demo.brisk("usage", expect="sleeps")
    if demo.cluster is not None:
        demo.say("The same bill, summed from the records as the document store holds them")
        told = json.loads(demo.brisk("usage --json", expect='"total"'))["total"]
        read_back(demo.cluster, told)


def read_back(cluster: LocalCluster, told: dict[str, int]) -> None:
    """Ask the store itself for all records; the last one may take a moment to get there.

    Raises `NotAsItShouldBe` unless they are what the API *told*.
    """
    give_up_s = time.monotonic() + STEP_S
    while (held := _sums(cluster)) != told:
        if time.monotonic() > give_up_s:
            raise NotAsItShouldBe(f"the store holds {held}, the API told {told}")
        time.sleep(0.2)
    print(json.dumps(held))


def _sums(cluster: LocalCluster) -> dict[str, int]:
    get = partial(asked, "GET", auth=cluster.couchdb_auth)
    names = [each for each in get(f"{cluster.couchdb}/_all_dbs") if each.startswith("brisk_act_")]
    rows = [
        row
        for name in names
        for row in get(f"{cluster.couchdb}/{name}/_all_docs?include_docs=true")["rows"]
    ]
    billed = [row["doc"]["brisk"] for row in rows if "brisk" in row["doc"]]
    return {
        "activations": len(billed),
        "billed_ms": sum(each["billed_ms"] for each in billed),
        "mb_ms": sum(each["billed_ms"] * each["memory_mb"] for each in billed),
    }
