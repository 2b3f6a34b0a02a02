"""The second cold start of code that takes long to load begins with what the first has loaded."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import (
    GUEST_AUTH,
    RunningPlatform,
    running_platform,
    start,
    wait_ready,
)
from tests.fakes.traces import children_of, traces_of, wait_until

MADE: Final = 'brisk_pool_templates_total{template="made"}'
UNFIT: Final = 'brisk_pool_templates_total{template="unfit"}'
COPIES: Final = 'brisk_pool_templates_total{template="copied"}'
TEMPLATES: Final = 'brisk_pool_sandboxes{state="template"}'
LOAD_S: Final = 0.8
HEAVY: Final = f"""
import os, time
time.sleep({LOAD_S})
begun = time.time_ns()
def main(args):
    time.sleep(args.get("s", 0))
    return {{"begun": begun, "activation": os.environ["__OW_ACTIVATION_ID"], "pid": os.getpid()}}
"""
SETTINGS: Final = {"BRISK_CHECK_INVARIANTS": "true", "BRISK_POOL__TEMPLATE_INIT_MS": "200"}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[RunningPlatform]:
    with running_platform(tmp_path, settings=SETTINGS) as running:
        yield running


@pytest.fixture
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def called(api: Api, name: str, count: int, **arguments: Any) -> list[dict[str, Any]]:
    """Invoke an action that many times at once; return the records."""
    with ThreadPoolExecutor(count) as callers:
        answers = list(callers.map(lambda _: api.invoke(name, arguments), range(count)))
    assert [answer.status for answer in answers] == [200] * count, answers
    return [api.record(answer.body["activationId"]) for answer in answers]


def loaded(api: Api, name: str, code: str = HEAVY, **fields: Any) -> dict[str, Any]:
    """Have an action's code loaded, and a template made of it; return the first record."""
    before = api.metric(MADE)
    api.put_action(name, code, **fields)
    (first,) = called(api, name, 1)
    wait_until(lambda: api.metric(MADE) > before, "no template was made", within_s=10)
    return first


def init_ms(record: dict[str, Any]) -> float | None:
    """Return what loading took; None of a warm start."""
    found = [each["value"] for each in record["annotations"] if each["key"] == "initTime"]
    return float(found[0]) if found else None


def begun(records: list[dict[str, Any]]) -> set[int]:
    """Return when the code that answered had been loaded."""
    return {record["response"]["result"]["begun"] for record in records}


def test_cold_starts_begin_with_what_was_loaded_and_cost_what_they_took(api: Api) -> None:
    first = loaded(api, "heavy")

    records = called(api, "heavy", 4, s=0.4)

    cold = [record for record in records if init_ms(record) is not None]
    assert len(cold) >= 2
    assert api.metric(COPIES) == len(cold)
    first_ms = init_ms(first)
    assert first_ms is not None
    assert first_ms >= LOAD_S * 1000
    # On a busy machine a copy takes longer, but it never sleeps.
    assert min(init_ms(record) or 0 for record in cold) < LOAD_S * 1000 / 2
    assert len(begun(cold)) == 1
    for record in records:
        assert record["response"]["result"]["activation"] == record["activationId"]
        assert record["duration"] >= (init_ms(record) or 0) + 400
    usage = api.call("GET", "/api/brisk/v1/namespaces/_/usage").body["total"]
    whole = [
        api.call("GET", f"/api/brisk/v1/namespaces/_/activations/{each['activationId']}").body
        for each in (first, *records)
    ]
    assert usage["billed_ms"] == sum(each["billed_ms"] for each in whole)


def test_a_new_revision_begins_anew(api: Api) -> None:
    old = loaded(api, "heavy")
    new = loaded(api, "heavy", HEAVY + "# changed\n")

    wait_until(lambda: api.metric(TEMPLATES) == 1, "the outdated template stays")
    records = called(api, "heavy", 3, s=0.4)

    assert not begun(records) & begun([old])
    assert begun([new]) <= begun(records)


def test_other_parameters_of_init_are_not_shared(api: Api) -> None:
    code = HEAVY.replace("begun = ", 'secret = os.environ["SECRET"]\nbegun = ').replace(
        '"pid": os.getpid()', '"secret": secret'
    )
    secret = {"key": "SECRET", "value": "one", "init": True}
    loaded(api, "heavy", code, parameters=[secret])

    api.put_action("heavy", code, parameters=[{**secret, "value": "two"}])
    records = called(api, "heavy", 3, s=0.2)

    assert {record["response"]["result"]["secret"] for record in records} == {"two"}


@pytest.mark.parametrize(
    "fields", [{"annotations": [{"key": "template", "value": False}]}, {"kind": "nodejs:default"}]
)
def test_who_does_not_want_it_or_cannot_has_each_sandbox_load(
    api: Api, fields: dict[str, Any]
) -> None:
    code = HEAVY
    if "kind" in fields:
        code = f"""
            const until = Date.now() + {LOAD_S * 1000};
            while (Date.now() < until);
            const begun = process.hrtime.bigint().toString();
            const wait = (s) => new Promise((done) => setTimeout(done, s * 1000));
            async function main({{s}}) {{ await wait(s || 0); return {{begun}}; }}"""
    api.put_action("heavy", code, **fields)
    called(api, "heavy", 1)

    records = called(api, "heavy", 2, s=0.2)

    assert len(begun(records)) == 2
    assert api.metric(MADE) == api.metric(UNFIT) == 0


def test_code_that_keeps_a_thread_is_loaded_by_each_sandbox(api: Api) -> None:
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    api.put_action("heavy", code + HEAVY)
    called(api, "heavy", 1)
    wait_until(lambda: api.metric(UNFIT) == 1, "nobody has tried", within_s=10)

    records = called(api, "heavy", 2, s=0.4)

    assert len(begun(records)) == 2
    assert api.metric(COPIES) == 0
    assert api.metric(UNFIT) == 1, "it is not tried again"


def test_a_template_that_is_killed_means_a_cold_start_like_any_other(
    platform: RunningPlatform, api: Api
) -> None:
    loaded(api, "heavy")
    for pid in _stopped_below(platform.process.pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: api.metric(TEMPLATES) == 0, "its death is not noticed")

    records = called(api, "heavy", 3, s=0.4)

    assert len(begun(records)) > 1


def test_a_kill_of_the_platform_leaves_no_template(tmp_path: Path) -> None:
    process = start(tmp_path / "data", settings=SETTINGS)
    try:
        api = Api(wait_ready(process), GUEST_AUTH)
        loaded(api, "heavy")
        called(api, "heavy", 3, s=0.2)
        traces = traces_of(process.pid)
        process.kill()
        process.communicate(timeout=15)
        wait_until(lambda: not any("process" in each for each in traces.left()), "something runs")
        process = start(tmp_path / "data", settings=SETTINGS)
        wait_ready(process)
        wait_until(lambda: not _groups(traces.left()), "groups of the dead are left")
        process.terminate()
        assert process.wait(20) == 0
        assert traces.left() == []
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _groups(left: list[str]) -> list[str]:
    """Return the groups of sandboxes among *left*; that of the platform itself is in use again."""
    return [each for each in left if "/i0-" in each]


def _stopped_below(pid: int) -> list[int]:
    """Return the processes that are stopped by who traces them: templates and their twins."""
    found = []
    for child in children_of(pid):
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        found += [child] if state == "t" else _stopped_below(child)
    return found
