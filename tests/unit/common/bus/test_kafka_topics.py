"""What a topic takes, and what is said about one that does not fit."""

import pytest

from common.bus import kafka_topics
from common.ids import ControllerId, InvokerId
from common.message import topics
from common.settings import KafkaSettings

SETTINGS = KafkaSettings(max_message_bytes=1 << 20, retention_ms=7_200_000)
ORDERS = topics.invoker(InvokerId(0))
NEWS = topics.completed(ControllerId(0))


@pytest.mark.parametrize("topic", [ORDERS, NEWS, topics.HEALTH])
def test_a_topic_that_is_made_by_the_settings_fits(topic: topics.Topic) -> None:
    made = kafka_topics.configuration(topic, SETTINGS)
    assert not kafka_topics.misfits(topic, made, SETTINGS)
    assert kafka_topics.largest_bytes(made, SETTINGS) == 1 << 20


def test_a_topic_of_which_nothing_may_be_known_is_taken_to_fit() -> None:
    assert not kafka_topics.misfits(ORDERS, {}, SETTINGS)
    assert kafka_topics.largest_bytes({}, SETTINGS) == 1 << 20


def test_a_topic_that_takes_less_says_how_much_and_what_to_set() -> None:
    found = {"max.message.bytes": "102400", "retention.ms": "-1", "cleanup.policy": "delete"}
    [said] = kafka_topics.misfits(ORDERS, found, SETTINGS)
    largest = kafka_topics.largest_bytes(found, SETTINGS)
    assert largest < 102_400
    assert f"{largest} bytes" in said
    assert "BRISK_KAFKA__MAX_MESSAGE_BYTES is 1048576" in said
    assert "max.message.bytes to 1114112" in said


def test_a_topic_that_forgets_too_early_says_so() -> None:
    [said] = kafka_topics.misfits(ORDERS, {"retention.ms": "3600000"}, SETTINGS)
    assert "retention.ms to 7200000" in said
    assert not kafka_topics.misfits(NEWS, {"retention.ms": "3600000"}, SETTINGS)


def test_a_compacted_topic_says_so() -> None:
    [said] = kafka_topics.misfits(ORDERS, {"cleanup.policy": "compact,delete"}, SETTINGS)
    assert "cleanup.policy to delete" in said
