"""Where the tables are told: a platform that runs, and namespaces of it by the dozen."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.keys import new_auth
from cli.upkeep.stores import Installation
from common.clock import SystemClock
from common.data_folder import DataFolder
from common.ids import Namespace, Subject
from common.settings import CouchdbSettings, Settings
from tests.fakes import kafka
from tests.fakes.cluster import running_cluster
from tests.fakes.embedded import running_platform
from tests.fakes.own_service import own_service

MODES = ["embedded", pytest.param("cluster", marks=[pytest.mark.kafka, pytest.mark.pouchdb])]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A namespace and its key."""

    namespace: str
    auth: str


@dataclass(frozen=True, slots=True)
class Place:
    """A platform at *url*, with the stores where its identities are."""

    url: str
    installation: Installation

    def tenants(self, limits: Sequence[Mapping[str, Any]]) -> list[Tenant]:
        """Make a new namespace for each of the *limits* that they are to have."""
        made = [Tenant(f"ns-{secrets.token_hex(4)}", new_auth()) for _ in limits]
        asyncio.run(self._enter(made, limits))
        return made

    async def _enter(self, made: list[Tenant], limits: Sequence[Mapping[str, Any]]) -> None:
        async with self.installation.identities() as admin:
            for tenant, own in zip(made, limits, strict=True):
                uuid, _, key = tenant.auth.partition(":")
                namespace = Namespace(tenant.namespace)
                await admin.create(Subject(tenant.namespace), namespace, uuid=uuid, key=key)
                if own:
                    await admin.set_limits(namespace, own)


@contextmanager
def running(mode: str, folder: Path) -> Iterator[Place]:
    """Run a platform of one *mode* while inside."""
    if mode == "embedded":
        with running_platform(folder) as platform:
            own = DataFolder(platform.data)
            yield Place(platform.url, Installation(Settings(), own, False, SystemClock()))
        return
    if reason := kafka.absence():
        pytest.skip(reason)
    with (
        own_service("couchdb", folder / "couchdb") as couchdb,
        running_cluster(folder, invokers=1, store=f"http://{couchdb.address}") as cluster,
    ):
        environment = cluster.controller.environment
        settings = Settings(
            secret_file=Path(environment["BRISK_SECRET_FILE"]),
            couchdb=CouchdbSettings(
                url=environment["BRISK_COUCHDB__URL"], prefix=environment["BRISK_COUCHDB__PREFIX"]
            ),
        )
        yield Place(cluster.url, Installation(settings, None, True, SystemClock()))
