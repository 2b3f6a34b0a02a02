"""Messages of a broker that fire a trigger: a real broker, a live platform, and its deaths."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from common.settings import Settings
from tests.fakes import embedded, kafka
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH

pytestmark = pytest.mark.kafka
FEED = "/api/v1/namespaces/whisk.system/actions/messaging/kafkaFeed?blocking=true"
BROKER = Settings().kafka.bootstrap_servers.split(",")[0]
WITHIN_S = 40.0


async def _admin(*, make: str = "", remove: str = "") -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    try:
        if make:
            await admin.create_topics([NewTopic(make, 2, 1)])
        if remove:
            await admin.delete_topics([remove])
    finally:
        await admin.close()


async def _send(topic: str, values: Sequence[bytes], key: bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=BROKER)
    await producer.start()
    try:
        for n, value in enumerate(values):
            await producer.send_and_wait(
                topic, value, key=key, partition=n % 2, headers=[("n", str(n).encode())]
            )
    finally:
        await producer.stop()


def send(topic: str, *values: bytes, key: bytes | None = None) -> None:
    asyncio.run(_send(topic, values, key))


@pytest.fixture
def topic() -> Iterator[str]:
    if reason := kafka.absence():
        pytest.skip(reason)
    name = f"feeds-{secrets.token_hex(6)}"
    asyncio.run(_admin(make=name))
    yield name
    asyncio.run(_admin(remove=name))


class Platform:
    """A platform that can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.start()

    def start(self) -> None:
        settings = {"BRISK_EVENTS__SOURCES": "*"}
        self._process = embedded.start(self._data, settings=settings)
        self.api = Api(embedded.wait_ready(self._process), GUEST_AUTH)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path / "data")
    yield running
    running.kill()


def told(api: Api, event: str, **given: Any) -> Any:
    body = {"lifecycleEvent": event, "triggerName": "/_/t", "authKey": GUEST_AUTH, **given}
    return api.call("POST", FEED, body).body["response"]["result"]


def a_feed(api: Api, topic: str, **given: Any) -> None:
    assert api.call("PUT", "triggers/t?overwrite=true", {}).status == 200
    made = told(api, "CREATE", brokers=[BROKER], topic=topic, **given)
    assert made.get("uuid"), made
    api.put_action("echo", "def main(a): return {}")
    assert api.call("PUT", "rules/r", {"trigger": "/_/t", "action": "/_/echo"}).status == 200


def messages(api: Api) -> list[dict[str, Any]]:
    """Return all messages that the trigger was fired with, in that order."""
    found = api.call("GET", "activations?name=t&limit=200&docs=true").body
    return [each for one in reversed(found) for each in one["response"]["result"]["messages"]]


def until(done: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WITHIN_S
    while not done():
        assert time.monotonic() < give_up_s, "it never happened"
        time.sleep(0.1)


def test_each_message_is_fired_once_also_over_kills(platform: Platform, topic: str) -> None:
    send(topic, b"before")
    a_feed(platform.api, topic, isJSONData=True, isBinaryKey=True)
    send(topic, b'{"a": 1}', b"no JSON", key=b"k")
    until(lambda: len(messages(platform.api)) == 2)
    by_partition = {each["partition"]: each for each in messages(platform.api)}
    assert by_partition[0] == {
        "topic": topic, "partition": 0, "offset": 1, "key": "aw==", "value": {"a": 1},
        "headers": {"n": "0"},
    }  # fmt: skip
    assert by_partition[1]["value"] == "no JSON"
    sent = 0
    for turn in range(3):
        send(topic, *(f'"{turn}-{n}"'.encode() for n in range(40)))
        sent += 40
        # Soon, when a batch may be under way, and then later.
        until(lambda turn=turn: len(messages(platform.api)) > 2 + 40 * turn)  # type: ignore[misc]
        platform.kill()
        platform.start()
    until(lambda: len(messages(platform.api)) >= 2 + sent)
    places = [(each["partition"], each["offset"]) for each in messages(platform.api)]
    assert len(set(places)) == len(places) == 2 + sent
    for part in (0, 1):
        offsets = [offset for partition, offset in places if partition == part]
        assert offsets == sorted(offsets)


def test_a_feed_is_read_changed_and_deleted(platform: Platform, topic: str) -> None:
    api = platform.api
    a_feed(api, topic)
    assert told(api, "READ")["config"] == {
        "triggerName": "/guest/t", "topic": topic, "brokers": [BROKER],
        "isJSONData": False, "isBinaryKey": False, "isBinaryValue": False,
    }  # fmt: skip
    assert told(api, "UPDATE", isBinaryValue=True) == {"status": "success"}
    send(topic, b"\xff")
    until(lambda: len(messages(api)) == 1)
    assert messages(api)[0]["value"] == "/w=="
    assert told(api, "DELETE") == {"status": "success"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"topic": ""}, "You must supply a 'topic' parameter."),
        ({"brokers": ""}, "You must supply a 'brokers' parameter."),
        ({"brokers": {}}, "You must supply a 'brokers' parameter."),
        (
            {"brokers": {"a": 1}},
            "You must supply a 'brokers' parameter as an array of Message Hub brokers.",
        ),
        ({"brokers": "nowhere"}, "brokers parameter '' is no name of a host"),
        ({"brokers": "127.0.0.1:x"}, "brokers parameter 'x' is no port"),
        (
            {"isJSONData": True, "isBinaryValue": "true"},
            "isJSONData and isBinaryValue cannot both be enabled.",
        ),
        ({"topic": "nosuch-topic"}, "the brokers cannot be read from: there is no topic"),
        ({"brokers": "127.0.0.1:1"}, "the brokers cannot be read from: 127.0.0.1:1: "),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(
    platform: Platform, topic: str, given: dict[str, Any], text: str
) -> None:
    platform.api.call("PUT", "triggers/t", {})
    said = told(platform.api, "CREATE", **({"brokers": [BROKER], "topic": topic} | given))
    assert said["error"].startswith(text)
    assert "There is no feed" in told(platform.api, "READ")["error"]
