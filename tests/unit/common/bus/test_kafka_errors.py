"""What aiokafka raises, in our words."""

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from common.bus.kafka_errors import translated
from common.bus.port import BusDenied, BusUnavailable, MessageTooLarge


@pytest.mark.parametrize(
    ("raised", "told", "text"),
    [
        (TopicAuthorizationFailedError(), BusDenied, "BRISK_KAFKA__USER needs the rights"),
        (GroupAuthorizationFailedError(), BusDenied, "BRISK_KAFKA__TOPIC_PREFIX"),
        (MessageSizeTooLargeError(), MessageTooLarge, "larger than the message bus takes"),
        (KafkaConnectionError(), BusUnavailable, "does not answer as it should"),
        (TimeoutError(), BusUnavailable, "TimeoutError"),
        (ConnectionResetError(), BusUnavailable, "ConnectionResetError"),
    ],
)
def test_every_fault_is_told_in_our_words_with_its_cause(
    raised: Exception, told: type[BusUnavailable], text: str
) -> None:
    with pytest.raises(told, match=text) as caught, translated():
        raise raised
    assert caught.value.__cause__ is raised
