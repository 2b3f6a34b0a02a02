"""Tests as a user of the plugin writes them; run by `tests/system/test_plugin.py`."""

from pathlib import Path
from typing import Any

import pytest

from cli.failures import Failure
from cli.testing import Brisk
from common.settings import Settings, ThrottleSettings


@pytest.fixture(scope="session")
def brisk_settings() -> Settings:
    return Settings(throttle=ThrottleSettings(invocations_per_minute=20))


def greet(args: dict[str, Any]) -> dict[str, Any]:
    print("greeted")  # noqa: T201
    return {"greeting": f"{args['word']} {args['name']}"}


def test_a_function(brisk: Brisk) -> None:
    assert brisk.deploy(greet, parameters={"word": "Hello"}) == "greet"
    done = brisk.invoke("greet", {"name": "Ada"})
    assert (done.result, done.logs, done.status) == (
        {"greeting": "Hello Ada"},
        ["greeted"],
        "success",
    )
    failed = brisk.invoke("greet")
    assert failed.status == "application error"
    assert failed.result["error"]


def test_files_and_folders(brisk: Brisk, tmp_path: Path) -> None:
    (tmp_path / "js.js").write_text("const own = () => ({n: 1}); exports.own = own\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text("def main(args):\n    return {'n': 2}\n")
    assert brisk.invoke(brisk.deploy(tmp_path / "app")).result == {"n": 2}
    assert brisk.deploy(tmp_path / "js.js", "other", main="own") == "other"
    assert brisk.invoke("other").result == {"n": 1}


def test_each_test_begins_with_nothing(brisk: Brisk) -> None:
    with pytest.raises(Failure, match="does not exist"):
        brisk.invoke("greet")


def test_a_minute_takes_no_minute(brisk: Brisk) -> None:
    brisk.clock.advance(60)
    brisk.deploy(greet, parameters={"word": "Hello", "name": "you"})
    first = brisk.invoke("greet")
    for _ in range(19):
        brisk.client.invoke(_named("greet"), {}, blocking=False, result=False)
    with pytest.raises(Failure) as refused:
        brisk.invoke("greet")
    assert refused.value.status == 429
    brisk.clock.advance(60)
    later = brisk.invoke("greet")
    assert later.record["start"] - first.record["start"] >= 60_000
    with pytest.raises(ValueError, match="put back"):
        brisk.clock.advance(-1)


def test_while_the_clock_stands_time_passes_as_the_test_says(brisk: Brisk) -> None:
    brisk.deploy(greet, parameters={"word": "Hello", "name": "you"})
    brisk.clock.advance(60)
    with brisk.clock.stopped():
        first = brisk.invoke("greet")
        brisk.clock.advance(1.5)
        later = brisk.invoke("greet")
        assert later.record["start"] - first.record["start"] == 1500
        assert (first.record["duration"], later.record["duration"]) == (0, 0)
        before_ns, before_s = brisk.clock.now_ns(), brisk.clock.elapsed_s()
        brisk.clock.stop()
        assert (brisk.clock.now_ns(), brisk.clock.elapsed_s()) == (before_ns, before_s)
    assert 0 <= brisk.clock.elapsed_s() - before_s < 60, "it goes on from where it stood"
    assert brisk.clock.now_ns() - before_ns < 60 * 10**9
    brisk.clock.stop()


def test_a_clock_that_a_test_left_standing_goes_again(brisk: Brisk) -> None:
    began_s = brisk.clock.elapsed_s()
    while brisk.clock.elapsed_s() == began_s:
        assert brisk.invoke(brisk.deploy(greet), {"word": "a", "name": "b"}).status == "success"


def _named(name: str) -> Any:
    from cli.names import parse_entity

    return parse_entity(name)
