"""One request becomes one activation: what is sent, who waits, and what a cancelled call leaves."""

import asyncio
from dataclasses import replace

import pytest

from common.bus.memory import MemoryBus
from common.bus.port import BusUnavailable, Message, MessageTooLarge
from common.clock import SystemClock
from common.codec import decode, encode
from common.entity.action import Action, Parameter
from common.entity.activation import ActivationRecord, Response, Status
from common.entity.identity import Identity
from common.errors import ArgumentsTooBig
from common.ids import ControllerId, InvokerId, Namespace, Subject, TransId
from common.message import topics
from common.message.activation import ActivationMessage
from common.message.topics import Topic
from controller.balance.inflight import InFlight
from controller.balance.port import NoCapacity
from controller.balance.single import SingleInvoker
from controller.invoke.action import ENVELOPE_BYTES, ActionInvoker
from controller.invoke.invocation import Accepted, Finished, Invocation, Invoked
from controller.invoke.resolve import Resolved
from invoker.record import of_failure
from tests.fakes.jobs import an_action
from tests.fakes.running_api import MemoryBlobs

GUEST = Identity(
    subject=Subject("guest"),
    namespace=Namespace("guest"),
    uuid="u-1",
    invocations_per_minute=10,
    firings_per_minute=10,
    concurrent_invocations=10,
)
MAX_PAYLOAD_BYTES = 100
NO_KEY = {"provide-api-key": False}


class Keys:
    async def api_key(self, uuid: str) -> str:
        await asyncio.sleep(0)
        return f"{uuid}:secret"


class HesitantBus(MemoryBus):
    """Gives way once before each thing that it is asked for, as a bus over a network does."""

    largest_bytes = 1 << 20

    async def send(self, topic: Topic, message: Message, *, durable: bool) -> None:
        await asyncio.sleep(0)
        if isinstance(message, ActivationMessage):
            handed_on = message.payload + encode(dict(message.init_env))
            if len(handed_on) > self.largest_bytes:
                raise MessageTooLarge
        await super().send(topic, message, durable=durable)

    async def secure(self, message: ActivationMessage) -> None:
        await asyncio.sleep(0)
        await super().secure(message)


class Controller:
    """The controller's side of an invocation, with a bus that nobody listens to."""

    def __init__(self, capacity: int = 10) -> None:
        self.bus = HesitantBus(None, capacity=capacity)
        self.inflight = InFlight()
        self.blobs = MemoryBlobs()
        self.is_healthy = True
        self.invoker = ActionInvoker(
            ControllerId(0),
            bus=self.bus,
            balancer=SingleInvoker(self.bus, InvokerId(0), lambda: self.is_healthy),
            inflight=self.inflight,
            keys=Keys(),
            blobs=self.blobs,
            clock=SystemClock(),
            max_payload_bytes=MAX_PAYLOAD_BYTES,
        )

    async def invoke(
        self, action: Action, payload: bytes | None = None, *, blocking: bool, wait_ms: int = 60_000
    ) -> Invoked:
        return await self.invoker.invoke(
            Invocation(
                identity=GUEST,
                meant=Resolved(action),
                payload=payload,
                transid=TransId("t"),
                received_ms=1,
                wait_ms=wait_ms if blocking else None,
            )
        )

    async def sent(self) -> ActivationMessage:
        delivery = await anext(aiter(self.bus.receive(topics.invoker(InvokerId(0)))))
        assert isinstance(delivery.message, ActivationMessage)
        return delivery.message


def ended(message: ActivationMessage) -> ActivationRecord:
    response = Response(status=Status.WHISK_ERROR, result=b'{"error":"x"}')
    return of_failure(message, response, now_ms=2)


def an(action: Action, **annotations: object) -> Action:
    return replace(action, annotations=NO_KEY | annotations)


async def test_a_call_that_does_not_wait_is_accepted_when_it_is_sent() -> None:
    controller = Controller()
    outcome = await controller.invoke(an(an_action()), b'{"a":1}', blocking=False)
    message = await controller.sent()
    assert outcome == Accepted(message.activation_id)
    assert (message.payload, message.api_key, message.blocking) == (b'{"a":1}', None, False)
    assert len(controller.inflight) == 1


async def test_a_call_that_waits_gets_the_record() -> None:
    controller = Controller()
    call = asyncio.ensure_future(controller.invoke(an(an_action()), blocking=True))
    message = await controller.sent()
    record = ended(message)
    controller.inflight.complete(message.activation_id, record)
    assert await call == Finished(record)


async def test_a_wait_that_is_over_leaves_the_activation_under_way() -> None:
    controller = Controller()
    outcome = await controller.invoke(an(an_action()), blocking=True, wait_ms=1)
    assert isinstance(outcome, Accepted)
    assert controller.inflight.count(Namespace("guest")) == 1
    assert controller.inflight.complete(outcome.activation_id, None)


async def test_a_full_bus_accepts_nothing_and_holds_nothing() -> None:
    controller = Controller(capacity=1)
    await controller.invoke(an(an_action()), blocking=False)
    with pytest.raises(BusUnavailable):
        await controller.invoke(an(an_action()), blocking=True)
    assert len(controller.inflight) == 1


@pytest.mark.parametrize("blocking", [False, True])
async def test_arguments_that_are_too_large_for_the_bus_are_left_with_the_store(
    blocking: bool,
) -> None:
    controller = Controller()
    controller.bus.largest_bytes = 50
    payload = b'{"text":"%b"}' % (b"x" * 50)
    call = asyncio.ensure_future(controller.invoke(an(an_action()), payload, blocking=blocking))
    message = await controller.sent()

    assert message.payload == b"{}"
    assert message.payload_ref is not None
    assert await controller.blobs.get(message.payload_ref) == payload
    assert controller.inflight.complete(message.activation_id, ended(message))
    await call


@pytest.mark.parametrize("blocking", [False, True])
async def test_initial_parameters_that_are_too_large_for_the_bus_go_the_same_way(
    blocking: bool,
) -> None:
    controller = Controller()
    controller.bus.largest_bytes = 50
    text = '"' * 40  # which takes twice its length in a message
    action = replace(an(an_action()), parameters=(Parameter("model", text, init=True),))
    call = asyncio.ensure_future(controller.invoke(action, b'{"n":1}', blocking=blocking))
    message = await controller.sent()

    assert (message.payload, message.init_env) == (b"{}", {})
    assert message.payload_ref is not None
    assert message.init_env_ref is not None
    assert await controller.blobs.get(message.payload_ref) == b'{"n":1}'
    assert decode(await controller.blobs.get(message.init_env_ref)) == {"model": text}
    assert controller.inflight.complete(message.activation_id, ended(message))
    await call


@pytest.mark.parametrize("blocking", [False, True])
async def test_an_invoker_that_is_ill_is_sent_nothing(blocking: bool) -> None:
    controller = Controller()
    controller.is_healthy = False
    with pytest.raises(NoCapacity):
        await controller.invoke(an(an_action()), blocking=blocking)
    assert len(controller.inflight) == 0
    assert controller.bus.depth(topics.invoker(InvokerId(0))) == 0
    controller.is_healthy = True
    assert isinstance(await controller.invoke(an(an_action()), blocking=False), Accepted)


async def test_a_cancelled_wait_does_not_cancel_the_activation() -> None:
    controller = Controller()
    call = asyncio.ensure_future(controller.invoke(an(an_action()), blocking=True))
    message = await controller.sent()
    call.cancel()
    await asyncio.wait([call])
    assert controller.inflight.complete(message.activation_id, ended(message))


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_call_cancelled_at_any_turn_leaves_under_way_what_was_sent(
    *, blocking: bool
) -> None:
    reached = set()
    for turns in range(10):
        controller = Controller()
        action = an(an_action(), **{"provide-api-key": True})
        call = asyncio.ensure_future(controller.invoke(action, blocking=blocking, wait_ms=0))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        sent = controller.bus.depth(topics.invoker(InvokerId(0)))
        assert len(controller.inflight) == sent, f"after {turns} turns"
        reached.add((sent, call.cancelled()))
    assert reached >= {(0, True), (1, False)}, "before it was sent, and after its end"


@pytest.mark.parametrize("init", [False, True])
async def test_arguments_that_are_too_big_together_are_refused_and_hold_nothing(init: bool) -> None:
    room = MAX_PAYLOAD_BYTES + ENVELOPE_BYTES
    frame = len("{}p") if init else len('{"p":""}')
    controller = Controller()

    async def invoke(value: str) -> Accepted | Finished:
        bound = (Parameter("p", value, init=init),)
        action = replace(an(an_action()), parameters=bound)
        return await controller.invoke(action, b"{}", blocking=False)

    assert isinstance(await invoke("ä" + "x" * (room - frame - 2)), Accepted)
    with pytest.raises(ArgumentsTooBig, match="The request content is larger than the server"):
        await invoke("ä" + "x" * (room - frame - 1))
    assert len(controller.inflight) == 1


async def test_bound_parameters_are_under_the_payload_and_init_ones_beside_it() -> None:
    controller = Controller()
    bound = (Parameter("a", 1), Parameter("b", 2), Parameter("secret", {"k": None}, init=True))
    action = replace(an(an_action()), parameters=bound)
    await controller.invoke(action, b'{"b":3,"secret":"mine"}', blocking=False)
    message = await controller.sent()
    assert decode(message.payload) == {"a": 1, "b": 3}
    assert message.init_env == {"secret": "mine"}


@pytest.mark.parametrize(
    ("annotations", "key"),
    [({}, "u-1:secret"), ({"provide-api-key": True}, "u-1:secret"), (NO_KEY, None)],
)
async def test_only_an_action_that_asks_for_the_key_gets_it(
    annotations: dict[str, object], key: str | None
) -> None:
    controller = Controller()
    await controller.invoke(replace(an_action(), annotations=annotations), blocking=False)
    message = await controller.sent()
    assert message.api_key == key
    assert "secret" not in repr(message)
