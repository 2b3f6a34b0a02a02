"""Every limit holds at its bound and not one beyond it, through the real API.

Sizes are exact: what is as large as it may be passes both ways, what is one byte larger is refused
or cut, in OpenWhisk's words.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Answered, Api
from tests.fakes.embedded import RunningPlatform, running_platform
from tests.fakes.traces import wait_until

MB = 1 << 20
ECHO = "def main(a): return a"
SLEEPS = "import time\ndef main(a):\n time.sleep(a['s'])\n return a"
SMALL = {"BRISK_POOL__MEMORY_MB": "512", "BRISK_POOL__MAX_WAITING": "4"}
WAITING = "brisk_pool_waiting_activations"
BUSY = 'brisk_pool_sandboxes{state="busy"}'


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def put(api: Api, **fields: Any) -> Answered:
    body = {"exec": {"kind": "python:default", "code": ECHO}, **fields}
    return api.call("PUT", "actions/limited?overwrite=true", body)


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        ("timeout", 100, None),
        ("timeout", 99, "duration 99 milliseconds below allowed threshold of 100 milliseconds"),
        ("timeout", 300_000, None),
        (
            "timeout",
            300_001,
            "duration 300001 milliseconds exceeds allowed threshold of 300000 milliseconds",
        ),
        ("memory", 128, None),
        ("memory", 127, "memory size 127 MB below allowed threshold of 128 MB"),
        ("memory", 512, None),
        ("memory", 513, "memory size 513 MB exceeds allowed threshold of 512 MB"),
        ("logs", 0, None),
        ("logs", 10, None),
        ("logs", 11, "log size 11 MB exceeds allowed threshold of 10 MB"),
        ("concurrency", 1, None),
        ("concurrency", 0, "concurrency 0 below allowed threshold of 1"),
        ("concurrency", 2, "concurrency 2 exceeds allowed threshold of 1"),
    ],
)
def test_a_limit_of_an_action(api: Api, limit: str, value: int, text: str | None) -> None:
    answer = put(api, limits={limit: value})
    if text is None:
        assert (answer.status, answer.body["limits"][limit]) == (200, value)
        assert api.invoke("limited", {"p": 1}).body["response"]["result"] == {"p": 1}
    else:
        assert answer.status == 400
        assert answer.body["error"] == f"requirement failed: {text}"


def test_code_of_48_mb_and_one_byte_more(api: Api) -> None:
    begin = "def main(a): return {'size': len(open(__file__).read())}\n#"
    most = 48 * MB
    code = begin + "x" * (most - len(begin))
    too_large = put(api, exec={"kind": "python:default", "code": code + "x"})
    assert too_large.status == 413
    assert too_large.body["error"] == f"exec larger than allowed: {most + 1} > {most} bytes."
    largest = put(api, exec={"kind": "python:default", "code": code}, limits={"memory": 512})
    assert largest.status == 200
    assert api.call("GET", "actions/limited").body["exec"]["code"] == code


@pytest.mark.parametrize("field", ["parameters", "annotations"])
def test_a_megabyte_of_parameters_or_annotations(api: Api, field: str) -> None:
    def sized(size: int) -> list[dict[str, str]]:
        return [{"key": "p", "value": "x" * (size - len('p""'))}]

    assert put(api, **{field: sized(MB)}).status == 200
    refused = put(api, **{field: sized(MB + 1)})
    assert refused.status == 413
    assert refused.body["error"] == f"{field} larger than allowed: {MB + 1} > {MB} bytes."


def payload(size: int) -> dict[str, str]:
    """Return arguments whose body has *size* bytes as `Api` sends it."""
    return {"p": "x" * (size - len(json.dumps({"p": ""})))}


def test_a_payload_of_a_megabyte(api: Api) -> None:
    api.put_action("counts", "def main(a): return {'n': len(a['p'])}")
    largest = payload(MB)
    assert api.invoke("counts", largest).body["response"]["result"] == {"n": len(largest["p"])}
    for name in ("counts", "nowhere"):  # the size is looked at before the name
        refused = api.invoke(name, payload(MB + 1))
        assert refused.status == 413
        assert refused.body["error"] == f"Request larger than allowed: {MB + 1} > {MB} bytes."


def test_almost_a_megabyte_goes_there_and_back(api: Api) -> None:
    api.put_action("echoes", ECHO)
    sent = payload(MB - 750)
    began_s = time.monotonic()
    answered = api.invoke("echoes", sent)
    assert time.monotonic() - began_s < 5.0
    assert answered.body["response"]["result"] == sent
    assert api.record(answered.body["activationId"])["response"]["result"] == sent


def test_a_result_of_a_megabyte_and_one_byte_more(api: Api) -> None:
    api.put_action("grows", "def main(a): return {'r': 'x' * a['n']}")
    around = api.invoke("grows", {"n": 0}).body["response"]["size"]
    whole = api.invoke("grows", {"n": MB - around})
    assert whole.status == 200
    assert whole.body["response"]["size"] == MB
    assert whole.body["response"]["result"] == {"r": "x" * (MB - around)}

    cut = api.invoke("grows", {"n": MB - around + 1})
    assert (cut.status, cut.body["response"]["status"]) == (502, "application error")
    assert cut.body["response"]["size"] == MB + 1
    text = cut.body["response"]["result"]["error"]
    before, _, head = text.partition(" The truncated response was: ")
    assert before == (
        f"The action produced a response that exceeded the allowed length: {MB + 1} > {MB} bytes."
    )
    assert head == json.dumps({"r": "x" * (MB - around + 1)}, separators=(",", ":"))[:-1]
    assert api.record(cut.body["activationId"])["response"] == cut.body["response"]


def test_a_megabyte_of_log_and_one_byte_more(api: Api) -> None:
    code = (
        "import sys\ndef main(a):\n"
        " for n in a['lines']: sys.stdout.write('x' * (n - 1) + '\\n')\n"
        " return {}"
    )
    api.put_action("logs", code, limits={"logs": 1})
    lines = [1 << 10] * (1 << 10)
    exact = api.record(api.invoke("logs", {"lines": lines}).body["activationId"])["logs"]
    assert len(exact) == len(lines)
    assert all(each.endswith("x" * 1023) for each in exact)
    more = api.record(api.invoke("logs", {"lines": [*lines, 1]}).body["activationId"])["logs"]
    assert [each[31:] for each in more[:-1]] == [each[31:] for each in exact]
    assert more[-1].endswith(
        f"stderr: Logs were truncated because the total bytes size exceeds the limit of {MB} bytes."
    )


def test_throttles_refuse_what_is_beyond_and_do_not_count_it(tmp_path: Path) -> None:
    settings = {
        "BRISK_THROTTLE__INVOCATIONS_PER_MINUTE": "6",
        "BRISK_THROTTLE__CONCURRENT_INVOCATIONS": "2",
    }
    with running_platform(tmp_path, settings=settings) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("sleeps", SLEEPS)
        under_way = [api.call("POST", "actions/sleeps", {"s": 0.7}) for _ in range(2)]
        for _ in range(3):
            refused = api.invoke("sleeps", {"s": 0})
            assert refused.status == 429
            assert refused.body["error"] == (
                "Too many concurrent requests in flight (count: 2, allowed: 2)."
            )
        for each in under_way:
            assert api.record(each.body["activationId"])["response"]["success"] is True
        # Two of six were charged: refused calls cost nothing.
        assert [api.invoke("sleeps", {"s": 0}).status for _ in range(4)] == [200] * 4
        for blocking in ("", "?blocking=true"):
            refused = api.call("POST", f"actions/sleeps{blocking}", {"s": 0})
            assert refused.status == 429
            assert refused.body["error"] == (
                "Too many requests in the last minute (count: 7, allowed: 6)."
            )
        assert len(api.call("GET", "activations").body) == 6


def test_what_does_not_fit_waits_and_what_may_not_wait_is_refused_at_once(tmp_path: Path) -> None:
    with running_platform(tmp_path, settings=SMALL) as platform:
        api = Api(platform.url, platform.auth)
        api.put_action("sleeps", SLEEPS)
        # Two fit into the memory, two wait for a sandbox, four wait on the bus.
        with ThreadPoolExecutor(8) as callers:
            answers = [*callers.map(lambda n: api.invoke("sleeps", {"s": 0.1, "n": n}), range(8))]
        assert [each.status for each in answers] == [200] * 8
        assert [each.body["response"]["result"]["n"] for each in answers] == [*range(8)]

        began_s = time.monotonic()
        flood = [api.call("POST", "actions/sleeps", {"s": 0.6}) for _ in range(20)]
        assert time.monotonic() - began_s < 0.6, "they were not sent at once"
        assert [each.status for each in flood] == [202] * 8 + [503] * 12
        assert flood[-1].body["error"].startswith("The server is currently unavailable")
        for each in flood[:8]:
            assert api.record(each.body["activationId"])["response"]["success"] is True
        wait_until(lambda: api.metric(BUSY) + api.metric(WAITING) == 0, "somebody still waits")
        assert len(api.call("GET", "activations").body) == 16
