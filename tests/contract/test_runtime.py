"""What every runtime does, behind both of its faces: the list of OpenWhisk's conformance suite.

Source: tests of `BasicActionRunnerTests` of OpenWhisk, and what its invoker relies on.
What only one language does, and archives, are in the files beside this one.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from invoker.driver.port import Died, Expired, Stream
from tests.fakes.runtimes import Face, FramesProcess, HttpProcess, Language, RuntimeProcess, start

PYTHON: Final[Mapping[str, str]] = {
    "echo": """
import sys
def main(args):
    print("hello stdout")
    print("hello stderr", file=sys.stderr)
    return args
""",
    "text": 'def main(args): return "words"',
    "number": "def main(args): return 7",
    "null": "def main(args): return None",
    "error": 'def main(args): return {"error": {"why": [1]}}',
    "niam": 'def niam(args): return {"main": "niam"}',
    "unicode": """
def main(args):
    text = args["delimiter"] + " ☃ " + args["delimiter"]
    print(text)
    return {"winter": text}
""",
    "environment": """
import os
LOADED = {name: os.environ.get(name) for name in ("SOME", "EMPTY", "__OW_ACTION_NAME", "N")}
def main(args): return LOADED
""",
    "context": """
import os
def main(args): return {k: v for k, v in os.environ.items() if k.startswith("__OW_")}
""",
    "counter": """
count = 0
def main(args):
    global count
    count += 1
    return {"count": count}
""",
    "syntax": "def main(args) return",
    "list": "def main(args): return [*args, 3]",
    "child": """
import subprocess, sys
def main(args):
    print("before")
    subprocess.run(["sh", "-c", "echo from the child; echo and its errors >&2"])
    print("after")
    return {}
""",
    "hang": """
import sys
def main(args):
    print("out")
    print("err", file=sys.stderr)
    while True: pass
""",
    "flood": """
def main(args):
    for number in range(2000):
        print(str(number).ljust(2000, "."))
    return {}
""",
    "exit": "import os\ndef main(args):\n    print('bye', flush=True)\n    os._exit(3)",
    "half line": "def main(args):\n    print('no end', end='')\n    return {}",
}

NODEJS: Final[Mapping[str, str]] = {
    "echo": """
function main(args) {
    console.log("hello stdout");
    console.error("hello stderr");
    return args;
}
""",
    "text": 'function main() { return "words" }',
    "number": "const main = () => 7",
    "null": "function main() { return null }",
    "error": "function main() { return {error: {why: [1]}} }",
    "niam": 'function niam() { return {main: "niam"} }',
    "unicode": """
function main({delimiter}) {
    const text = delimiter + " ☃ " + delimiter;
    console.log(text);
    return {winter: text};
}
""",
    "environment": """
const {SOME, EMPTY, __OW_ACTION_NAME, N} = process.env;
function main() { return {SOME, EMPTY, __OW_ACTION_NAME, N} }
""",
    "context": """
function main() {
    return Object.fromEntries(Object.entries(process.env).filter(([k]) => k.startsWith("__OW_")))
}
""",
    "counter": "let count = 0; function main() { count += 1; return {count} }",
    "syntax": "function main( { return",
    "list": "function main(args) { return [...args, 3] }",
    "child": """
const {spawnSync} = require('child_process');
function main() {
    console.log("before");
    const script = "echo from the child; echo and its errors >&2";
    spawnSync("sh", ["-c", script], {stdio: "inherit"});
    console.log("after");
    return {};
}
""",
    "hang": """
function main() {
    console.log("out");
    console.error("err");
    for (;;);
}
""",
    "flood": """
function main() {
    for (let number = 0; number < 2000; number++) console.log(String(number).padEnd(2000, "."));
    return {};
}
""",
    "exit": "function main() { console.log('bye'); process.exit(3) }",
    "half line": "function main() { process.stdout.write('no end'); return {} }",
}

FACES: Final[tuple[Face, ...]] = ("frames", "http")
CODE: Final = {"python": PYTHON, "nodejs": NODEJS}


@pytest.fixture(params=["python", "nodejs"])
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


@pytest.fixture(params=["frames", "http"])
async def runtime(
    request: pytest.FixtureRequest, language: Language, tmp_path: Path
) -> AsyncIterator[RuntimeProcess]:
    face: Face = request.param
    process = await start(language, face, tmp_path)
    yield process
    await process.stop()


@pytest.fixture
async def framed(language: Language, tmp_path: Path) -> AsyncIterator[FramesProcess]:
    process = await FramesProcess(language, tmp_path).start()
    yield process
    await process.stop()


async def loaded(runtime: RuntimeProcess, sample: str, **value: Any) -> RuntimeProcess:
    outcome = await runtime.init(CODE[runtime.language][sample], **value)
    assert outcome.status == 200, outcome
    assert outcome.log.markers == (0, 0)
    return runtime


def expect_markers(runtime: RuntimeProcess, markers: tuple[int, int]) -> None:
    if isinstance(runtime, HttpProcess):
        assert markers == (1, 1)


@pytest.mark.parametrize("value", [{"code": ""}, {}])
async def test_no_code_is_said_to_be_missing(
    runtime: RuntimeProcess, value: dict[str, str]
) -> None:
    nothing: dict[str, str] = {}
    for body in ({"value": value}, nothing):
        outcome = await runtime.send("init", body)
        assert outcome.status == 403
        assert outcome.body == {"error": "Missing main/no code to execute."}
        assert outcome.log.markers == (0, 0)


async def test_an_action_echoes_and_its_streams_stay_apart(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "echo")
    value: dict[str, Any]
    for value in ({"string": "hello"}, {"string": "❄ ☃ ❄"}, {"numbers": [42, 1.5, -1]}, {"o": {}}):
        outcome = await runtime.run(value)
        assert (outcome.status, outcome.body) == (200, value)
        assert outcome.log.stdout == "hello stdout\n"
        assert outcome.log.stderr == "hello stderr\n"
        expect_markers(runtime, outcome.log.markers)


@pytest.mark.parametrize("sample", ["text", "number"])
async def test_what_is_no_dictionary_is_refused(runtime: RuntimeProcess, sample: str) -> None:
    outcome = await (await loaded(runtime, sample)).run()
    assert outcome.status == 502
    tail = "." if runtime.language == "nodejs" else " or array."
    assert outcome.error == f"The action did not return a dictionary{tail}"
    expect_markers(runtime, outcome.log.markers)


async def test_null_is_passed_on(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "null")).run()
    assert (outcome.status, outcome.body) == (200, None)


async def test_a_returned_error_is_a_success_of_the_runtime(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "error")).run()
    assert (outcome.status, outcome.body) == (200, {"error": {"why": [1]}})


async def test_lists_go_in_and_come_out(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "list")).run([1, {"a": 2}])
    assert outcome.body == [1, {"a": 2}, 3]


async def test_an_action_is_initialised_once(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "echo")
    outcome = await runtime.init(CODE[runtime.language]["niam"])
    assert outcome.status == 403
    assert outcome.error == "Cannot initialize the action more than once."
    assert outcome.error in outcome.log.stderr
    assert outcome.log.markers == (0, 0)
    assert (await runtime.run({"still": "there"})).body == {"still": "there"}


async def test_main_may_have_another_name(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "niam", main="niam")
    assert (await runtime.run()).body == {"main": "niam"}


async def test_any_script_is_spoken(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "unicode")).run({"delimiter": "❄"})
    assert outcome.body == {"winter": "❄ ☃ ❄"}
    assert outcome.log.stdout == "❄ ☃ ❄\n"


async def test_init_parameters_are_there_when_code_is_loaded(runtime: RuntimeProcess) -> None:
    env = {"SOME": "x=y ☃", "EMPTY": "", "__OW_ACTION_NAME": "/ns/a", "a=b": "no name", "N": 1}
    await loaded(runtime, "environment", env=env)
    expected = {"SOME": "x=y ☃", "EMPTY": "", "__OW_ACTION_NAME": "/ns/a", "N": "1"}
    assert (await runtime.run()).body == expected


async def test_each_run_has_its_own_context(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "context")
    for activation in ("1" * 32, "2" * 32):
        context = {
            "namespace": "guest",
            "action_name": "/guest/a",
            "action_version": "0.0.3",
            "activation_id": activation,
            "transaction_id": "t" * 32,
            "deadline": "1764000000000",
            "api_key": "u:k",
        }
        outcome = await runtime.run({}, **context)
        expected = {f"__OW_{name.upper()}": text for name, text in context.items()}
        assert expected.items() <= outcome.body.items()


async def test_the_address_of_the_api_is_that_of_the_container(
    language: Language, tmp_path: Path
) -> None:
    """It is said when the container is made, and a run that does not say it leaves it."""
    for face in FACES:
        runtime = await start(language, face, tmp_path, {"__OW_API_HOST": "https://api.test"})
        try:
            await loaded(runtime, "context")
            outcome = await runtime.run({}, activation_id="1" * 32)
            assert outcome.body["__OW_API_HOST"] == "https://api.test"
        finally:
            await runtime.stop()


async def test_a_megabyte_is_echoed(runtime: RuntimeProcess) -> None:
    value = {"text": "x" * 1_048_561}
    assert (await (await loaded(runtime, "echo")).run(value)).body == value


async def test_globals_live_as_long_as_the_code_is_warm(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "counter")
    assert [(await runtime.run()).body["count"] for _ in range(3)] == [1, 2, 3]


async def test_code_that_does_not_parse_is_a_failed_init(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init(CODE[runtime.language]["syntax"])
    assert outcome.status == 502
    assert "SyntaxError" in outcome.log.stderr
    if runtime.language == "python":
        generate = "The action failed to generate or locate a binary. See logs for details."
        assert outcome.error == generate
    else:
        assert outcome.error.startswith("Initialization has failed due to: SyntaxError: ")
    expect_markers(runtime, outcome.log.markers)
    assert list(runtime.folder.iterdir()) == []


async def test_a_main_that_is_not_there_is_a_failed_init(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init(CODE[runtime.language]["niam"])
    assert outcome.status == 502
    if runtime.language == "python":
        assert outcome.error == "Cannot start action. Check logs for details."
        assert "cannot import name 'main' from 'main__'" in outcome.log.stderr
    else:
        reason = "Action entrypoint 'main' is not a function."
        assert outcome.error == f"Initialization has failed due to: {reason}"
        assert reason in outcome.log.stderr
    expect_markers(runtime, outcome.log.markers)


async def test_a_run_needs_an_init(runtime: RuntimeProcess) -> None:
    outcome = await runtime.run()
    expected = {
        "python": (500, "no action defined yet"),
        "nodejs": (403, "System not initialized."),
    }
    assert (outcome.status, outcome.error) == expected[runtime.language]


@pytest.mark.parametrize("operation", ["init", "run"])
async def test_a_body_that_is_no_json_is_refused(runtime: RuntimeProcess, operation: Any) -> None:
    if operation == "run":
        await loaded(runtime, "echo")
    outcome = await runtime.send_bytes(operation, b'{"value":')
    assert outcome.status == {"python": 400, "nodejs": 500}[runtime.language]
    expected = {"python": "Error unmarshaling request: ", "nodejs": "Bad request."}
    assert outcome.error.startswith(expected[runtime.language])
    if operation == "run":
        assert (await runtime.run({"a": 1})).body == {"a": 1}


async def test_what_children_print_is_in_the_log(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "child")
    for _ in range(3):
        outcome = await runtime.run()
        # Each process's own order is kept; between two of them it is not promised.
        printed = outcome.log.stdout.splitlines()
        assert [line for line in printed if line != "from the child"] == ["before", "after"]
        assert sorted(printed) == ["after", "before", "from the child"]
        assert outcome.log.stderr == "and its errors\n"


async def test_a_flood_is_delivered_whole(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "flood")).run()
    lines = outcome.log.stdout.splitlines()
    assert [int(line.rstrip(".")) for line in lines] == list(range(2000))
    assert {len(line) for line in lines} == {2000}


async def test_a_line_without_an_end_is_kept(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "half line")).run()
    assert outcome.log.stdout.rstrip("\n") == "no end"
    expect_markers(runtime, outcome.log.markers)


async def test_a_process_that_ends_gives_no_answer(runtime: RuntimeProcess) -> None:
    outcome = await (await loaded(runtime, "exit")).run()
    assert isinstance(outcome.reply, Died)
    assert outcome.log.stdout == "bye\n"


async def test_what_was_printed_before_a_hang_is_known(framed: FramesProcess) -> None:
    await loaded(framed, "hang")
    outcome = await framed.send_bytes("run", b'{"value":{}}', timeout_s=0.3)
    assert outcome.reply == Expired()
    assert outcome.log.pieces == [(Stream.STDOUT, b"out\n"), (Stream.STDERR, b"err\n")]
