"""What the Python runtime does beyond the common list, behind both of its faces."""

import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from invoker.driver.port import Answer, Died
from tests.fakes import archives
from tests.fakes.runtimes import (
    ROOT,
    Face,
    FramesProcess,
    HttpProcess,
    Outcome,
    RuntimeProcess,
    start,
)

LOCATE = "The action failed to generate or locate a binary. See logs for details."
START = "Cannot start action. Check logs for details."


@pytest.fixture(params=["frames", "http"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RuntimeProcess]:
    face: Face = request.param
    process = await start("python", face, tmp_path)
    yield process
    await process.stop()


@pytest.fixture
async def framed(tmp_path: Path) -> AsyncIterator[FramesProcess]:
    process = await FramesProcess("python", tmp_path).start()
    yield process
    await process.stop()


async def loaded(runtime: RuntimeProcess, code: str) -> RuntimeProcess:
    outcome = await runtime.init(textwrap.dedent(code))
    assert outcome.status == 200, outcome
    return runtime


async def test_an_exception_is_an_error_of_the_application(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "def main(args): return 1 / args['by']")
    outcome = await runtime.run({"by": 0})
    assert (outcome.status, outcome.body) == (200, {"error": "division by zero"})
    assert "ZeroDivisionError" in outcome.log.stderr
    assert "brisk_runtime" not in outcome.log.stderr
    assert (await runtime.run({})).error == "'by'"


async def test_a_coroutine_is_awaited_in_one_loop(runtime: RuntimeProcess) -> None:
    code = """
        import asyncio
        loops = []
        async def main(args):
            await asyncio.sleep(0)
            loops.append(asyncio.get_running_loop())
            if args: raise ValueError("awaited")
            return {"loops": len(set(loops))}
    """
    await loaded(runtime, code)
    assert (await runtime.run({"raise": 1})).body == {"error": "awaited"}
    assert (await runtime.run()).body == {"loops": 1}


async def test_a_tuple_is_an_array(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "def main(args): return 1, 'two'")
    assert (await runtime.run()).body == [1, "two"]


@pytest.mark.parametrize("expression", ["{1, 2}", "{'a': b''}", "{'a': float('nan')}", "{(1,): 2}"])
async def test_a_result_that_is_no_json_is_refused(framed: FramesProcess, expression: str) -> None:
    await loaded(framed, f"def main(args): return {expression}")
    outcome = await framed.run()
    assert outcome.status == 502
    assert outcome.error.startswith("The action returned a value that is not JSON: ")
    assert (await framed.run()).status == 502


async def test_a_circular_result_is_refused(framed: FramesProcess) -> None:
    await loaded(framed, "def main(args):\n    args['self'] = args\n    return args")
    assert (await framed.run()).status == 502


async def test_sys_exit_ends_the_action(runtime: RuntimeProcess) -> None:
    await loaded(runtime, "import sys\ndef main(args): sys.exit(3)")
    outcome = await runtime.run()
    assert (outcome.status, outcome.error) == (400, "command exited")
    outcome = await runtime.run()
    assert (outcome.status, outcome.error) == (500, "no action defined yet")


@pytest.mark.parametrize("code", ["import sys; sys.exit(1)", "1/0", "import not_there"])
async def test_code_that_fails_to_load_may_be_replaced(runtime: RuntimeProcess, code: str) -> None:
    outcome = await runtime.init(code + "\ndef main(args): return {}")
    assert (outcome.status, outcome.error) == (502, START)
    assert "Traceback" in outcome.log.stderr
    assert outcome.log.stderr.endswith("Command exited abruptly during initialization.\n")
    assert list(runtime.folder.iterdir()) == []
    await loaded(runtime, "def main(args): return {'second': 'try'}")
    assert (await runtime.run()).body == {"second": "try"}


async def test_bad_base64_is_said_to_be_bad(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init("abc!", binary=True)
    assert outcome.status == 400
    assert outcome.error == "cannot decode the request: illegal base64 data at input byte 3"


async def test_binary_code_that_is_no_archive_is_source(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init("main", binary=True)
    assert (outcome.status, outcome.error) == (502, LOCATE)


async def test_lack_of_memory_is_told(framed: FramesProcess) -> None:
    code = """
        import resource
        def main(args):
            if args:
                resource.setrlimit(resource.RLIMIT_AS, (400 << 20, -1))
                hoard = [bytearray(1 << 20) for _ in range(1000)]
            return {}
    """
    await loaded(framed, code)
    outcome = await framed.run({"much": 1})
    assert isinstance(outcome.reply, Answer)
    assert outcome.reply.memory_exhausted
    assert outcome.error == "The action exhausted its memory and was aborted."
    assert (await framed.run()).status == 200


SPOILERS = {
    "stdout replaced": "import io, sys; sys.stdout = io.StringIO()",
    "stdout closed": "import sys; sys.stdout.close()",
    "stdout detached": "import sys; sys.stdout.detach()",
    "stdout wrapped": "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer)",
    "fds closed": "import os; os.close(1); os.close(2)",
    "fds replaced": "import os; f = os.open('/dev/null', 1); os.dup2(f, 1); os.dup2(f, 2)",
    "folder changed": "import os; os.chdir('/')",
    "alarm pending": "import signal; signal.setitimer(signal.ITIMER_REAL, 0.02)",
    "signal handled": "import signal; signal.signal(signal.SIGTERM, lambda *_: None)",
    "recursion limited": "import sys; sys.setrecursionlimit(60)",
    "functions replaced": "import json, os, time; json.loads = os.write = time.time_ns = None",
}


@pytest.mark.parametrize("spoiler", SPOILERS)
async def test_one_run_does_not_spoil_the_next(framed: FramesProcess, spoiler: str) -> None:
    code = """
        import os, signal, subprocess, sys
        def deep(levels):
            return deep(levels - 1) if levels else 0
        def main(args):
            if args:
                exec(args["code"])
                return {}
            deep(100)
            print("here")
            subprocess.run(["sh", "-c", "sleep 0.05; echo there >&2"], stdout=1, stderr=2)
            handler = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            return {"home": os.getcwd() == os.path.dirname(__file__), "handler": handler}
    """
    await loaded(framed, code)
    await framed.run({"code": SPOILERS[spoiler]})
    for _ in range(2):
        outcome = await framed.run()
        assert (outcome.status, outcome.body) == (200, {"home": True, "handler": True}), outcome
        if spoiler != "functions replaced":
            assert (outcome.log.stdout, outcome.log.stderr) == ("here\n", "there\n")


async def test_late_output_of_a_child_is_in_no_log(framed: FramesProcess) -> None:
    code = """
        import subprocess, sys
        def main(args):
            if args:
                script = "while [ ! -e go ]; do sleep 0.01; done; echo late; echo late >&2; : >done"
                subprocess.Popen(["sh", "-c", script])
                print("started")
            else:
                open("go", "w").close()
                import os, time
                deadline = time.monotonic() + 10
                while not os.path.exists("done") and time.monotonic() < deadline: time.sleep(0.01)
                print("own")
                os.system("echo of my child")
            return {}
    """
    await loaded(framed, code)
    assert (await framed.run({"start": 1})).log.stdout == "started\n"
    outcome = await framed.run()
    # In whatever order: what a child prints goes through a pipe beside the runtime's channel.
    assert sorted(outcome.log.stdout.splitlines()) == ["of my child", "own"]
    assert outcome.log.stderr == ""


async def test_what_a_forked_child_prints_is_in_the_log(framed: FramesProcess) -> None:
    code = """
        import multiprocessing, os, sys, threading
        def work(n):
            print("child", flush=True)
        def main(args):
            child = multiprocessing.get_context("fork").Process(target=work, args=(1,))
            child.start(); child.join()
            if os.fork() == 0:
                return {"the child": "answers nothing"}
            os.wait()
            thread = threading.Thread(target=print, args=("thread",))
            thread.start(); thread.join()
            os.write(1, b"raw\\n")
            sys.stdout.buffer.write(b"bytes\\n")
            return {"parent": True}
    """
    await loaded(framed, code)
    for _ in range(2):
        outcome = await framed.run()
        assert outcome.body == {"parent": True}
        assert sorted(outcome.log.stdout.split()) == ["bytes", "child", "raw", "thread"]


async def test_a_long_print_comes_in_pieces(framed: FramesProcess) -> None:
    await loaded(framed, "def main(args): print('x' * 3_000_000); return {}")
    outcome = await framed.run()
    assert len(outcome.log.stdout) == 3_000_001
    assert max(len(text) for _, text in outcome.log.pieces) == 65_536


async def test_code_that_ends_the_channel_is_dead(framed: FramesProcess) -> None:
    await loaded(framed, "import os\ndef main(args): os.closerange(3, 1000); return {}")
    assert isinstance((await framed.run()).reply, Died)
    assert isinstance((await framed.run()).reply, Died)


def _virtualenv(**files: str) -> str:
    main = "import inside\ndef main(args): return {'from': inside.WHERE}"
    return archives.zipped(
        {"__main__.py": main, **{f"virtualenv/{name}": text for name, text in files.items()}}
    )


PACKAGES = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


async def test_a_virtualenv_is_activated(runtime: RuntimeProcess) -> None:
    activate = f"""
import os, sys
base = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(base, {PACKAGES!r}))
"""
    files = {f"{PACKAGES}/inside.py": "WHERE = 'virtualenv'", "bin/activate_this.py": activate}
    outcome = await runtime.init(_virtualenv(**files), binary=True)
    assert outcome.status == 200, outcome
    assert (await runtime.run()).body == {"from": "virtualenv"}


async def test_a_venv_without_its_script_is_used_as_well(runtime: RuntimeProcess) -> None:
    files = {f"{PACKAGES}/inside.py": "WHERE = 'venv'"}
    assert (await runtime.init(_virtualenv(**files), binary=True)).status == 200
    assert (await runtime.run()).body == {"from": "venv"}


async def test_a_virtualenv_without_packages_is_refused(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init(_virtualenv(**{"pyvenv.cfg": ""}), binary=True)
    assert (outcome.status, outcome.error) == (502, LOCATE)
    text = "Invalid virtualenv. Zip file does not include 'activate_this.py'."
    assert text in outcome.log.stderr
    assert list(runtime.folder.iterdir()) == []


async def test_unknown_paths_and_broken_requests_do_no_harm(tmp_path: Path) -> None:
    process = await HttpProcess("python", tmp_path).start()
    try:
        for request in (b"GARBAGE\r\n\r\n", b"POST /run HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            process._writer.write(request)
            head = await process._reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert await process._reader.read() == b'{"error": "Bad request."}'
            process._writer.close()
            process._reader, process._writer = await process._connected()
        await loaded(process, "def main(args): return args")
        assert (await process.run({"still": 1})).body == {"still": 1}
    finally:
        await process.stop()


ZYGOTE = """
import importlib.util, os, sys, threading
spec = importlib.util.spec_from_file_location("proxy", sys.argv[1])
proxy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(proxy)
assert threading.active_count() == 1
before = os.fork()
if before == 0:
    proxy.serve_channel(int(sys.argv[3]))
os.close(int(sys.argv[3]))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(before, 0)[1]))
"""


async def test_a_zygote_imports_it_forks_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = str(ROOT / "runtimes/python/proxy.py")
    command = [sys.executable, "-I", "-c", ZYGOTE, proxy]
    monkeypatch.setitem(sys.modules["tests.fakes.runtimes"].COMMANDS, "python", command)
    process = await FramesProcess("python", tmp_path).start()
    try:
        await loaded(process, "def main(args): print('forked'); return args")
        outcome: Outcome = await process.run({"a": 1})
        assert (outcome.body, outcome.log.stdout) == ({"a": 1}, "forked\n")
    finally:
        await process.stop()
    assert process.process.returncode == 0
