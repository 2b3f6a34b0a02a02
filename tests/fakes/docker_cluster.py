"""A cluster whose invokers make containers, and what its engine has of them."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract import engine
from tests.fakes import images, kafka
from tests.fakes.cluster import Cluster, Member, running_cluster

QUICK = {
    "BRISK_INVOKER__DRIVER": "docker",
    "BRISK_CHECK_INVARIANTS": "true",
    "BRISK_POOL__PAUSE_GRACE_S": "1",
}
"""A pool whose idle sandboxes are paused while a test can wait for it."""


@contextmanager
def running(
    folder: Path, *, invokers: int = 1, settings: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Yield a cluster on the engine that is there; skip where it or Kafka is absent."""
    if reason := kafka.absence():
        pytest.skip(reason)
    wanted = {**QUICK, "BRISK_DOCKER__SOCKET": str(engine.socket()), **(settings or {})}
    with running_cluster(folder, invokers=invokers, settings=wanted) as cluster:
        yield cluster
        owners = [owner_of(each) for each in cluster.invokers]
    left = [name for owner in owners for name in images.containers(owner)]
    assert not left, f"a stop left containers behind: {left}"


def owner_of(invoker: Member) -> str:
    """Return what the containers of *invoker* are labelled with."""
    state = Path(invoker.environment["BRISK_DATA"], "sandboxes").resolve()
    return hashlib.sha256(str(state).encode()).hexdigest()[:12]
