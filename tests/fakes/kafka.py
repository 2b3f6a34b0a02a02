"""Real brokers for tests: whether one answers, a corner of it, and one that a test may stop."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient

from common.settings import KafkaSettings, Settings
from tests.fakes.embedded import ROOT

SCRIPT: Final = ROOT / "deploy" / "dev" / "kafka"


def settings(**changes: Any) -> KafkaSettings:
    """Return settings for a corner of the broker that nobody else uses."""
    usual = {"topic_prefix": f"test-{secrets.token_hex(6)}-", "session_timeout_s": 6.0}
    return Settings().kafka.model_copy(update=usual | changes)


def absence() -> str | None:
    """Return why no broker can be used here; None when one answers."""
    servers = Settings().kafka.bootstrap_servers
    host, _, port = servers.split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError as error:
        return f"no Kafka at {servers} ({error}): deploy/dev/kafka start"
    return None


async def remove_topics(used: KafkaSettings) -> None:
    """Delete every topic of that corner."""
    admin = AIOKafkaAdminClient(bootstrap_servers=used.bootstrap_servers)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if name.startswith(used.topic_prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


@asynccontextmanager
async def corner(**changes: Any) -> AsyncIterator[KafkaSettings]:
    """Yield the settings of a corner, and leave nothing in the broker."""
    used = settings(**changes)
    try:
        yield used
    finally:
        await remove_topics(used)


class OwnBroker:
    """A broker beside the usual one, which a test may stop and start."""

    def __init__(
        self, folder: Path, *, user: str | None = None, advertised_port: int | None = None
    ) -> None:
        """Use a free port; *folder* holds its data.

        user: `name:password` of the only one who is let in.
        advertised_port: where clients are told to connect to; None is its own.
        """
        self.port = _two_free_ports()
        self._folder = folder
        self._environment = os.environ | {  # noqa: TID251
            "KAFKA_PORT": str(self.port),
            "KAFKA_HOME": str(folder),
            "KAFKA_KEEP_DATA": "1",
            "KAFKA_USER": user or "",
            "KAFKA_ADVERTISED_PORT": str(advertised_port or self.port),
        }

    @property
    def servers(self) -> str:
        """Where it answers."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it answers."""
        await self._run("start")

    async def stop(self) -> None:
        """Return when it has ended. What it was given stays."""
        await self._run("stop")

    async def kill(self) -> None:
        """Kill it without warning."""
        pid = int((self._folder / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        await self.stop()

    async def _run(self, verb: str) -> None:
        done = await asyncio.create_subprocess_exec(
            SCRIPT, verb, env=self._environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(90):
            assert await done.wait() == 0, f"the broker did not {verb}"


@contextmanager
def own_broker(
    folder: Path, *, user: str | None = None, advertised_port: int | None = None
) -> Iterator[OwnBroker]:
    """Run a broker of one's own; see `OwnBroker`."""
    broker = OwnBroker(folder, user=user, advertised_port=advertised_port)
    try:
        asyncio.run(broker.start())
        yield broker
    finally:
        asyncio.run(broker.stop())


def _two_free_ports() -> int:
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port
