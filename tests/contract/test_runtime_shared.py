"""Several activations at a time in one runtime: each with its own answer and its own log."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from invoker.driver.port import Answer, Died, Expired
from tests.fakes.runtimes import FramesProcess, HttpProcess, Language, Outcome, start

ALLOWED: Final = {"__OW_ALLOW_CONCURRENT": "true"}

PYTHON: Final[Mapping[str, str]] = {
    # Nobody goes on before all have come: that they overlap is not left to chance.
    "meet": """
import asyncio, sys
waiting = []
async def main(args):
    print("begin", args["n"], end=" ")
    print("err", args["n"], file=sys.stderr)
    me = asyncio.get_running_loop().create_future()
    waiting.append(me)
    if len(waiting) == args["all"]:
        for other in waiting: other.set_result(None)
    await me
    await asyncio.to_thread(print, "thread", args["n"])
    await asyncio.create_task(inner(args["n"]))
    print("end", args["n"])
    return {"n": args["n"]}
async def inner(n):
    await asyncio.sleep(0)
    print("task", n)
""",
    "fail": """
import asyncio, sys
async def main(args):
    await asyncio.sleep(0.01)
    if args["how"] == "raise": raise ValueError("why " + str(args["n"]))
    if args["how"] == "hang": await asyncio.sleep(100)
    if args["how"] == "exit": sys.exit(3)
    if args["how"] == "number": return 7
    return {"n": args["n"]}
""",
    "late": """
import asyncio
async def main(args):
    if args["n"] == 0:
        main.task = asyncio.create_task(late())
        return {}
    await main.task
    return {}
async def late():
    await asyncio.sleep(0.05)
    print("late")
""",
    "die": """
import asyncio, os
async def main(args):
    if args["n"] == 3: os._exit(1)
    await asyncio.sleep(100)
""",
}
NODEJS: Final[Mapping[str, str]] = {
    "meet": """
const waiting = [];
async function main({n, all}) {
    process.stdout.write(`begin ${n} `);
    console.error(`err ${n}`);
    await new Promise((resolve) => {
        waiting.push(resolve);
        if (waiting.length === all) for (const each of waiting) each();
    });
    await new Promise((resolve) => setTimeout(resolve, 1)).then(() => console.log(`thread ${n}`));
    setImmediate(() => console.log(`task ${n}`));
    await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(`end ${n}`);
    return {n};
}
""",
    "fail": """
async function main({how, n}) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (how === 'raise') throw new Error(`why ${n}`);
    if (how === 'hang') await new Promise((resolve) => setTimeout(resolve, 100000));
    if (how === 'exit') process.exit(3);
    if (how === 'number') return 7;
    return {n};
}
""",
    "late": """
let task;
async function main({n}) {
    if (n === 0) {
        task = new Promise((resolve) => setTimeout(() => { console.log('late'); resolve() }, 50));
        return {};
    }
    await task;
    return {};
}
""",
    "die": """
async function main({n}) {
    if (n === 3) process.exit(1);
    await new Promise((resolve) => setTimeout(resolve, 100000));
}
""",
}
CODE: Final = {"python": PYTHON, "nodejs": NODEJS}


@pytest.fixture(params=["python", "nodejs"])
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


@pytest.fixture
async def framed(language: Language, tmp_path: Path) -> AsyncIterator[FramesProcess]:
    process = await FramesProcess(language, tmp_path).start()
    yield process
    await process.stop()


async def loaded(framed: FramesProcess, sample: str) -> FramesProcess:
    reply = (await framed.init(CODE[framed.language][sample], env=ALLOWED)).reply
    assert isinstance(reply, Answer)
    assert (reply.status, reply.shares) == (200, True)
    return framed


async def at_once(framed: FramesProcess, *values: Any) -> list[Outcome]:
    return await asyncio.gather(*(framed.run(value) for value in values))


async def test_logs_are_exact_and_answers_find_their_call(framed: FramesProcess) -> None:
    await loaded(framed, "meet")
    outcomes = await at_once(framed, *({"n": n, "all": 8} for n in range(8)))
    for n, outcome in enumerate(outcomes):
        assert outcome.body == {"n": n}
        assert outcome.log.stdout == f"begin {n} thread {n}\ntask {n}\nend {n}\n"
        assert outcome.log.stderr == f"err {n}\n"


async def test_large_values_travel_beside_small_ones(framed: FramesProcess) -> None:
    await loaded(framed, "meet")
    pad = "x" * 1_000_000
    values = [{"n": n, "all": 6, "pad": pad if n % 2 else ""} for n in range(6)]
    assert [each.body for each in await at_once(framed, *values)] == [{"n": n} for n in range(6)]


async def test_a_failure_leaves_the_others_in_peace(framed: FramesProcess) -> None:
    await loaded(framed, "fail")
    good, raised, number = await at_once(
        framed, *({"n": n, "how": how} for n, how in enumerate(["", "raise", "number"]))
    )
    assert good.body == {"n": 0}
    assert raised.status == 200
    told = raised.error if framed.language == "python" else raised.error["message"]
    assert told == "why 1"
    assert number.status == 502
    assert "ValueError: why 1" in raised.log.stderr or framed.language == "nodejs"
    assert good.log.stderr == number.log.stderr == ""


async def test_one_that_takes_too_long_leaves_the_others_in_peace(framed: FramesProcess) -> None:
    await loaded(framed, "fail")
    hung, good = await asyncio.gather(
        framed.send_bytes("run", b'{"value":{"n":1,"how":"hang"}}', timeout_s=0.3),
        framed.send_bytes("run", b'{"value":{"n":2,"how":""}}'),
    )
    assert hung.reply == Expired()
    assert good.body == {"n": 2}
    assert (await framed.run({"n": 3, "how": ""})).body == {"n": 3}


async def test_one_that_is_cancelled_leaves_the_others_in_peace(framed: FramesProcess) -> None:
    await loaded(framed, "fail")
    async with asyncio.TaskGroup() as tasks:
        hung = tasks.create_task(framed.run({"n": 1, "how": "hang"}))
        assert (await framed.run({"n": 2, "how": ""})).body == {"n": 2}
        hung.cancel()
    assert (await framed.run({"n": 3, "how": ""})).body == {"n": 3}


async def test_the_end_of_the_process_ends_all_calls(framed: FramesProcess) -> None:
    await loaded(framed, "die")
    outcomes = await at_once(framed, *({"n": n} for n in range(4)))
    assert all(isinstance(outcome.reply, Died) for outcome in outcomes)


async def test_what_a_call_that_has_ended_prints_is_in_no_log(framed: FramesProcess) -> None:
    await loaded(framed, "late")
    assert (await framed.run({"n": 0})).log.pieces == []
    assert (await framed.run({"n": 1})).log.pieces == []


@pytest.mark.parametrize(
    ("language", "code", "env"),
    [
        ("python", "def main(args): return args", ALLOWED),
        ("python", "async def main(args): return args", {}),
        ("nodejs", "async function main(args) { return args }", {}),
    ],
)
async def test_nothing_is_shared_that_may_not_or_cannot_be(
    framed: FramesProcess, code: str, env: Mapping[str, str]
) -> None:
    reply = (await framed.init(code, env=env)).reply
    assert isinstance(reply, Answer)
    assert (reply.status, reply.shares) == (200, False)
    assert (await framed.run({"a": 1})).body == {"a": 1}


async def test_over_http_each_run_of_several_ends_both_logs(tmp_path: Path) -> None:
    process = await start("nodejs", "http", tmp_path)
    assert isinstance(process, HttpProcess)
    try:
        await process.init(NODEJS["meet"], env=ALLOWED)
        others = [await process.another() for _ in range(2)]
        outcomes = await asyncio.gather(
            *(each.run({"n": n, "all": 3}) for n, each in enumerate([process, *others]))
        )
        assert [outcome.body for outcome in outcomes] == [{"n": n} for n in range(3)]
        for each in others:
            await each.hang_up()
        refused = await process.init("", env=ALLOWED)  # which prints no marker
        marked = [outcomes[0].log.markers, refused.log.markers]
        assert tuple(map(sum, zip(*marked, strict=True))) == (3, 3)
    finally:
        await process.stop()
