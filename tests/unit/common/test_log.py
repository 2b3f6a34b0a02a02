"""The log: one line per event, nothing secret in it, and nobody waits for it."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from common import log, metrics
from common.ids import TransId
from common.log_buffer import LogBuffer
from tests.fakes.clock import FakeClock

UUID = "a1b2c3d4-0000-4000-8000-0123456789ab"
KEY = f"{UUID}:{'k3Y' * 21}x"


class LogFile(io.BytesIO):
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def file() -> Iterator[LogFile]:
    file = LogFile()
    with log.set_up("info", file, FakeClock(1_795_000_000_123)):
        yield file


def written(file: LogFile) -> LogFile:
    """Wait until everything logged so far is in *file*: an urgent line takes the others along."""
    log.logger("test").error("end_of_test")
    for _ in range(1000):
        if b"end_of_test" in file.getvalue():
            return file
        threading.Event().wait(0.005)
    raise AssertionError("the log was not written within five seconds")


def test_an_event_is_one_json_line_with_time_level_part_and_fields(file: LogFile) -> None:
    log.logger("invoker.pool").info("sandbox_died", how="exit 1\nor so", memory_mb=256)
    assert written(file).lines()[0] == {
        "time": "2026-11-18T11:06:40.123Z",
        "level": "info",
        "part": "invoker.pool",
        "event": "sandbox_died",
        "how": "exit 1\nor so",
        "memory_mb": 256,
    }


def test_what_is_less_grave_than_the_level_is_not_written(file: LogFile) -> None:
    log.logger("x").debug("whisper")
    assert [line["event"] for line in written(file).lines()] == ["end_of_test"]


async def test_the_transaction_is_named_in_the_tasks_it_starts(file: LogFile) -> None:
    async def work() -> None:
        log.logger("x").info("worked")

    with log.transaction(TransId("t-1")):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work())
    log.logger("x").info("rested")
    log.logger("x").info("bound", transid="t-2")
    transids = {line["event"]: line.get("transid") for line in written(file).lines()}
    assert transids == {"worked": "t-1", "rested": None, "bound": "t-2", "end_of_test": None}


@pytest.mark.parametrize(
    "fields",
    [
        {"text": f"the key is {KEY}!"},
        {"api_key": KEY.split(":")[1]},
        {"Authorization": "whatever it is"},
        {"headers": {"AUTHORIZATION": ["Basic", KEY.split(":")[1]]}},
        {"headers": [("accept", "Basic " + KEY.split(":")[1])]},
        {"where": "proxy said: bearer " + KEY.split(":")[1]},
        {"nested": {"deep": [{"er": KEY}]}},
        {"thing": type("Thing", (), {"__repr__": lambda _: f"<Thing {KEY}>"})()},
        {"raw": KEY.encode()},
        {("strange", "key"): 1, "text": KEY},
    ],
)
def test_no_secret_reaches_the_log(file: LogFile, fields: dict[Any, Any]) -> None:
    log.logger("x").info(
        "asked", **{"fields": fields}, **{k: v for k, v in fields.items() if type(k) is str}
    )
    text = written(file).getvalue().decode()
    assert '"event":"asked"' in text or "not_rendered" in text
    assert KEY.split(":")[1] not in text
    assert "whatever it is" not in text


def test_a_traceback_is_in_the_line_and_its_secrets_are_not(file: LogFile) -> None:
    try:
        raise ValueError(f"cannot use {KEY}")
    except ValueError:
        log.logger("x").exception("failed")
    line = written(file).lines()[0]
    assert line["level"] == "error"
    assert f"ValueError: cannot use {log.MASK}" in line["exception"]


def test_a_value_that_json_cannot_hold_does_not_raise(file: LogFile) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    log.logger("x").info("odd", a=object, b=b"\xff", c="\ud800", d={1: {2}})
    log.logger("x").info("cyclic", cycle=cycle)
    events = [line["event"] for line in written(file).lines()]
    assert events == ["odd", "not_rendered", "end_of_test"]


def test_what_libraries_log_becomes_a_line(file: LogFile) -> None:
    logging.getLogger("asyncio").error("Task %s was lost", "7")
    line = written(file).lines()[0]
    assert (line["part"], line["event"], line["text"]) == (
        "asyncio",
        "library_says",
        "Task 7 was lost",
    )


def test_a_second_platform_gets_its_own_lines() -> None:
    early, part = LogFile(), log.logger("kept.from.before")
    with log.set_up("info", early, FakeClock(1_795_000_000_123)):
        part.info("first")
    late = LogFile()
    with log.set_up("info", late, FakeClock(1_795_000_000_123)):
        part.info("second")
    assert [[line["event"] for line in file.lines()] for file in (early, late)] == [
        ["first"],
        ["second"],
    ]


class StuckFile(io.BytesIO):
    """A pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.release = threading.Event(), threading.Event()

    def write(self, data: Any) -> int:
        self.reached.set()
        self.release.wait(10)
        return super().write(data)


def test_a_stuck_file_stops_nobody_and_what_does_not_fit_is_counted() -> None:
    lost: list[int] = []
    file = StuckFile()
    buffer = LogBuffer(file, dropped=lost.append, capacity_bytes=10)
    buffer.write(b"first\n", urgent=True)
    assert file.reached.wait(5)
    for line in (b"1234\n", b"5678\n", b"9\n", b"0\n"):
        buffer.write(line)
    assert sum(lost) == 2
    file.release.set()
    buffer.close()
    assert file.getvalue() == b"first\n1234\n5678\n"


def test_lines_after_the_end_and_lines_of_a_full_disk_are_counted() -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    lost: list[int] = []
    buffer = LogBuffer(FullDisk(), dropped=lost.append)
    buffer.write(b"one\n")
    buffer.write(b"two\n")
    buffer.close()
    assert sum(lost) == 2
    buffer.write(b"three\n")
    assert sum(lost) == 3


def test_dropped_lines_are_a_metric() -> None:
    before = _dropped()
    file = LogFile()
    with log.set_up("info", file, FakeClock(1_795_000_000_123)):
        file.close()
        log.logger("x").info("lost")
    assert _dropped() == before + 1


def _dropped() -> float:
    return metrics.REGISTRY.get_sample_value("brisk_log_dropped_lines_total") or 0.0
