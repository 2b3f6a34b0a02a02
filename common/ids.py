"""The identifiers that travel, each with a type of its own.

An activation id is 32 lower-case hex digits, as OpenWhisk's are, but ordered by time: the first
twelve digits are Unix milliseconds, as in UUIDv7 (RFC 9562, §5.7). So a record is found by its id
without an index, inserts append, and newest-first is a range of ids.
"""

from typing import Final, NewType

ActivationId = NewType("ActivationId", str)
TransId = NewType("TransId", str)
"""One request of a client, from its header to the log line of the sandbox."""
Namespace = NewType("Namespace", str)
Subject = NewType("Subject", str)
InvokerId = NewType("InvokerId", int)
ControllerId = NewType("ControllerId", int)
ContainerId = NewType("ContainerId", str)
DocId = NewType("DocId", str)
Rev = NewType("Rev", str)
"""Which revision of a document: opaque, compared for equality only."""

ACTIVATION_ID_LENGTH: Final = 32
RANDOM_BITS: Final = 74


def activation_id(now_ms: int, random_bits: int) -> ActivationId:
    """Return the id of an activation accepted at *now_ms*.

    random_bits: a uniform integer of `RANDOM_BITS` bits.
    """
    high, low = random_bits >> 62, random_bits & ((1 << 62) - 1)
    return ActivationId(f"{now_ms:012x}{0x7000 | high:04x}{(0b10 << 62) | low:016x}")


def accepted_ms(activation: ActivationId) -> int:
    """Return when *activation* was accepted, in Unix milliseconds; only true for our own ids."""
    return int(activation[:12], 16)
