"""What goes to a broker and comes back is what Kafka's protocol says, as aiokafka has it."""

from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.api import RequestHeader_v1
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11, FetchResponse_v11
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

from common.bus import kafka_wire
from common.bus.kafka_wire import Fetched, MalformedAnswer, Produced

TOPIC = "brisk-invoker\N{LATIN SMALL LETTER E WITH ACUTE}0"


def test_a_request_to_fetch_is_kafkas() -> None:
    wanted = FetchRequest(500, 1, 2000, 0, [(TOPIC, [(0, 1 << 40, 2000)])])
    ours = kafka_wire.fetch(TOPIC, 1 << 40, wait_ms=500, most_bytes=2000)
    assert ours == wanted.build(FetchRequest_v11).encode()


def test_a_request_to_produce_is_kafkas() -> None:
    wanted = ProduceRequest_v7(None, -1, 10_000, [(TOPIC, [(0, b"batch")])])
    assert kafka_wire.produce(TOPIC, b"batch", timeout_ms=10_000) == wanted.encode()


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        (kafka_wire.FETCH, FetchRequest_v11(-1, 0, 0, 0, 0, 0, -1, [], [], "")),
        (kafka_wire.PRODUCE, ProduceRequest_v7(None, -1, 0, [])),
    ],
    ids=["fetch", "produce"],
)
def test_a_request_is_framed_as_kafka_wants_it(call: tuple[int, int], request_: Any) -> None:
    head = RequestHeader_v1(request_, correlation_id=77, client_id="brisk").encode()
    body = request_.encode()
    framed = kafka_wire.framed(call, 77, body)
    assert framed == (len(head) + len(body)).to_bytes(4, "big") + head + body


@pytest.mark.parametrize("aborted", [None, [], [(1, 2), (3, 4)]], ids=["null", "none", "two"])
def test_what_was_fetched_is_read(aborted: list[tuple[int, int]] | None) -> None:
    place = (0, 0, 9, 8, 1, aborted, -1, b"batches")
    answer = bytes(FetchResponse_v11(0, 0, 0, [(TOPIC, [place])]).encode())
    assert kafka_wire.fetched(answer) == Fetched(0, 9, b"batches")


def test_nothing_may_have_been_fetched() -> None:
    answer = bytes(
        FetchResponse_v11(0, 0, 0, [(TOPIC, [(0, 1, -1, -1, -1, [], -1, None)])]).encode()
    )
    assert kafka_wire.fetched(answer) == Fetched(1, -1, b"")


def test_a_broker_that_refuses_a_request_whole_is_understood() -> None:
    answer = bytes(FetchResponse_v11(0, 70, 0, []).encode())
    assert kafka_wire.fetched(answer) == Fetched(70, -1, b"")


def test_what_became_of_a_batch_is_read() -> None:
    answer = bytes(ProduceResponse_v7([(TOPIC, [(0, 10, 1 << 40, -1, 0)])], 0).encode())
    assert kafka_wire.produced(answer) == Produced(10, 1 << 40)


@pytest.mark.parametrize("read", [kafka_wire.fetched, kafka_wire.produced])
@pytest.mark.parametrize("answer", [b"", bytes(3), bytes(16)], ids=len)
def test_half_an_answer_is_none(read: Any, answer: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read(answer)


def test_a_request_is_read_by_others_as_it_was_meant() -> None:
    body = kafka_wire.produce(TOPIC, b"batch", timeout_ms=1)
    assert ProduceRequest_v7.decode(BytesIO(body)).topics == [(TOPIC, [(0, b"batch")])]
