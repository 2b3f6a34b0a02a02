"""Real brokers for tests: whether one answers, and a corner of it."""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from common.settings import KafkaSettings, Settings


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
