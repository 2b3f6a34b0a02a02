"""What the Node runtime does beyond the common list, behind both of its faces."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from invoker.driver.port import Answer, Died
from tests.fakes import archives
from tests.fakes.runtimes import Face, FramesProcess, HttpProcess, RuntimeProcess, start


@pytest.fixture(params=["frames", "http"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RuntimeProcess]:
    face: Face = request.param
    process = await start("nodejs", face, tmp_path)
    yield process
    await process.stop()


@pytest.fixture
async def framed(tmp_path: Path) -> AsyncIterator[FramesProcess]:
    process = await FramesProcess("nodejs", tmp_path).start()
    yield process
    await process.stop()


async def loaded(runtime: RuntimeProcess, code: str, **value: Any) -> RuntimeProcess:
    outcome = await runtime.init(code, **value)
    assert (outcome.status, outcome.body) == (200, {"OK": True}), outcome
    return runtime


@pytest.mark.parametrize(
    ("code", "main"),
    [
        ("function main(a) { return a }", "main"),
        ("const main = (a) => a", "main"),
        ("let main = async (a) => a  // with a comment", "main"),
        ("exports.main = (a) => a", "main"),
        ("module.exports = {niam: (a) => a}", "niam"),
        ("global.bundled = (a) => a", "bundled"),
        ("implicit = (a) => a", "implicit"),
        ("const box = {inner: {f: (a) => a}}", "box.inner.f"),
        ("'use strict'; function main(a) { return a }", "main"),
        ("const path = require('path'); const main = (a) => (path.join('a'), a)", "main"),
        ("const main = async (a) => (await import('path'), a)", "main"),
    ],
)
async def test_an_entry_is_found_in_text(framed: FramesProcess, code: str, main: str) -> None:
    await loaded(framed, code, main=main)
    assert (await framed.run({"a": 1})).body == {"a": 1}


@pytest.mark.parametrize("main", ["a-b", "main;process.exit()", "1", "main()", "a..b"])
async def test_a_main_that_is_no_name_is_refused(framed: FramesProcess, main: str) -> None:
    outcome = await framed.init("function main() { return {} }", main=main)
    text = "Initialization has failed due to: Name of main function is not valid."
    assert (outcome.status, outcome.error) == (502, text)


async def test_import_statements_are_refused(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init("import fs from 'fs'; function main() { return {} }")
    assert outcome.status == 502
    assert "Cannot use import statement outside a module" in outcome.error
    outcome = await runtime.init("function main() { return {} }")
    assert (outcome.status, outcome.error) == (403, "System not ready, status is stopped.")


RESULTS: list[tuple[str, int, Any]] = [
    ("undefined", 200, {}),
    ("null", 200, None),
    ("[1]", 200, [1]),
    ("Promise.resolve({a: 1})", 200, {"a": 1}),
    ("new Promise(r => setTimeout(r, 1))", 200, {}),
    ("Promise.resolve('text')", 502, {"error": "The action did not return a dictionary."}),
    ("() => 1", 502, {"error": "The action did not return a dictionary."}),
    ("new Date(0)", 502, {"error": "The action did not return a dictionary."}),
    ("Promise.reject()", 200, {"error": {}}),
    ("Promise.reject({why: 1})", 200, {"error": {"why": 1}}),
    ("Promise.reject('why')", 200, {"error": "why"}),
    ("(() => { const a = {}; a.a = a; return a })()", 500, {"error": "Internal error."}),
    ("({n: 1n})", 500, {"error": "Internal error."}),
]


@pytest.mark.parametrize(("expression", "status", "body"), RESULTS)
async def test_results(framed: FramesProcess, expression: str, status: int, body: Any) -> None:
    await loaded(framed, f"function main() {{ return {expression} }}")
    for _ in range(2):
        outcome = await framed.run()
        assert (outcome.status, outcome.body) == (status, body)


async def test_a_rejected_error_is_shown_with_its_stack(runtime: RuntimeProcess) -> None:
    code = "async function main() { throw Object.assign(new TypeError('why'), {code: 'E', x: 1}) }"
    await loaded(runtime, code)
    outcome = await runtime.run()
    assert outcome.status == 200
    error = outcome.error
    assert error.pop("stack").startswith("TypeError: why\n    at main ")
    assert error == {"name": "TypeError", "message": "why", "code": "E", "x": 1}


async def test_a_rejected_circle_is_cut(framed: FramesProcess) -> None:
    await loaded(framed, "async function main() { const e = {a: 1}; e.self = e; throw e }")
    assert (await framed.run()).body == {"error": {"a": 1, "self": "[Circular]"}}


async def test_a_throw_stops_the_action(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "function main() { return nothing }")
    outcome = await runtime.run()
    assert outcome.status == 502
    assert outcome.error == "An error has occurred: ReferenceError: nothing is not defined"
    assert "at main" in outcome.log.stderr
    assert "runner.js" not in outcome.log.stderr
    outcome = await runtime.run()
    assert (outcome.status, outcome.error) == (403, "System not ready, status is stopped.")


async def test_an_argument_that_is_no_dictionary_is_refused(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "function main(a) { return a }")
    outcome = await runtime.run("text")
    text = "the argument must be a dictionary but has type 'string'."
    assert (outcome.status, outcome.error) == (403, f"Internal system error: {text}")


async def test_an_uncaught_exception_ends_the_process(runtime: RuntimeProcess) -> None:
    code = "function main() { setTimeout(() => { throw new Error('uncaught') }, 1); " + (
        "return new Promise(() => {}) }"
    )
    await loaded(runtime, code)
    outcome = await runtime.run()
    assert isinstance(outcome.reply, Died)
    assert "Error: uncaught" in outcome.log.stderr


async def test_an_allocation_that_fails_is_lack_of_memory(framed: FramesProcess) -> None:
    await loaded(framed, "function main() { new ArrayBuffer(2 ** 52) }")
    outcome = await framed.run()
    assert outcome.status == 502
    assert isinstance(outcome.reply, Answer)
    assert outcome.reply.memory_exhausted


SPOILERS = [
    "process.chdir('/')",
    "process.stdout.write = () => true",
    "process.stdout.end()",
    "process.stdout.destroy()",
    "Object.defineProperty(process, 'stdout', {value: null, configurable: true})",
    "Date.now = JSON.parse = JSON.stringify = require('fs').writeSync = () => { throw 1 }",
]


@pytest.mark.parametrize("spoiler", SPOILERS)
async def test_one_run_does_not_spoil_the_next(framed: FramesProcess, spoiler: str) -> None:
    code = f"""function main(args) {{
        if (args.spoil) {{ {spoiler}; return {{}} }}
        process.stdout.write("here\\n");
        return {{folder: process.cwd() === __dirname}};
    }}"""
    await loaded(framed, code)
    await framed.run({"spoil": True})
    for _ in range(2):
        outcome = await framed.run()
        assert (outcome.status, outcome.body) == (200, {"folder": True})
        assert outcome.log.stdout == "here\n"


async def test_children_do_not_hold_the_channel(framed: FramesProcess) -> None:
    code = """
        const {execSync} = require('child_process');
        const main = () => ({fds: execSync('ls /proc/self/fd', {encoding: 'utf8'}).split('\\n')});
    """
    await loaded(framed, code)
    fds = {int(fd) for fd in (await framed.run()).body["fds"] if fd}
    assert len(fds - {0, 1, 2}) == 1  # the folder that ls itself reads


async def test_a_package_says_where_it_begins(runtime: RuntimeProcess) -> None:
    files = {
        "package.json": '{"main": "lib/start.js"}',
        "lib/start.js": "exports.main = () => ({at: 'start'})",
    }
    await loaded(runtime, archives.zipped(files), binary=True)
    assert (await runtime.run()).body == {"at": "start"}


async def test_main_may_name_a_file_of_the_archive(framed: FramesProcess) -> None:
    files = {"index.js": "", "other.js": "exports.a = {b: () => ({at: 'other'})}"}
    await loaded(framed, archives.zipped(files), binary=True, main="other.a.b")
    assert (await framed.run()).body == {"at": "other"}


async def test_a_module_of_the_new_kind_is_loaded(framed: FramesProcess) -> None:
    files = {
        "package.json": '{"type": "module", "main": "start.js"}',
        "start.js": "await Promise.resolve(); export const main = () => ({esm: true})",
    }
    await loaded(framed, archives.zipped(files), binary=True)
    assert (await framed.run()).body == {"esm": True}


@pytest.mark.parametrize("code", ["abcd", "!!!!", "aGVsbG8gd29ybGQh"])
async def test_what_is_no_archive_is_refused(runtime: RuntimeProcess, code: str) -> None:
    outcome = await runtime.init(code, binary=True)
    reason = "There was an error uncompressing the action archive. The file type is unsupported"
    assert (outcome.status, outcome.error) == (502, f"Initialization has failed due to: {reason}")


async def test_other_routes_are_bad_requests(tmp_path: Path) -> None:
    process = await HttpProcess("nodejs", tmp_path).start()
    try:
        for line in (b"GET /run", b"POST /other"):
            process._writer.write(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            answer = await process._answer()
            assert (answer.status, answer.body) == (500, b'{"error":"Bad request."}')
    finally:
        await process.stop()
