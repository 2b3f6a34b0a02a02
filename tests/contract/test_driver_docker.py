"""What only containers do: images of strangers, images that can't be used, what a crash leaves."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from common.ids import ContainerId, Namespace
from common.settings import DockerSettings, SandboxSettings
from invoker.driver.docker.driver import DockerDriver
from invoker.driver.docker.sandbox import DockerSandbox
from invoker.driver.port import (
    Answer,
    CannotStart,
    Died,
    Expired,
    ImageNotExecutable,
    ImageNotPulled,
    ImageUnusable,
    Level,
    Network,
    Operation,
    OwnImage,
    Reply,
    SandboxSpec,
    Stream,
)
from tests.contract import engine
from tests.contract.drivers import Lines
from tests.fakes.images import STRANGER, Workshop, workshop

pytestmark = [*engine.needed, pytest.mark.needs_root]

NODE: Final = "nodejs:18"


class Containers:
    """A probed driver, and short words for containers of strangers."""

    def __init__(self, driver: DockerDriver) -> None:
        self.driver = driver
        self.logs = Lines()
        self._count = 0

    async def sandbox(self, image: str | None = STRANGER, kind: str = "blackbox") -> DockerSandbox:
        self._count += 1
        container_id = ContainerId(f"test-{os.getpid()}-{self._count}")
        return await self.driver.create(
            SandboxSpec(
                container_id=container_id,
                kind=kind,
                memory_mb=128,
                image=OwnImage(image, Namespace("guest")) if image else None,
            )
        )

    async def call(
        self, sandbox: DockerSandbox, operation: Operation, value: Any, timeout_s: float = 20
    ) -> Reply:
        return await sandbox.call(
            operation,
            json.dumps({"value": value}).encode(),
            timeout_s=timeout_s,
            answer_limit_bytes=1 << 20,
            logs=self.logs,
        )

    async def loaded(self, code: str) -> DockerSandbox:
        sandbox = await self.sandbox()
        value = {"name": "t", "main": "main", "binary": False, "code": code, "env": {}}
        reply = await self.call(sandbox, "init", value)
        assert isinstance(reply, Answer)
        assert reply.status == 200, reply.body
        return sandbox


def new_driver(state_dir: Path) -> DockerDriver:
    settings = DockerSettings(socket=engine.socket())
    return DockerDriver(settings, SandboxSettings(), {NODE: NODE}, state_dir, natives=[STRANGER])


@pytest.fixture
async def containers(tmp_path: Path) -> AsyncIterator[Containers]:
    driver = new_driver(tmp_path / "state")
    await driver.probe()
    try:
        yield Containers(driver)
    finally:
        await driver.close()


@pytest.fixture
def made() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


async def test_a_stranger_is_spoken_to_as_openwhisk_does(containers: Containers) -> None:
    sandbox = await containers.loaded(
        "import os, sys\n"
        "print('loaded')\n"
        "def main(args):\n"
        "    print('out', args['n'])\n"
        "    os.system('echo err >&2')\n"
        "    return {'n': args['n'], 'user': os.getuid()}\n"
    )

    for n in range(3):
        reply = await containers.call(sandbox, "run", {"n": n})
        assert isinstance(reply, Answer)
        assert json.loads(reply.body) == {"n": n, "user": 65532}

    assert containers.logs.text == {
        Stream.STDOUT: b"loaded\nout 0\nout 1\nout 2\n",
        Stream.STDERR: b"err\n" * 3,
    }


async def test_a_stranger_has_no_network_and_no_capability(containers: Containers) -> None:
    sandbox = await containers.loaded(
        "import os\n"
        "def main(args):\n"
        "    status = dict(l.split(':\\t', 1) for l in open('/proc/self/status') if ':\\t' in l)\n"
        "    return {'links': os.listdir('/sys/class/net'), 'caps': status['CapBnd'].strip(),\n"
        "            'filter': status['Seccomp'].strip(), 'nnp': status['NoNewPrivs'].strip()}\n"
    )

    reply = await containers.call(sandbox, "run", {})

    assert isinstance(reply, Answer)
    assert json.loads(reply.body) == {
        "links": ["lo"],
        "caps": "0" * 16,
        "filter": "2",
        "nnp": "1",
    }


async def test_a_stranger_that_was_paused_goes_on(containers: Containers) -> None:
    sandbox = await containers.loaded("def main(args):\n    return args\n")

    for n in range(3):
        await sandbox.pause()
        await sandbox.resume()
        reply = await containers.call(sandbox, "run", {"n": n})
        assert isinstance(reply, Answer)
        assert json.loads(reply.body) == {"n": n}


async def test_a_stranger_that_ends_says_how(containers: Containers) -> None:
    sandbox = await containers.loaded("import os\ndef main(args):\n    os._exit(args['code'])\n")

    assert await containers.call(sandbox, "run", {"code": 5}) == Died("exit 5")
    assert await sandbox.wait_death() == Died("exit 5")


async def test_a_stranger_that_fills_its_memory_is_told_apart(containers: Containers) -> None:
    sandbox = await containers.loaded(
        "def main(args):\n    return len(bytearray(b'x' * (9 << 28)))"
    )

    assert await containers.call(sandbox, "run", {}) == Died("signal 9", memory_exhausted=True)


async def test_a_stranger_that_hangs_expires(containers: Containers) -> None:
    sandbox = await containers.loaded("import time\ndef main(args):\n    time.sleep(60)\n")

    assert isinstance(await containers.call(sandbox, "run", {}, timeout_s=0.3), Expired)


async def test_an_image_that_is_nowhere_is_the_developers_mistake(containers: Containers) -> None:
    reference = "localhost:1/nobody/nothing:1"
    with pytest.raises(ImageNotPulled) as caught:
        await containers.sandbox(reference)

    assert str(caught.value) == f"Failed to pull container image '{reference}'."


async def test_an_image_without_its_program_is_the_developers_mistake(
    containers: Containers, made: Workshop
) -> None:
    broken_image = made.image(["/nowhere"])
    with pytest.raises(ImageNotExecutable) as caught:
        await containers.sandbox(broken_image)

    assert str(caught.value) == f"executable file not found in image {broken_image}"


async def test_what_the_engine_can_not_do_is_not_the_images_fault(tmp_path: Path) -> None:
    settings = DockerSettings(socket=engine.socket(), network="no-such-network")
    driver = DockerDriver(settings, SandboxSettings(), {NODE: NODE}, tmp_path / "state")
    spec = SandboxSpec(
        container_id=ContainerId(f"test-{os.getpid()}-125"),
        kind="blackbox",
        memory_mb=128,
        image=OwnImage(STRANGER, Namespace("guest")),
        network=Network.HOST,
    )
    try:
        await driver.probe()
        with pytest.raises(CannotStart) as caught:
            await driver.create(spec)
    finally:
        await driver.close()
    assert not isinstance(caught.value, ImageUnusable)
    assert "no-such-network" in str(caught.value.__cause__)


async def test_an_image_that_ends_at_once_says_how(containers: Containers, made: Workshop) -> None:
    sandbox = await containers.sandbox(made.image(["sh", "-c", "exit 9"]))

    assert await containers.call(sandbox, "init", {}) == Died("exit 9")


async def test_a_label_alone_makes_no_image_of_a_kind(tmp_path: Path, made: Workshop) -> None:
    """An action may bring an image that says of itself whatever it likes."""
    made.image(["true"], labels={"brisk.kind": "python:3.13", "brisk.faces": "frames"})
    settings = DockerSettings(socket=engine.socket())
    kinds = {"python:3.13": "nobody/nothing:1", NODE: "nobody/nothing:1"}
    driver = DockerDriver(settings, SandboxSettings(), kinds, tmp_path / "state")
    try:
        assert dict((await driver.probe()).kinds) == {NODE: "brisk/nodejs:18"}
    finally:
        await driver.close()


async def test_node_speaks_frames_from_its_image(containers: Containers) -> None:
    sandbox = await containers.sandbox(None, NODE)
    code = (
        "const { execSync } = require('child_process');\n"
        "function main(args) { console.log('out'); execSync('echo child', { stdio: 'inherit' });\n"
        "  return { got: args.n, heap: process.env.NODE_OPTIONS }; }\n"
    )
    value = {"name": "t", "main": "main", "binary": False, "code": code, "env": {}}

    loaded = await containers.call(sandbox, "init", value)
    reply = await containers.call(sandbox, "run", {"n": 7})

    assert isinstance(loaded, Answer)
    assert loaded.status == 200, loaded.body
    assert isinstance(reply, Answer)
    assert json.loads(reply.body) == {"got": 7, "heap": "--max-old-space-size=96"}
    assert sorted(containers.logs.text[Stream.STDOUT].split()) == [b"child", b"out"]


@pytest.mark.parametrize("is_paused", [False, True])
async def test_what_a_crash_left_is_found_and_removed(
    containers: Containers, tmp_path: Path, is_paused: bool
) -> None:
    left = await containers.sandbox(None, NODE)
    if is_paused:
        await left.pause()
    stranger, successor = new_driver(tmp_path / "other"), new_driver(tmp_path / "state")
    try:
        assert await stranger.reconcile() == []
        names = await successor.reconcile()
        assert len(names) == 1
        assert names[0].endswith(left.container_id)
        assert await successor.reconcile() == []
        assert isinstance(await left.wait_death(), Died)
    finally:
        await stranger.close()
        await successor.close()


async def test_without_an_engine_the_report_says_so(tmp_path: Path) -> None:
    settings = DockerSettings(socket=tmp_path / "nothing.sock")
    driver = DockerDriver(settings, SandboxSettings(), {NODE: NODE}, tmp_path / "state")

    report = await driver.probe()
    await driver.close()

    assert report.level is Level.NONE
    assert not report.kinds
    assert [each.remedy for each in report.degradations]
