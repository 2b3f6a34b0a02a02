"""What the native runtime does, behind both of its faces, with either of its protocols.

Sources: OpenWhisk's ActionLoop proxy, and the action proxy of its `dockerskeleton`. Actions are
shell scripts and programs of the host; Python stands for whatever may be installed.
"""

import base64
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from invoker.driver.port import Died, Expired
from tests.fakes import archives
from tests.fakes.runtimes import Face, FramesProcess, HttpProcess, Language, RuntimeProcess, start

LOCATE: Final = "The action failed to generate or locate a binary. See logs for details."
START: Final = "Cannot start action. Check logs for details."
NO_OBJECT: Final = "The action did not return a dictionary or array."

# Answers with what it was asked, and what it was asked before.
LOOP: Final = """#!/bin/sh
count=0
while read -r line; do
  count=$((count + 1))
  echo "hello stdout $count"
  echo "hello stderr $count" >&2
  printf '{"count": %s, "asked": %s}\\n' "$count" "$line" >&3
done
"""
ECHO: Final = """#!/bin/sh
echo "hello stdout"
echo "hello stderr" >&2
printf '%s\\n' "$1"
"""
ECHO_PROGRAM: Final = base64.b64encode(Path("/bin/echo").read_bytes()).decode()


def loop(answer: str) -> str:
    """Return a script that answers each line with what *answer* prints."""
    return f"#!/bin/sh\nwhile read -r line; do {answer}; done\n"


@pytest.fixture(params=["frames", "http"])
def face(request: pytest.FixtureRequest) -> Face:
    chosen: Face = request.param
    return chosen


async def started(language: Language, face: Face, folder: Path) -> AsyncIterator[RuntimeProcess]:
    process = await start(language, face, folder)
    yield process
    await process.stop()


@pytest.fixture
async def looped(face: Face, tmp_path: Path) -> AsyncIterator[RuntimeProcess]:
    async for process in started("actionloop", face, tmp_path):
        yield process


@pytest.fixture
async def skeleton(face: Face, tmp_path: Path) -> AsyncIterator[RuntimeProcess]:
    async for process in started("skeleton", face, tmp_path):
        yield process


def expect_markers(runtime: RuntimeProcess, markers: tuple[int, int]) -> None:
    if isinstance(runtime, HttpProcess):
        assert markers == (1, 1)


async def test_a_program_stays_and_is_asked_a_line_at_a_time(looped: RuntimeProcess) -> None:
    outcome = await looped.init(LOOP)
    assert (outcome.status, outcome.body, outcome.log.markers) == (200, {"ok": True}, (0, 0))
    for count in (1, 2, 3):
        value = {"text": "❄ ☃\n ❄", "count": count}
        outcome = await looped.run(value, activation_id="a" * 32)
        assert outcome.body["count"] == count
        assert outcome.body["asked"] == {"value": value, "activation_id": "a" * 32}
        assert outcome.log.stdout == f"hello stdout {count}\n"
        assert outcome.log.stderr == f"hello stderr {count}\n"
        expect_markers(looped, outcome.log.markers)


async def test_an_archive_has_an_exec_and_its_folder_is_the_working_folder(
    looped: RuntimeProcess,
) -> None:
    files = {"exec": loop("cat data >&3"), "data": '{"from": "the archive"}\n'}
    assert (await looped.init(archives.zipped(files), binary=True)).status == 200
    assert (await looped.run()).body == {"from": "the archive"}


async def test_a_program_has_its_init_parameters_a_path_and_a_home(looped: RuntimeProcess) -> None:
    source = loop('echo "{\\"some\\": \\"$SOME\\", \\"has\\": \\"${PATH:+p}${HOME:+h}\\"}" >&3')
    assert (await looped.init(source, env={"SOME": "☃ x"})).status == 200
    assert (await looped.run()).body == {"some": "☃ x", "has": "ph"}


async def test_no_code_and_a_second_init_are_refused(looped: RuntimeProcess) -> None:
    for value in ({"code": ""}, {}):
        outcome = await looped.send("init", {"value": value})
        assert (outcome.status, outcome.error) == (403, "Missing main/no code to execute.")
    assert (await looped.run()).error == "no action defined yet"
    assert (await looped.send_bytes("init", b"")).status == 400
    assert (await looped.init("!!!!", binary=True)).status == 400
    assert (await looped.init(LOOP)).status == 200
    outcome = await looped.init(LOOP)
    assert (outcome.status, outcome.log.markers) == (403, (0, 0))
    assert outcome.error == "Cannot initialize the action more than once."
    assert outcome.error in outcome.log.stderr
    assert (await looped.run()).body["count"] == 1


@pytest.mark.parametrize(
    ("code", "binary", "error", "log"),
    [
        ("print('hello')", False, LOCATE, "neither a Linux program nor a script"),
        (archives.zipped({"other": "#!/bin/sh"}), True, LOCATE, "Zip file does not include exec"),
        ("#!/no/such/shell\n", False, START, "there is no '/no/such/shell' here"),
        (base64.b64encode(b"\x7fELF, but no more").decode(), True, START, "Exec format error"),
        ("#!/bin/sh\necho gone >&2\nexit 3\n", False, START, "Command exited abruptly"),
    ],
)
async def test_what_cannot_be_started_is_a_failed_init(
    looped: RuntimeProcess, code: str, binary: bool, error: str, log: str
) -> None:
    outcome = await looped.init(code, binary=binary)
    assert (outcome.status, outcome.error) == (502, error)
    assert log in outcome.log.stderr
    expect_markers(looped, outcome.log.markers)
    assert (await looped.init(LOOP)).status == 200, "an init that failed may be followed by another"


async def test_a_program_may_be_asked_to_acknowledge(looped: RuntimeProcess) -> None:
    wants = {"__OW_WAIT_FOR_ACK": "1"}
    outcome = await looped.init("#!/bin/sh\necho '{\"ok\": false}' >&3\ncat\n", env=wants)
    assert (outcome.status, outcome.error) == (502, START)
    assert "did not initialize properly" in outcome.log.stderr
    ready = "#!/bin/sh\nsleep 0.05\necho '{\"ok\": true}' >&3\n" + loop("echo {} >&3")
    assert (await looped.init(ready, env=wants)).status == 200
    assert (await looped.run()).body == {}


@pytest.mark.parametrize("said", ["words", '"text"', "7", '{"a": NaN}', "{} {}", ""])
async def test_what_is_no_dictionary_is_refused(looped: RuntimeProcess, said: str) -> None:
    await looped.init(loop(f"echo '{said}' >&3"))
    outcome = await looped.run()
    assert (outcome.status, outcome.error) == (502, NO_OBJECT)
    expect_markers(looped, outcome.log.markers)


@pytest.mark.parametrize("said", ["null", "[1, 2]", '{"error": {"why": 1}}'])
async def test_other_answers_are_passed_on_as_they_are(looped: RuntimeProcess, said: str) -> None:
    await looped.init(loop(f"echo '{said}' >&3"))
    reply = (await looped.run()).reply
    assert (reply.status, reply.body) == (200, said.encode() + b"\n")  # type: ignore[union-attr]


async def test_an_answer_without_a_question_is_nobodys(looped: RuntimeProcess) -> None:
    await looped.init(loop('printf \'%s\\n{"forged": true}\\n\' "$line" >&3'))
    for number in range(3):
        assert (await looped.run({"n": number})).body == {"value": {"n": number}}


async def test_a_megabyte_goes_in_and_out(looped: RuntimeProcess) -> None:
    await looped.init(
        f"#!{sys.executable}\nimport os, sys\n"
        "for line in sys.stdin.buffer:\n"
        "    line = memoryview(line)\n"
        "    while line: line = line[os.write(3, line):]\n"
    )
    value = {"text": "x" * 1_048_561}
    assert (await looped.run(value)).body == {"value": value}


async def test_a_program_that_ends_says_so_and_is_not_asked_again(looped: RuntimeProcess) -> None:
    await looped.init("#!/bin/sh\nread -r line\necho bye\nexit 3\n")
    outcome = await looped.run()
    assert (outcome.status, outcome.error) == (400, "command exited")
    assert outcome.log.stdout == "bye\n"
    expect_markers(looped, outcome.log.markers)
    outcome = await looped.run()
    assert (outcome.status, outcome.error) == (500, "no action defined yet")


async def test_a_program_that_was_killed_takes_its_runtime_along(looped: RuntimeProcess) -> None:
    """So that the platform looks whether it was for memory."""
    await looped.init("#!/bin/sh\nread -r line\necho bye\nkill -9 $$\n")
    outcome = await looped.run()
    assert isinstance(outcome.reply, Died)
    assert outcome.log.stdout == "bye\n"


async def test_what_was_printed_before_a_hang_is_known(tmp_path: Path) -> None:
    async for framed in started("actionloop", "frames", tmp_path):
        await framed.init(loop("echo begun; sleep 100"))
        outcome = await framed.send_bytes("run", b'{"value":{}}', timeout_s=0.5)
        assert outcome.reply == Expired()
        assert outcome.log.stdout == "begun\n"


async def test_the_last_line_of_a_skeleton_is_its_result(skeleton: RuntimeProcess) -> None:
    assert (await skeleton.init(ECHO)).status == 200
    for value in ({"text": "❄ ☃ ❄"}, [1, {"a": 2}], {}):
        outcome = await skeleton.run(value)
        assert (outcome.status, outcome.body) == (200, value)
        assert outcome.log.stdout == "hello stdout\n"
        assert outcome.log.stderr == "hello stderr\n"
        expect_markers(skeleton, outcome.log.markers)


async def test_a_skeleton_reads_its_standard_input_and_its_context(
    skeleton: RuntimeProcess,
) -> None:
    source = '#!/bin/sh\nread -r in\necho "{\\"in\\": $in, \\"id\\": \\"$__OW_ACTIVATION_ID\\"}"\n'
    await skeleton.init(source)
    for activation in ("1" * 32, "2" * 32):
        outcome = await skeleton.run({"a": 1}, activation_id=activation)
        assert outcome.body == {"in": {"a": 1}, "id": activation}


async def test_a_megabyte_reaches_a_skeleton_by_its_standard_input_only(
    skeleton: RuntimeProcess,
) -> None:
    await skeleton.init('#!/bin/sh\ntest -z "$1" && exec cat\n')
    value = {"text": "x" * 1_048_561}
    assert (await skeleton.run(value)).body == value


async def test_a_skeleton_without_code_is_a_stub(skeleton: RuntimeProcess) -> None:
    nothing: dict[str, Any] = {}
    assert (await skeleton.send("init", nothing)).status == 200
    stub = "This is a stub action. Replace it with custom logic."
    assert (await skeleton.run()).body == {"error": stub}


@pytest.mark.parametrize("printed", ["words", "7", "null", '"text"', ""])
async def test_a_last_line_that_is_no_result_is_log(skeleton: RuntimeProcess, printed: str) -> None:
    await skeleton.init(f"#!/bin/sh\necho first\necho '{printed}'\nexit 1\n")
    outcome = await skeleton.run()
    assert (outcome.status, outcome.error) == (502, NO_OBJECT)
    assert outcome.log.stdout.rstrip("\n") == f"first\n{printed}".rstrip("\n")
    expect_markers(skeleton, outcome.log.markers)


async def test_how_a_skeleton_ends_does_not_matter(skeleton: RuntimeProcess) -> None:
    await skeleton.init("#!/bin/sh\necho '{\"a\": 1}'\nkill -9 $$\n")
    assert (await skeleton.run()).body == {"a": 1}


async def test_a_skeleton_refuses_what_is_no_dictionary(skeleton: RuntimeProcess) -> None:
    await skeleton.init(ECHO)
    outcome = await skeleton.send("run", {"value": "text"})
    expected = "The action did not receive a dictionary or array as an argument."
    assert (outcome.status, outcome.error) == (404, expected)
    expect_markers(skeleton, outcome.log.markers)


async def test_a_program_of_the_host_runs_as_it_is(skeleton: RuntimeProcess) -> None:
    assert (await skeleton.init(ECHO_PROGRAM, binary=True)).status == 200
    assert (await skeleton.run({"echoed": True})).body == {"echoed": True}


async def test_a_process_that_a_skeleton_leaves_holds_up_nobody(tmp_path: Path) -> None:
    async for framed in started("skeleton", "frames", tmp_path):
        assert isinstance(framed, FramesProcess)
        await framed.init("#!/bin/sh\nsleep 100 &\necho '{\"left\": true}'\n")
        outcome = await framed.send_bytes("run", b'{"value":{}}', timeout_s=10)
        assert outcome.body == {"left": True}
