"""What is on its way to a broker: in order, in batches, withdrawn while that is possible."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from common.bus.kafka_client import Broker
from common.bus.kafka_outbox import Outbox
from common.bus.kafka_producer import Record
from common.bus.offsets import Commit
from common.bus.port import BusUnavailable, MessageTooLarge
from common.message import topics
from common.message.topics import Topic
from common.settings import KafkaSettings
from tests.fakes.clock import FakeClock
from tests.fakes.records import an_id
from tests.fakes.turns import until

TOPIC = Topic("invoker0")
SETTINGS = KafkaSettings(
    capacity=10, max_message_bytes=1 << 16, buffer_bytes=1 << 20, retry_pause_s=1e-6
)


class ScriptedBroker(Broker):
    """Takes batches when the test says so."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.batches: list[list[bytes]] = []
        self.acknowledgements: list[asyncio.Future[int]] = []
        self.is_away = False
        self.largest_bytes = SETTINGS.max_message_bytes
        self.low: int | None = None
        self.asked = 0
        self.refusals = 0

    async def ensure_topic(self, topic: Topic, *, anew: bool = False) -> int:
        self._refuse_if_away()
        return self.largest_bytes

    async def produce(self, topic: Topic, records: Sequence[Record]) -> asyncio.Future[int]:
        self._refuse_if_away()
        self.batches.append([record.value for record in records])
        self.acknowledgements.append(asyncio.get_running_loop().create_future())
        return self.acknowledgements[-1]

    async def committed(self, topic: Topic) -> Commit | None:
        self.asked += 1
        self._refuse_if_away()
        return None if self.low is None else Commit(self.low, "")

    def acknowledge(self, first: int = 0) -> None:
        next(each for each in self.acknowledgements if not each.done()).set_result(first)

    def refuse(self, error: BusUnavailable) -> None:
        next(each for each in self.acknowledgements if not each.done()).set_exception(error)

    def _refuse_if_away(self) -> None:
        if self.is_away:
            self.refusals += 1
            raise BusUnavailable("away")


@pytest.fixture
def broker() -> ScriptedBroker:
    return ScriptedBroker()


@pytest.fixture
async def outbox(broker: ScriptedBroker, clock: FakeClock) -> AsyncIterator[Outbox]:
    writers: list[asyncio.Task[None]] = []

    def spawn(topic: Topic) -> None:
        writers.append(asyncio.get_running_loop().create_task(made.write(topic)))

    made = Outbox(broker, SETTINGS, clock, position=lambda _: None, spawn=spawn)
    yield made
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)


async def post(outbox: Outbox, *values: int, topic: Topic = TOPIC) -> None:
    for value in values:
        await outbox.post(topic, Record(b"key", b"%d" % value), an_id(value))


async def test_what_comes_while_a_batch_is_under_way_goes_with_the_next(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    await post(outbox, 1)
    await until(lambda: len(broker.batches) == 1)
    await post(outbox, 2, 3, 4)
    broker.acknowledge(0)
    await until(lambda: len(broker.batches) == 2)

    assert broker.batches == [[b"1"], [b"2", b"3", b"4"]]
    assert outbox.in_flight == 3
    broker.acknowledge(1)
    await until(lambda: outbox.in_flight == 0)


async def test_what_does_not_fit_into_a_batch_goes_next_in_order(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    broker.largest_bytes = 40_000
    await post(outbox, 0)
    await until(lambda: len(broker.batches) == 1)
    for number in range(1, 6):
        await outbox.post(TOPIC, Record(b"", b"%d" % number * 16_000), an_id(number))
    for batches in range(2, 5):
        broker.acknowledge(batches)
        await until(lambda batches=batches: len(broker.batches) == batches)  # type: ignore[misc]

    assert [[value[:1] for value in batch] for batch in broker.batches] == [
        [b"0"], [b"1", b"2"], [b"3", b"4"], [b"5"],
    ]  # fmt: skip


async def test_who_is_cancelled_before_it_left_has_sent_nothing(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    await post(outbox, 1)
    await until(lambda: len(broker.batches) == 1)
    parcel = await outbox.post(TOPIC, Record(b"", b"2"), an_id(2))
    waiting = asyncio.ensure_future(outbox.acknowledged(parcel))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await post(outbox, 3)
    broker.acknowledge()
    await until(lambda: len(broker.batches) == 2)

    assert broker.batches[1] == [b"3"]
    assert outbox.parcel_of(an_id(2)) is None


async def test_a_broker_that_is_away_gets_everything_in_order_when_it_is_back(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    broker.is_away = True
    await post(outbox, 1, 2)
    await until(lambda: broker.refusals == 3)
    await post(outbox, 3)
    broker.is_away = False
    await until(lambda: bool(broker.batches))

    assert broker.batches == [[b"1", b"2", b"3"]]


async def test_what_the_broker_refuses_for_good_is_lost_and_known_to_be(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    parcel = await outbox.post(TOPIC, Record(b"", b"1"), an_id(1))
    await until(lambda: len(broker.batches) == 1)
    broker.refuse(BusUnavailable("no"))
    with pytest.raises(BusUnavailable, match="no"):
        await outbox.watch(parcel)

    assert outbox.lost_to(an_id(1)) == TOPIC
    assert outbox.lost_to(an_id(1)) is None
    assert outbox.in_flight == 0


async def test_a_topic_is_full_by_what_its_consumers_have_come_to(
    outbox: Outbox, broker: ScriptedBroker, clock: FakeClock
) -> None:
    broker.low = 95
    await post(outbox, 1)
    await until(lambda: len(broker.batches) == 1)
    broker.acknowledge(first=99)  # so it ends at 100, of which 95 are done: five wait
    await until(lambda: outbox.in_flight == 0)

    await post(outbox, 2, 3, 4, 5, 6)
    for _ in range(20):
        with pytest.raises(BusUnavailable, match="invoker0 is full: 10"):
            await post(outbox, 7)
    assert broker.asked == 1, "a refusal asks nobody"

    broker.low = 97
    clock.advance(s=1)
    await post(outbox, 7, 8)
    assert broker.asked == 2


async def test_a_topic_that_nobody_has_to_consume_does_not_fill(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    await post(outbox, 1, topic=topics.EVENTS)
    await until(lambda: len(broker.batches) == 1)
    broker.acknowledge(first=1_000_000)
    await until(lambda: outbox.in_flight == 0)

    await post(outbox, 2, topic=topics.EVENTS)


async def test_what_goes_at_once_goes_whole_and_what_has_to_ask_does_not_go(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    assert outbox.try_post(TOPIC, Record(b"", b"1"), an_id(1))
    assert outbox.parcel_of(an_id(1)) is not None
    assert not outbox.try_post(TOPIC, Record(b"", bytes(20_000)), an_id(2))
    await post(outbox, *range(3, 12))
    assert not outbox.try_post(TOPIC, Record(b"", b"13"), an_id(13)), "it looks full"
    assert outbox.in_flight == 10
    await until(lambda: bool(broker.batches))
    assert broker.batches[0][0] == b"1"


async def test_what_is_too_large_is_refused_before_it_takes_a_place(outbox: Outbox) -> None:
    with pytest.raises(MessageTooLarge, match=r"65537 bytes.* takes 65536"):
        await outbox.post(TOPIC, Record(b"", bytes(65_537)), an_id(1))
    assert outbox.in_flight == 0


async def test_what_waits_here_is_bounded_in_bytes_whatever_became_of_the_rest(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    large = Record(b"", bytes(16_000))
    parcels = [await outbox.post(Topic(f"invoker{n}"), large) for n in range(65)]
    with pytest.raises(BusUnavailable, match="1040000 bytes wait"):
        await outbox.post(TOPIC, large)

    parcels[5].outcome.cancel()
    await until(lambda: len(broker.batches) == 64)
    await outbox.post(TOPIC, large)
    with pytest.raises(BusUnavailable, match="bytes wait"):
        await outbox.post(TOPIC, large)


async def test_whoever_waits_is_told_when_it_is_abandoned(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    handed = await outbox.post(TOPIC, Record(b"", b"1"), an_id(1))
    await until(lambda: len(broker.batches) == 1)
    waiting = await outbox.post(TOPIC, Record(b"", b"2"), an_id(2))

    outbox.abandon()

    for parcel in (handed, waiting):
        with pytest.raises(BusUnavailable, match="closed before"):
            await outbox.watch(parcel)


async def test_what_the_topic_does_not_take_is_refused_before_it_takes_a_place(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    broker.largest_bytes = 20_000
    await outbox.post(TOPIC, Record(b"", bytes(20_000)), an_id(1))
    with pytest.raises(MessageTooLarge, match=r"20001 bytes.* takes 20000"):
        await outbox.post(TOPIC, Record(b"", bytes(20_001)), an_id(2))
    assert outbox.in_flight == 1


async def test_a_topic_that_takes_less_than_it_did_gets_what_still_fits(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    await outbox.post(TOPIC, Record(b"", b"0"), an_id(0))
    await until(lambda: len(broker.batches) == 1)
    large = await outbox.post(TOPIC, Record(b"", bytes(20_000)), an_id(1))
    small = await outbox.post(TOPIC, Record(b"", b"2"), an_id(2))
    broker.acknowledge()
    await until(lambda: len(broker.batches) == 2)
    broker.largest_bytes = 18_000
    broker.refuse(MessageTooLarge())
    await until(lambda: len(broker.batches) == 3)
    broker.acknowledge()

    with pytest.raises(MessageTooLarge):
        await outbox.watch(large)
    await outbox.watch(small)
    assert broker.batches[2] == [b"2"]


async def test_a_topic_that_refuses_without_a_reason_is_not_asked_for_ever(
    outbox: Outbox, broker: ScriptedBroker
) -> None:
    parcel = await outbox.post(TOPIC, Record(b"", b"1"), an_id(1))
    await until(lambda: len(broker.batches) == 1)
    broker.refuse(MessageTooLarge())
    with pytest.raises(MessageTooLarge):
        await outbox.watch(parcel)
    assert len(broker.batches) == 1
