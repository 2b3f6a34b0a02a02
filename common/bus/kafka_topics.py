"""What this platform wants of a topic, and what is wrong with one that is there. Values in and out.

A topic that an operator made, or an earlier setting, is taken as it is: nothing here changes it.
What it cannot do is said once, with what to change, and is worked around where that loses nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from common.message import topics
from common.message.topics import Topic
from common.settings import KafkaSettings

ENVELOPE_BYTES: Final = 64 << 10
"""What a batch adds to its largest message, with a margin."""
_LEAST_ENVELOPE_BYTES: Final = 1 << 10
_HOUR_MS: Final = 3_600_000
_MOST_BYTES: Final = "max.message.bytes"
_RETENTION_MS: Final = "retention.ms"
_CLEANUP: Final = "cleanup.policy"

ASKED: Final = (_MOST_BYTES, _RETENTION_MS, _CLEANUP)
"""Which entries of a topic's configuration are looked at."""


def configuration(topic: Topic, settings: KafkaSettings) -> dict[str, str]:
    """Return what *topic* is made with."""
    retention_ms = settings.retention_ms if topics.carries_orders(topic) else _HOUR_MS
    return {
        _RETENTION_MS: str(retention_ms),
        "retention.bytes": str(settings.retention_bytes),
        _MOST_BYTES: str(settings.max_message_bytes + ENVELOPE_BYTES),
    }


def largest_bytes(found: Mapping[str, str], settings: KafkaSettings) -> int:
    """Return the size of the largest message that a topic takes; *found* is its configuration."""
    takes = int(found.get(_MOST_BYTES, settings.max_message_bytes + ENVELOPE_BYTES))
    return min(settings.max_message_bytes, takes - _LEAST_ENVELOPE_BYTES)


def misfits(topic: Topic, found: Mapping[str, str], settings: KafkaSettings) -> Sequence[str]:
    """Return what is wrong with a topic that is there, and how it is mended."""
    wanted = configuration(topic, settings)
    said = []
    if (largest := largest_bytes(found, settings)) < settings.max_message_bytes:
        said.append(
            f"It takes messages of {largest} bytes, and BRISK_KAFKA__MAX_MESSAGE_BYTES is "
            f"{settings.max_message_bytes}: larger ones go by way of the store, slowly. Set the "
            f"topic's {_MOST_BYTES} to {wanted[_MOST_BYTES]}, or lower the setting."
        )
    kept_ms = int(found.get(_RETENTION_MS, -1))
    if 0 <= kept_ms < int(wanted[_RETENTION_MS]):
        said.append(
            f"It keeps messages for {kept_ms} ms: what waits longer is lost. "
            f"Set the topic's {_RETENTION_MS} to {wanted[_RETENTION_MS]}."
        )
    if "compact" in found.get(_CLEANUP, ""):
        said.append(
            "It is compacted, so the broker drops messages of its own accord. "
            f"Set the topic's {_CLEANUP} to delete."
        )
    return said
