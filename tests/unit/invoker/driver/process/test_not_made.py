"""Why a clone was not made: of one that was killed meanwhile, that it was killed."""

import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from invoker.driver.process.inside import kernel
from invoker.driver.process.inside.zygote import Zygote

PROBLEM = PermissionError(13, "Permission denied")


class Telling(Zygote):
    """A zygote that clones nothing, and keeps what it would tell the platform."""

    def __init__(self, pids: dict[int, int]) -> None:
        self._pids = pids
        self.told: list[dict[str, object]] = []

    def report(self, *_: int, **message: object) -> None:
        self.told.append(message)


@pytest.fixture
def clone() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_one_that_was_killed_is_told_to_have_ended(clone: Any) -> None:
    telling = Telling({7: clone.pid})
    clone.send_signal(signal.SIGKILL)
    telling._tell(7, clone.pid, PROBLEM)
    ended = {"child": 7, "exit": signal.SIGKILL.value}
    assert telling.told == [{"child": 7, "pid": clone.pid}, ended]
    assert telling._pids == {}, "its number may be another's from now on"


def test_one_that_stays_holds_up_nobody(clone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_LEAVES_S", 0.05)
    began_s = time.monotonic()
    telling = Telling({})
    telling._tell(7, clone.pid, PROBLEM)
    assert telling.told == [{"child": 7, "failed": str(PROBLEM)}]
    assert time.monotonic() - began_s < 5


def test_what_was_never_cloned_is_told_with_its_reason() -> None:
    telling = Telling({})
    telling._tell(7, -1, PROBLEM)
    assert telling.told == [{"child": 7, "failed": str(PROBLEM)}]
