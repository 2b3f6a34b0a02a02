"""What can be wrong with a broker, what is said about it, and that nothing accepted is lost."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from common import metrics
from common.bus.kafka import KafkaBus
from common.bus.port import BusDenied, BusUnavailable, MessageTooLarge
from common.clock import SystemClock
from common.settings import KafkaSettings
from tests.fakes import kafka
from tests.fakes.own_service import OwnService, aside, own_service
from tests.fakes.ports import free_port
from tests.fakes.records import a_message
from tests.fakes.wire import wire
from tests.integration.kafka_bus import INVOKER, numbers, opened, take, until

pytestmark = pytest.mark.kafka
USER, PASSWORD = "brisk", "right-password"


def gauge(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def in_flight() -> float:
    return gauge("brisk_bus_in_flight_messages")


async def done(*command: str) -> bool:
    """Run *command*; tell whether it did what it was told."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0


@pytest.fixture(autouse=True)
async def no_executor_is_left() -> AsyncIterator[None]:
    """End the threads in which aiokafka proves a password."""
    yield
    await asyncio.get_running_loop().shutdown_default_executor()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSettings]:
    """Settings for a broker that lets one user in."""
    if reason := kafka.absence():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("guarded")
    with own_service("kafka", folder, user=f"{USER}:{PASSWORD}") as broker:
        yield KafkaSettings(
            bootstrap_servers=broker.address,
            security="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            user=USER,
            password=PASSWORD,
            request_timeout_s=3.0,
        )


async def refusal(settings: KafkaSettings, folder: Path) -> BusUnavailable:
    with pytest.raises(BusUnavailable) as raised:
        await KafkaBus.open(settings, folder, SystemClock())
    return raised.value


async def test_who_knows_the_password_is_let_in(guarded: KafkaSettings, tmp_path: Path) -> None:
    async with opened(guarded, tmp_path) as bus:
        await bus.send(INVOKER, a_message(0), durable=True)
        assert numbers(await take(bus.receive(INVOKER), 1)) == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong-password"},
        {"user": "nobody"},
        {"sasl_mechanism": "SCRAM-SHA-512"},
    ],
    ids=lambda each: next(iter(each)),
)
async def test_a_wrong_password_is_not_taken_for_absence(
    guarded: KafkaSettings, tmp_path: Path, wrong: dict[str, str]
) -> None:
    settings = KafkaSettings.model_validate(guarded.model_dump() | wrong)
    error = await refusal(settings, tmp_path)

    assert isinstance(error, BusDenied)
    assert error.pause_s
    assert error.pause_s >= 10, "it is tried slowly"
    assert "BRISK_KAFKA__PASSWORD" in str(error)
    assert settings.user is not None
    assert settings.user in str(error)
    assert settings.password is not None
    assert settings.password.get_secret_value() not in str(error)


async def test_who_does_not_prove_who_they_are_is_told_which_setting_to_look_at(
    guarded: KafkaSettings, tmp_path: Path
) -> None:
    settings = guarded.model_copy(update={"security": "PLAINTEXT"})
    error = await refusal(settings, tmp_path)
    assert not isinstance(error, BusDenied), "it may be starting"
    assert "BRISK_KAFKA__SECURITY" in str(error)


async def test_a_password_for_a_broker_that_wants_none_is_named(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    secured = KafkaSettings.model_validate(
        settings.model_dump()
        | {"security": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "user": "a", "password": "b"}
    )
    error = await refusal(secured, tmp_path)
    assert "BRISK_KAFKA__SECURITY" in str(error)


async def test_an_absent_broker_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", request_timeout_s=1.0)
    error = await refusal(settings, tmp_path)
    assert not isinstance(error, BusDenied)
    assert settings.bootstrap_servers in str(error)
    assert "BRISK_KAFKA__BOOTSTRAP_SERVERS" in str(error)


async def test_what_is_sent_while_the_broker_is_scaled_down_arrives_when_it_is_back(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path
) -> None:
    async with opened(settings, tmp_path) as bus:
        await bus.send(INVOKER, a_message(0), durable=True)
        deliveries = bus.receive(INVOKER)
        received = await take(deliveries, 1)
        received[0].settle()
        await aside(broker.stop)
        try:
            sending = [
                asyncio.ensure_future(bus.send(INVOKER, a_message(n), durable=True))
                for n in range(1, 6)
            ]
            await until(lambda: in_flight() == 5)
            await asyncio.sleep(3 * settings.session_timeout_s)  # what is measured is an absence
            assert in_flight() == 5, "what waits is shown for as long as it waits"
            assert not any(each.done() for each in sending)
        finally:
            await aside(broker.start)
        await asyncio.gather(*sending)
        assert numbers(await take(deliveries, 5)) == [1, 2, 3, 4, 5]
        assert in_flight() == 0


async def test_a_slow_broker_costs_time_and_a_stuck_one_an_answer_but_no_message(
    broker: OwnService, settings: KafkaSettings, tmp_path: Path
) -> None:
    port = free_port()
    behind = OwnService("kafka", tmp_path / "behind", advertised_port=str(port))
    await aside(behind.start)
    try:
        async with wire(port, behind.port) as between:
            slow = settings.model_copy(
                update={"bootstrap_servers": f"127.0.0.1:{port}", "send_timeout_s": 2.0}
            )
            async with opened(slow, tmp_path / "bus") as bus:
                deliveries = bus.receive(INVOKER)
                await bus.send(INVOKER, a_message(0), durable=True)
                between.delay_s = 0.3
                began_s = time.monotonic()
                await bus.send(INVOKER, a_message(1), durable=True)
                assert time.monotonic() - began_s >= 0.3
                between.delay_s = 0.0

                between.is_open.clear()
                began_s = time.monotonic()
                with pytest.raises(BusUnavailable, match="did not confirm a message within 2 s"):
                    await bus.send(INVOKER, a_message(2), durable=True)
                assert time.monotonic() - began_s < 4
                await bus.send(INVOKER, a_message(3), durable=False)
                assert in_flight() >= 1
                between.is_open.set()

                received = numbers(await take(deliveries, 3))
                while received[-1] != 3:
                    received += numbers(await take(deliveries, 1))
                # What was not confirmed may arrive; what was, and what came after it, has to.
                assert [number for number in received if number != 2] == [0, 1, 3]
                await until(lambda: in_flight() == 0)
    finally:
        await aside(behind.stop)


async def test_a_topic_that_takes_less_than_the_settings_say_is_named_and_respected(
    settings: KafkaSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = settings.model_copy(update={"max_message_bytes": 1 << 17, "retention_ms": 3_600_000})
    large = a_message(1, payload=b'{"text":"%0200000d"}' % 0)
    async with opened(small, tmp_path / "a") as older:
        await older.send(INVOKER, a_message(0), durable=True)
    async with opened(settings, tmp_path / "b") as bus:
        for durable in (False, True):
            with pytest.raises(MessageTooLarge):
                await bus.send(INVOKER, large, durable=durable)
        await bus.send(INVOKER, a_message(2), durable=True)
        assert numbers(await take(bus.receive(INVOKER), 2)) == [0, 2]
    said = capsys.readouterr().err
    assert "BRISK_KAFKA__MAX_MESSAGE_BYTES" in said
    assert "max.message.bytes" in said
    assert "retention.ms" in said


@pytest.mark.needs_root
async def test_a_broker_whose_disk_is_full_takes_nothing_and_loses_nothing(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not await done("mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)):
        pytest.skip("no file system can be mounted here")
    try:
        await _fill_a_broker(folder, settings, tmp_path)
    finally:
        assert await done("umount", str(folder))


async def _fill_a_broker(folder: Path, settings: KafkaSettings, tmp_path: Path) -> None:
    broker = OwnService("kafka", folder)
    await aside(broker.start)
    try:
        impatient = settings.model_copy(
            update={"bootstrap_servers": broker.address, "send_timeout_s": 4.0, "close_s": 1.0}
        )
        confirmed = []
        async with opened(impatient, tmp_path / "bus") as bus:
            with pytest.raises(BusUnavailable):
                for number in range(400):
                    noise = os.urandom(250_000).hex().encode()
                    payload = b'{"noise":"%b"}' % noise
                    await bus.send(INVOKER, a_message(number, payload=payload), durable=True)
                    confirmed.append(number)
            assert confirmed
            assert in_flight() >= 1, "what it does not take is still here"
        await aside(broker.stop)
        assert await done("mount", "-o", "remount,size=400m", str(folder))
        await aside(broker.start)
        async with opened(impatient, tmp_path / "bus") as again:
            received = numbers(await take(again.receive(INVOKER), len(confirmed)))
        assert received == confirmed
    finally:
        await aside(broker.stop)
