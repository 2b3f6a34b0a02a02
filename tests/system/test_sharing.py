"""Several activations at a time in one sandbox, from the request to the record and the bill."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.api import Answered, Api
from tests.fakes.embedded import RunningPlatform, running_platform

MOST = 8
PYTHON = """
import asyncio
waiting = []
async def main(args):
    print("begin", args["n"])
    me = asyncio.get_running_loop().create_future()
    waiting.append(me)
    if len(waiting) == args["all"]:
        for other in waiting: other.set_result(None)
    await me
    print("end", args["n"])
    return {"n": args["n"], "together": len(waiting)}
"""
NODEJS = """
const waiting = [];
async function main({n, all}) {
    console.log(`begin ${n}`);
    await new Promise((resolve) => {
        waiting.push(resolve);
        if (waiting.length === all) for (const each of waiting) each();
    });
    console.log(`end ${n}`);
    return {n, together: waiting.length};
}
"""
SYNCHRONOUS = """
count = 0
def main(args):
    global count
    count += 1
    return {"count": count}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    settings = {"BRISK_LIMITS__MAX_CONCURRENCY": str(MOST), "BRISK_CHECK_INVARIANTS": "true"}
    folder: Path = tmp_path_factory.mktemp("platform")
    with running_platform(folder, settings=settings) as running:
        yield running


@pytest.fixture
def api(platform: RunningPlatform) -> Api:
    return Api(platform.url, platform.auth)


def at_once(api: Api, action: str) -> list[Answered]:
    with ThreadPoolExecutor(MOST) as callers:
        return list(callers.map(lambda n: api.invoke(action, {"n": n, "all": MOST}), range(MOST)))


@pytest.mark.parametrize(("kind", "code"), [("python", PYTHON), ("nodejs", NODEJS)])
def test_activations_meet_in_one_sandbox_and_each_has_its_own_record(
    api: Api, kind: str, code: str
) -> None:
    limits = {"concurrency": MOST, "timeout": 20_000}
    api.put_action(kind, code, kind=f"{kind}:default", limits=limits)
    ended = at_once(api, kind)
    for n, each in enumerate(ended):
        result = {"n": n, "together": MOST}
        assert each.body["response"]["result"] == result
        record = api.record(each.body["activationId"])
        assert [line[31:] for line in record["logs"]] == [f"stdout: begin {n}", f"stdout: end {n}"]
    cold = [each for each in ended if any(a["key"] == "initTime" for a in each.body["annotations"])]
    assert len(cold) == 1


def test_code_that_is_not_asynchronous_runs_one_at_a_time(api: Api) -> None:
    limits = {"concurrency": MOST, "timeout": 20_000}
    api.put_action("synchronous", SYNCHRONOUS, limits=limits)
    assert all(each.status == 200 for each in at_once(api, "synchronous"))


def test_beyond_the_setting_it_is_refused(api: Api) -> None:
    document = {"exec": {"kind": "python:default", "code": PYTHON}, "limits": {"concurrency": 9}}
    refused = api.call("PUT", "actions/most", document)
    assert refused.status == 400
    assert f"concurrency 9 exceeds allowed threshold of {MOST}" in refused.body["error"]
