"""Controller and invoker as containers: built without a registry, healthy, and of use."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract import engine
from tests.fakes import kafka
from tests.fakes.api import Api
from tests.fakes.cluster import free_url, get
from tests.fakes.couchdb import CouchProcess, couch_process
from tests.fakes.embedded import GUEST_AUTH, ROOT

pytestmark = [*engine.needed, pytest.mark.kafka, pytest.mark.needs_root, pytest.mark.timeout(400)]

BUILD_S = 300
READY_S = 60.0
MAKES_SANDBOXES = (
    "--cap-add", "SYS_ADMIN", "--security-opt", "systempaths=unconfined",
    "--security-opt", "seccomp=unconfined",
    "--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup",
)  # fmt: skip
HELLO = "def main(a):\n  print('said hello')\n  return {'greeting': 'Hello ' + a['name']}"


def docker(*arguments: str, timeout_s: float = 60) -> str:
    command = ["docker", "--host", f"unix://{engine.socket()}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, (arguments, done.stderr[-2000:])
    return done.stdout.strip()


@pytest.fixture(scope="module")
def images() -> None:
    subprocess.run(
        [ROOT / "deploy" / "images" / "build", str(engine.socket())], check=True, timeout=BUILD_S
    )


@contextmanager
def container(image: str, settings: Mapping[str, str], *options: str) -> Iterator[tuple[str, str]]:
    """Run *image* on this host's loopback; yield where it answers, and its name."""
    url, port = free_url()
    own = {"BRISK_HTTP__HOST": "127.0.0.1", "BRISK_HTTP__PORT": port}
    given = [each for name, value in {**settings, **own}.items()
             for each in ("--env", f"{name}={value}")]  # fmt: skip
    name = f"brisk-test-{os.getpid()}-{secrets.token_hex(3)}"
    try:
        # What cannot be started is there nevertheless.
        docker("run", "--detach", "--name", name, "--network", "host", *options, *given, image)
        yield url, name
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture
def shared(images: None) -> Iterator[tuple[CouchProcess, dict[str, str]]]:
    if reason := kafka.absence():
        pytest.skip(reason)
    with couch_process() as store:
        yield (
            store,
            {
                "BRISK_COUCHDB__URL": store.url,
                "BRISK_KAFKA__TOPIC_PREFIX": f"t{secrets.token_hex(4)}_",
                "BRISK_CONTROLLER__GUEST_AUTH": GUEST_AUTH,
                "BRISK_POOL__STEM_CELLS": "0",
            },
        )


def test_both_are_healthy_run_an_action_and_stop_well(
    shared: tuple[CouchProcess, dict[str, str]],
) -> None:
    _, settings = shared
    with (
        container("brisk/controller", settings) as (controller, its_name),
        container("brisk/invoker", settings, *MAKES_SANDBOXES) as (invoker, invokers_name),
    ):
        names = (its_name, invokers_name)
        for url in (controller, invoker):
            until(lambda url=url: state_of(url) == "healthy", names)  # type: ignore[misc]
        api = Api(controller, GUEST_AUTH)
        api.put_action("hello", HELLO)
        answered = api.invoke("hello", {"name": "Ada"})
        assert answered.status == 200, answered
        assert answered.body["response"]["result"] == {"greeting": "Hello Ada"}
        record = api.record(answered.body["activationId"])
        assert record["logs"][0].endswith("stdout: said hello")
        # The engine asks /ping by itself.
        until(lambda: [_told(name)["Health"]["Status"] for name in names] == ["healthy"] * 2, names)
        for name in names:
            docker("stop", "--time", "30", name)
            assert _told(name)["ExitCode"] == 0, docker("logs", name)


def test_a_controller_is_nobody_special_and_alive_while_it_waits(
    shared: tuple[CouchProcess, dict[str, str]],
) -> None:
    store, settings = shared
    store.leave()
    confined = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only")
    with container("brisk/controller", settings, *confined) as (url, name):
        until(lambda: state_of(url) == "starting", (name,))
        until(lambda: bool(get(f"{url}/healthz")["dependencies"]["couchdb"]["why"]), (name,))
        until(lambda: _told(name)["Health"]["Status"] == "healthy", (name,))
        assert docker("exec", name, "id", "-u") == "65533"
        store.come_back()
        until(lambda: get(f"{url}/healthz")["dependencies"]["kafka"]["why"] == "", (name,))


def test_images_say_which_brisk_they_are(images: None) -> None:
    project = Path(ROOT, "pyproject.toml").read_text()
    for image in ("brisk/controller", "brisk/invoker"):
        labels = json.loads(
            docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)
        )
        assert f'version = "{labels["brisk.version"]}"' in project
        assert "brisk.kind" not in labels, "it would be taken for the image of a runtime"


def state_of(url: str) -> str | None:
    known = get(f"{url}/healthz")
    return known and str(known["state"])


def until(condition: Callable[[], bool], names: tuple[str, ...]) -> None:
    give_up_s = time.monotonic() + READY_S
    while not condition():
        assert time.monotonic() < give_up_s, [docker("logs", "--tail", "30", n) for n in names]
        time.sleep(0.2)


def _told(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", name))
    return told
