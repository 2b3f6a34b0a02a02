"""How every client of this process connects to the brokers, and why one may not let us in."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from common.bus.kafka_errors import translated
from common.bus.port import BusDenied, BusUnavailable
from common.settings import KafkaSettings

_NOBODY: Final = (None, -1)
_REFUSALS: Final = (
    AuthenticationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Return what aiokafka's clients are made with."""
    return secured(settings) | {
        "bootstrap_servers": settings.bootstrap_servers,
        "retry_backoff_ms": 100,
    }


async def leader_of(client: Any, topic: str) -> int:
    """Return the broker that has *topic*, as *client* knows. Raises `KafkaError`."""
    partition = TopicPartition(topic, 0)
    leader = client.cluster.leader_for_partition(partition)
    if leader in _NOBODY:
        await client._wait_on_metadata(topic)
        leader = client.cluster.leader_for_partition(partition)
    if leader in _NOBODY:
        raise LeaderNotAvailableError
    return int(leader)


def secured(settings: KafkaSettings) -> dict[str, Any]:
    """Return how one connection is protected, and who we say we are."""
    return {
        "security_protocol": settings.security,
        "ssl_context": (
            ssl.create_default_context(cafile=settings.ca_file)
            if settings.security.endswith("SSL")
            else None
        ),
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.user,
        "sasl_plain_password": settings.password and settings.password.get_secret_value(),
        "request_timeout_ms": round(settings.request_timeout_s * 1000),
    }


async def begun(
    settings: KafkaSettings, start: Callable[[], Awaitable[None]], *, timeout_s: float | None
) -> None:
    """Do what starts a client, within *timeout_s*.

    Raises `BusUnavailable`, which says why no broker is to be had.
    """
    try:
        with translated():
            async with asyncio.timeout(timeout_s):
                await start()
    except BusUnavailable as error:
        if isinstance(error.__cause__, KafkaConnectionError | TimeoutError):
            raise await diagnosis(settings) from error
        raise


async def diagnosis(settings: KafkaSettings) -> BusUnavailable:
    """Return why nothing can be had of the brokers: aiokafka itself does not tell.

    `BusDenied` where one is there and refuses us; never raises.
    """
    said = []
    for server in settings.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(settings.request_timeout_s):
                found = await create_conn(host, int(port), **secured(settings))
            found.close()
            said.append(
                f"{server} answers and then hangs up: it may be starting, or wants another "
                f"BRISK_KAFKA__SECURITY than {settings.security}"
            )
        except _REFUSALS as error:
            return _denied(settings, f"{server} says {type(error).__name__}: {error}")
        except ssl.SSLCertVerificationError as error:
            return BusDenied(
                f"The certificate of {server} is not trusted ({error.verify_message}). "
                "Look at BRISK_KAFKA__CA_FILE."
            )
        except (OSError, KafkaError, TimeoutError, ValueError) as error:
            said.append(f"{server}: {error or type(error).__name__}")
    return BusUnavailable(
        f"No broker of BRISK_KAFKA__BOOTSTRAP_SERVERS can be used: {'; '.join(said)}."
    )


def _denied(settings: KafkaSettings, why: str) -> BusDenied:
    return BusDenied(
        f"The message bus does not let the user {settings.user!r} in: {why}. Look at "
        "BRISK_KAFKA__USER, BRISK_KAFKA__PASSWORD, BRISK_KAFKA__SASL_MECHANISM "
        f"({settings.sasl_mechanism}) and BRISK_KAFKA__SECURITY ({settings.security})."
    )
