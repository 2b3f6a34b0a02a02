"""A stranger's log is its activation's: complete before the call returns, or said to be not."""

import asyncio
from typing import cast

import pytest

from invoker.driver.docker import voices
from invoker.driver.docker.attach import Attachment
from invoker.driver.docker.sentinel import FAILURE_TEXT, MARKER
from invoker.driver.docker.voices import HttpVoice
from invoker.driver.http_channel import HttpChannel
from invoker.driver.port import Answer, Operation, Reply, Stream

OK = Answer(200, b"{}", 2)


class Script:
    """Stands for the HTTP channel and the attached stream: prints while it answers."""

    def __init__(self, reply: Reply, *printed: tuple[Stream, bytes], later: bool = False) -> None:
        self.reply = reply
        self.printed = printed
        self.later = later
        self.take = voices._drop
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def call(
        self, operation: Operation, payload: bytes, *, timeout_s: float, answer_limit_bytes: int
    ) -> Reply:
        if self.later:
            asyncio.get_running_loop().call_later(0.02, self.print)
        else:
            self.print()
        return self.reply

    def print(self) -> None:
        for stream, text in self.printed:
            self.take(stream, text)


class Text:
    """A `LogSink` that keeps the bytes."""

    def __init__(self) -> None:
        self.of = {Stream.STDOUT: b"", Stream.STDERR: b""}

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        self.of[stream] += text


def voice(script: Script, *, is_sentinelled: bool = True) -> HttpVoice:
    return HttpVoice(
        cast(HttpChannel, script), cast(Attachment, script), is_sentinelled=is_sentinelled
    )


async def run(speaker: HttpVoice, operation: Operation = "run") -> Text:
    text = Text()
    await speaker.call(operation, b"", timeout_s=1, answer_limit_bytes=10, logs=text)
    return text


MARKS = ((Stream.STDOUT, MARKER + b"\n"), (Stream.STDERR, MARKER + b"\n"))


async def test_a_run_returns_when_both_marks_have_come() -> None:
    script = Script(OK, (Stream.STDOUT, b"late\n"), *MARKS, later=True)
    assert (await run(voice(script))).of == {Stream.STDOUT: b"late\n", Stream.STDERR: b""}


async def test_a_log_without_an_end_says_so_and_spoils_the_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(voices, "QUIET_S", 0.02)
    speaker = voice(Script(OK, (Stream.STDOUT, b"half"), MARKS[1]))

    text = await run(speaker)

    assert text.of == {Stream.STDOUT: b"half", Stream.STDERR: FAILURE_TEXT.encode() + b"\n"}
    async with asyncio.timeout(1):
        assert await speaker.wait_closed() == "the end of a log did not come"


async def test_an_endless_log_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "LOG_S", 0.05)
    script = Script(OK)
    text = Text()
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(
            voice(script).call("run", b"", timeout_s=1, answer_limit_bytes=10, logs=text)
        )
        while not calling.done():
            script.take(Stream.STDOUT, b".")
            await asyncio.sleep(0.005)

    assert FAILURE_TEXT.encode() in text.of[Stream.STDERR]


@pytest.mark.parametrize(
    ("reply", "is_sentinelled"), [(Answer(502, b"{}", 2), True), (OK, False)], ids=["failed", "any"]
)
async def test_where_no_end_is_promised_none_is_waited_for(
    reply: Reply, is_sentinelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "QUIET_S", 60)
    speaker = voice(Script(reply, (Stream.STDERR, b"why\n")), is_sentinelled=is_sentinelled)

    async with asyncio.timeout(5):
        assert (await run(speaker)).of == {Stream.STDOUT: b"", Stream.STDERR: b"why\n"}


async def test_what_loading_prints_late_belongs_to_the_first_run() -> None:
    script = Script(OK)
    speaker = voice(script)
    await run(speaker, "init")
    script.take(Stream.STDOUT, b"loaded\n")
    script.printed = ((Stream.STDOUT, b"ran\n"), *MARKS)

    assert (await run(speaker)).of[Stream.STDOUT] == b"loaded\nran\n"

    script.take(Stream.STDOUT, b"after the run\n")
    assert (await run(speaker)).of[Stream.STDOUT] == b"ran\n"


async def test_what_is_held_between_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "MAX_HELD_BYTES", 10)
    script = Script(OK, *MARKS)
    speaker = voice(script)
    for _ in range(5):
        script.take(Stream.STDOUT, b"1234")

    assert (await run(speaker)).of[Stream.STDOUT] == b"1234123412"


async def test_nobody_pays_for_the_wait_for_a_log() -> None:
    speaker = voice(Script(OK, *MARKS, later=True))

    reply = await speaker.call("run", b"", timeout_s=1, answer_limit_bytes=10, logs=Text())

    assert isinstance(reply, Answer)
    assert reply.extra_ns >= 15_000_000
