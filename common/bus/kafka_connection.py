"""How every client of this process connects to the brokers."""

import ssl
from typing import Any

from common.settings import KafkaSettings


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Return what aiokafka's clients are made with."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
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
        "retry_backoff_ms": 100,
    }
