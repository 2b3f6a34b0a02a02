"""What aiokafka raises, in the words of the port, with the cause kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from common.bus.kafka_wire import MalformedAnswer
from common.bus.port import BusDenied, BusUnavailable, MessageTooLarge

_FORBIDDEN: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
_FAULTS: Final = (
    KafkaError,
    IllegalOperation,
    AssertionError,  # aiokafka's word for a partition that it has not heard of yet
    MalformedAnswer,
    TimeoutError,
    OSError,
)
SIZE_ERRORS: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `BusUnavailable` for whatever the client or the network raises inside."""
    try:
        yield
    except _FAULTS as error:
        raise translation(error) from error


def translation(error: BaseException) -> BusUnavailable:
    """Return what the port calls *error*."""
    if isinstance(error, SIZE_ERRORS):
        told: BusUnavailable = MessageTooLarge()
    elif isinstance(error, _FORBIDDEN):
        told = BusDenied(
            f"The message bus forbids it ({type(error).__name__}). The user of BRISK_KAFKA__USER "
            "needs the rights to make, describe, read and write the topics of "
            "BRISK_KAFKA__TOPIC_PREFIX, and to read the groups of the same names."
        )
    else:
        told = BusUnavailable(f"The message bus does not answer as it should: {error!r}.")
    told.__cause__ = error
    return told
