"""What aiokafka raises, in the words of the port, with the cause kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.errors import (
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from common.bus.port import BusUnavailable, MessageTooLarge

SIZE_ERRORS: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `BusUnavailable` for whatever the client or the network raises inside."""
    try:
        yield
    # AssertionError: aiokafka's word for a partition that it has not heard of yet.
    except (KafkaError, IllegalOperation, AssertionError, TimeoutError, OSError) as error:
        raise translation(error) from error


def translation(error: BaseException) -> BusUnavailable:
    """Return what the port calls *error*."""
    if isinstance(error, SIZE_ERRORS):
        told: BusUnavailable = MessageTooLarge()
    else:
        told = BusUnavailable(f"The message bus does not answer as it should: {error!r}.")
    told.__cause__ = error
    return told
