"""What a hostile or dying runtime can do to its channel: end a call, and nothing else."""

import array
import asyncio
import fcntl
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoker.driver import frames
from invoker.driver.channel import Channel
from invoker.driver.port import Answer, CannotStart, Died, Expired, Reply, Stream
from tests.fakes.runtimes import Log


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload) + 1) + kind + payload


def answer(body: bytes = b"{}", status: int = 200, flags: int = 0) -> bytes:
    return frame(b"A", struct.pack(">HB", status, flags) + body)


def log(text: bytes, stream: int = 1, time_ns: int = 7) -> bytes:
    return frame(b"L", struct.pack(">BQ", stream, time_ns) + text)


def hello(**more: object) -> bytes:
    return frame(b"H", json.dumps({"runtime": "test", "version": "1", **more}).encode())


class Runtime:
    """The other end of a channel, in this process: says what a test tells it to."""

    def __init__(self) -> None:
        self.theirs, self.socket = socket.socketpair()
        self.socket.setblocking(False)
        self.reads: list[int] = []
        self.pipes: list[int] = []
        for _ in Stream:
            read_end, write_end = os.pipe()
            self.reads.append(read_end)
            self.pipes.append(write_end)

    def say(self, data: bytes) -> None:
        assert self.socket.send(data) == len(data)

    def print(self, text: bytes, stream: Stream = Stream.STDOUT) -> None:
        os.write(self.pipes[stream - 1], text)

    async def next_call(self) -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        data = await loop.sock_recv(self.socket, 1 << 20)
        length = int.from_bytes(data[:4], "big")
        while len(data) < 4 + length:
            data += await loop.sock_recv(self.socket, 1 << 20)
        return data[4:5], data[5:]

    def close(self) -> None:
        self.socket.close()
        for fd in self.pipes:
            os.close(fd)
        self.pipes = []


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


@pytest.fixture
async def channel(runtime: Runtime) -> AsyncIterator[Channel]:
    channel = await Channel.open(runtime.theirs, *runtime.reads)
    yield channel
    channel.close()


async def call(
    channel: Channel, logs: Log | None = None, timeout_s: float = 5.0, limit: int = 1000
) -> Reply:
    sink = Log() if logs is None else logs
    return await channel.call(
        "run", b"{}", timeout_s=timeout_s, answer_limit_bytes=limit, logs=sink
    )


async def call_answered_with(channel: Channel, runtime: Runtime, data: bytes) -> Reply:
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel))
        await runtime.next_call()
        runtime.say(data)
    return calling.result()


async def test_hello_says_what_runs(channel: Channel, runtime: Runtime) -> None:
    runtime.say(hello(takes_descriptors=True))
    said = await channel.hello(5.0)
    assert (said.runtime, said.version, said.takes_descriptors) == ("test", "1", True)


@pytest.mark.parametrize("words", [frame(b"H", b"{"), frame(b"H", b"[]"), frame(b"Z"), None])
async def test_without_a_hello_nothing_starts(
    channel: Channel, runtime: Runtime, words: bytes | None
) -> None:
    if words is None:
        runtime.close()
    else:
        runtime.say(words)
    with pytest.raises(CannotStart):
        await channel.hello(5.0)


async def test_a_silent_runtime_does_not_start(channel: Channel) -> None:
    with pytest.raises(CannotStart, match="it said nothing"):
        await channel.hello(0.01)


async def test_a_call_goes_out_and_its_answer_comes_back(
    channel: Channel, runtime: Runtime
) -> None:
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel))
        assert await runtime.next_call() == (b"R", b"{}")
        runtime.say(answer(b'{"a":1}', 200, frames.MEMORY_EXHAUSTED))
    assert calling.result() == Answer(200, b'{"a":1}', 7, memory_exhausted=True)


async def test_an_answer_is_kept_up_to_its_limit_and_counted_beyond(
    channel: Channel, runtime: Runtime
) -> None:
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel, limit=10))
        await runtime.next_call()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(runtime.socket, answer(b"x" * 5_000_000))
    reply = calling.result()
    assert reply == Answer(200, b"x" * 10, 5_000_000)
    assert channel._reader.held_bytes == 0
    assert await call_answered_with(channel, runtime, answer(b"")) == Answer(200, b"", 0)


@pytest.mark.parametrize(
    "broken",
    [
        frame(b"Z", b"payload"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xffL",
        b"\x00\x00\x00\x00L",
        frame(b"L", b"short"),
        log(b"text", stream=3),
        log(b"x" * (frames.MAX_LOG_BYTES + 1)),
        frame(b"A", b"ab"),
        frame(b"H", b"x" * (frames.MAX_HELLO_BYTES + 1)),
        hello() + hello(),
    ],
)
async def test_a_broken_frame_is_a_death(channel: Channel, runtime: Runtime, broken: bytes) -> None:
    reply = await call_answered_with(channel, runtime, broken)
    assert isinstance(reply, Died)
    assert reply.how.startswith("broken frame ")
    assert await channel.wait_closed() == reply.how
    assert await call(channel) == reply


async def test_an_answer_that_nobody_asked_for_is_a_death(
    channel: Channel, runtime: Runtime
) -> None:
    runtime.say(answer())
    assert await channel.wait_closed() == "broken frame of type A, not expected"


async def test_a_second_answer_ends_the_channel_and_not_the_first(
    channel: Channel, runtime: Runtime
) -> None:
    reply = await call_answered_with(channel, runtime, answer(b"1") + answer(b"2"))
    assert reply == Answer(200, b"1", 1)
    assert isinstance(await call(channel), Died)


async def test_the_end_of_the_stream_is_a_death(channel: Channel, runtime: Runtime) -> None:
    logs = Log()
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel, logs))
        await runtime.next_call()
        runtime.print(b"last words\n", Stream.STDERR)
        runtime.close()
    assert calling.result() == Died("it ended")
    assert logs.stderr == "last words\n"


async def test_an_end_inside_a_frame_is_said_to_be_one(channel: Channel, runtime: Runtime) -> None:
    runtime.say(log(b"text")[:-1])
    runtime.close()
    assert (await channel.wait_closed()).startswith("broken frame: ")


async def test_a_call_that_takes_too_long_has_expired(channel: Channel, runtime: Runtime) -> None:
    logs = Log()
    runtime.say(log(b"of nobody"))
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel, logs, timeout_s=0.05))
        await runtime.next_call()
        runtime.say(log(b"printed"))
        runtime.print(b"by a child", Stream.STDERR)
    assert calling.result() == Expired()
    assert (logs.stdout, logs.stderr) == ("printed", "by a child")
    assert isinstance(await call(channel), Died)


async def test_a_cancelled_call_spends_the_channel(channel: Channel, runtime: Runtime) -> None:
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel))
        await runtime.next_call()
        calling.cancel()
    assert isinstance(await call(channel), Died)


async def test_what_comes_between_two_calls_is_in_no_log(
    channel: Channel, runtime: Runtime
) -> None:
    await call_answered_with(channel, runtime, answer())
    runtime.print(b"late")
    runtime.say(log(b"late as well"))
    logs = Log()
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel, logs))
        await runtime.next_call()
        runtime.print(b"mine ")
        runtime.say(log(b"and mine", time_ns=9))
        runtime.say(answer())
    assert calling.result() == Answer(200, b"{}", 2)
    assert logs.pieces == [(Stream.STDOUT, b"mine "), (Stream.STDOUT, b"and mine")]


async def test_nothing_written_before_the_answer_is_missed(
    channel: Channel, runtime: Runtime
) -> None:
    logs = Log()
    for fd in runtime.pipes:  # more than one turn of the loop takes
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel, logs))
        await runtime.next_call()
        runtime.print(b"x" * 300_000)
        runtime.print(b"y" * 300_000, Stream.STDERR)
        runtime.say(answer())
    assert isinstance(calling.result(), Answer)
    assert (len(logs.stdout), len(logs.stderr)) == (300_000, 300_000)


async def test_a_large_payload_waits_for_a_slow_reader(channel: Channel, runtime: Runtime) -> None:
    payload = os.urandom(1 << 16) * 128
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(
            channel.call("init", payload, timeout_s=5.0, answer_limit_bytes=10, logs=Log())
        )
        assert await runtime.next_call() == (b"I", payload)
        runtime.say(answer())
    assert calling.result() == Answer(200, b"{}", 2)


async def test_a_runtime_that_does_not_read_expires(channel: Channel) -> None:
    payload = bytes(8 << 20)
    reply = await channel.call("init", payload, timeout_s=0.05, answer_limit_bytes=1, logs=Log())
    assert reply == Expired()


async def test_an_early_answer_to_half_a_question_is_a_death(
    channel: Channel, runtime: Runtime
) -> None:
    runtime.say(hello())
    await channel.hello(5.0)
    runtime.say(b"\x00\x00\x00\x06A\x00\xc8\x00")
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(
            channel.call("init", bytes(8 << 20), timeout_s=5.0, answer_limit_bytes=1, logs=Log())
        )
        await asyncio.sleep(0)
        runtime.say(b"{}")
    assert calling.result() == Died("broken frame of type A, not expected")


async def test_a_call_after_a_background_process_brings_fresh_pipes(
    channel: Channel, runtime: Runtime
) -> None:
    runtime.say(hello(takes_descriptors=True))
    await channel.hello(5.0)
    await call_answered_with(channel, runtime, answer(flags=frames.OTHERS_ALIVE))
    logs = Log()
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel, logs))
        await asyncio.sleep(0)
        _, ancillary, _, _ = runtime.socket.recvmsg(1000, socket.CMSG_SPACE(8))
        fresh = array.array("i", ancillary[0][2])
        os.write(fresh[0], b"new out")
        os.write(fresh[1], b"new err")
        runtime.print(b"of the old activation")
        runtime.say(answer())
    assert isinstance(calling.result(), Answer)
    assert sorted(logs.pieces) == [(Stream.STDOUT, b"new out"), (Stream.STDERR, b"new err")]
    assert "2 old pipes" in repr(channel)
    runtime.close()
    for fd in fresh:
        os.close(fd)


async def test_old_pipes_are_forgotten_when_nobody_holds_them(
    channel: Channel, runtime: Runtime
) -> None:
    runtime.say(hello(takes_descriptors=True))
    await channel.hello(5.0)
    before = open_fds()
    for _ in range(100):  # each activation leaves a process that holds its pipes for ever
        await call_answered_with(channel, runtime, answer(flags=frames.OTHERS_ALIVE))
    assert open_fds() - before <= 2 * 40


async def test_close_lets_go_of_everything(runtime: Runtime) -> None:
    before = open_fds()
    channel = await Channel.open(runtime.theirs, *runtime.reads)
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(channel))
        await runtime.next_call()
        channel.close()
        channel.close()
    assert calling.result() == Died("closed")
    assert await channel.wait_closed() == "closed"
    assert open_fds() == before - 3


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


FRAMES = st.one_of(
    st.builds(
        lambda text, stream: log(text, stream), st.binary(max_size=50), st.sampled_from([1, 2])
    ),
    st.builds(answer, st.binary(max_size=50), st.integers(0, 65535), st.integers(0, 255)),
    st.builds(lambda body: frame(b"H", body), st.binary(max_size=50)),
)


@given(st.lists(FRAMES), st.lists(st.integers(1, 40)), st.integers(0, 60))
def test_how_bytes_are_cut_does_not_matter(sent: list[bytes], cuts: list[int], limit: int) -> None:
    data = b"".join(sent)
    whole = frames.FrameReader(limit).feed(data)
    assert len(whole) == len(sent)
    reader, pieces, at = frames.FrameReader(limit), [], 0
    for cut in [*cuts, len(data)]:
        pieces += reader.feed(data[at : at + cut])
        at += cut
    assert pieces == whole
    assert not reader.is_inside_frame
    assert reader.held_bytes == 0


@given(
    st.lists(
        st.one_of(st.binary(max_size=200), FRAMES, st.sampled_from([b"\0\0\xff\xffL", b"\xff" * 9]))
    ),
    st.integers(0, 20),
)
def test_garbage_is_refused_and_never_hoarded(chunks: list[bytes], limit: int) -> None:
    reader = frames.FrameReader(limit)
    try:
        for chunk in chunks:
            for found in reader.feed(chunk):
                if isinstance(found, frames.AnswerFrame):
                    assert len(found.body) == min(limit, found.size)
            assert reader.held_bytes <= frames.MAX_LOG_BYTES + 20 + limit
    except frames.BrokenFrame as error:
        assert str(error).startswith("of ")
