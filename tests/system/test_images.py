"""Actions that are images, end to end: good ones, every way to be bad, and their neighbours."""

import io
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.program import run
from tests.contract import engine
from tests.fakes import docker_cluster, images
from tests.fakes.api import Answered, Api
from tests.fakes.cluster import Cluster, wait_until
from tests.fakes.embedded import GUEST_AUTH
from tests.fakes.images import HANGS, STRANGER, Workshop, workshop
from tests.fakes.registry import Registry, registry

pytestmark = [pytest.mark.kafka, *engine.needed, pytest.mark.needs_root]

OWN = "/api/brisk/v1/namespaces/_"
ECHO = "def main(a):\n  print('got', a)\n  return {'got': a}"
NOT_AS_EXPECTED = "The action did not initialize or run as expected. Log data might be missing."


@dataclass
class Place:
    """A cluster of one invoker, a registry, and somewhere to make images."""

    cluster: Cluster
    registry: Registry
    made: Workshop

    @property
    def api(self) -> Api:
        return self.cluster.api

    def put(self, name: str, image: str, code: str | None = None, **limits: int) -> None:
        execution = {"kind": "blackbox", "image": image}
        body = {"exec": execution | ({"code": code} if code else {}), "limits": limits}
        answered = self.api.call("PUT", f"actions/{name}?overwrite=true", body)
        assert answered.status == 200, answered

    def faults(self, fault: str) -> float:
        return self.metric(f'brisk_pool_image_faults_total{{fault="{fault}"}}')

    def metric(self, series: str) -> float:
        return Api(self.cluster.invokers[0].url, ":").metric(series)

    def pull(self, name: str, command: list[str] | None = None, *, tag: str = "1") -> str:
        """Return the reference of an image that only the registry has."""
        local = self.made.image(command, name=f"somebody/{name}:{tag}")
        return self.registry.add(f"somebody/{name}", tag, self.made.exported(local))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    settings = {"BRISK_DOCKER__PULL_WAIT_S": "4", "BRISK_POOL__MAX_STARTS": "2"}
    with ExitStack() as stack:
        serving = stack.enter_context(registry())
        made = stack.enter_context(workshop())
        folder: Path = tmp_path_factory.mktemp("images")
        stack.callback(images.forget, serving.host)
        cluster = stack.enter_context(docker_cluster.running(folder, settings=settings))
        yield Place(cluster, serving, made)


def result(answered: Answered) -> Any:
    assert answered.status == 200, answered
    return answered.body["response"]["result"]


def failed(place: Place, name: str, text: str, *, ran: bool) -> list[str]:
    """Invoke, see that it fails by the developer's mistake with *text*; return what was logged.

    ran: whether anything ran that is to be paid for.
    """
    answered = place.api.invoke(name)
    assert answered.status == 502, answered
    assert answered.body["response"]["status"] == "action developer error"
    assert answered.body["response"]["result"] == {"error": text}
    record = place.api.record(answered.body["activationId"])
    whole = place.api.call("GET", f"{OWN}/activations/{answered.body['activationId']}").body
    assert (whole["billed_ms"] > 0) == ran, whole
    assert record["logs"][-1].endswith(f"stderr: {NOT_AS_EXPECTED}")
    return [line[31:] for line in record["logs"][:-1]]


def test_an_image_with_code_is_an_action(place: Place) -> None:
    place.put("echo", STRANGER, ECHO)
    shown = place.api.call("GET", "actions/echo").body
    assert shown["exec"] == {
        "kind": "blackbox", "image": STRANGER, "binary": False, "code": ECHO,
    }  # fmt: skip
    colds = []
    for n in range(3):
        answered = place.api.invoke("echo", {"n": n})
        assert result(answered) == {"got": {"n": n}}
        record = place.api.record(answered.body["activationId"])
        assert [line[31:] for line in record["logs"]] == [f"stdout: got {{'n': {n}}}"]
        annotations = {each["key"]: each["value"] for each in record["annotations"]}
        assert annotations["kind"] == "blackbox"
        colds.append("initTime" in annotations)
    assert colds == [True, False, False]


def test_an_archive_is_handed_to_the_image_as_it_is(place: Place) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("__main__.py", "from words import word\ndef main(a): return {'w': word}")
        packed.writestr("words.py", "word = 'zipped'")
    place.put("zipped", STRANGER, b64encode(archive.getvalue()).decode())
    assert result(place.api.invoke("zipped")) == {"w": "zipped"}


def test_two_images_never_serve_for_each_other(place: Place) -> None:
    code = "import os\ndef main(a): return {'which': os.environ.get('WHICH')}"
    for name in ("one", "two"):
        image = place.made.image(Env=[f"WHICH={name}"])
        place.put(f"which-{name}", image, code)
    place.api.put_action("which-kind", code)
    with ThreadPoolExecutor(6) as callers:
        names = ["one", "two"] * 6
        answers = list(callers.map(lambda n: result(place.api.invoke(f"which-{n}")), names))
        assert answers == [{"which": name} for name in names]
    assert result(place.api.invoke("which-kind")) == {"which": None}


def test_an_image_is_pulled_when_it_is_missing_and_then_not_again(place: Place) -> None:
    image = place.pull("tagged")
    place.put("tagged", image, ECHO)
    place.put("tagged-again", image, ECHO)
    assert result(place.api.invoke("tagged")) == {"got": {}}
    asked = len(place.registry.asked)
    assert asked
    assert result(place.api.invoke("tagged-again")) == {"got": {}}
    assert len(place.registry.asked) == asked


def test_the_latest_image_is_pulled_for_each_start(place: Place) -> None:
    image = place.pull("newest", tag="latest").removesuffix(":latest")
    place.put("newest", image, ECHO)
    place.put("newest-again", image, ECHO)
    assert result(place.api.invoke("newest")) == {"got": {}}
    asked = len(place.registry.asked)
    assert result(place.api.invoke("newest-again")) == {"got": {}}
    assert len(place.registry.asked) > asked


def test_an_image_that_no_registry_has(place: Place) -> None:
    before = place.faults("not_pulled")
    for image in (f"{place.registry.host}/nobody/nothing:1", "localhost:1/nobody/nothing:1"):
        place.put("nothing", image)
        said = failed(place, "nothing", f"Failed to pull container image '{image}'.", ran=False)
        assert said[0].startswith("stderr: The registry did")
    assert place.faults("not_pulled") == before + 2


def test_an_image_whose_program_is_not_there(place: Place) -> None:
    before = place.faults("not_found")
    for command in ("/nowhere", "nowhere"):
        image = place.made.image([command])
        place.put("nowhere", image)
        [said] = failed(place, "nowhere", f"executable file not found in image {image}", ran=False)
        assert said.startswith(f"stderr: its program can't be started: {command}: ")
    assert place.faults("not_found") == before + 2


def test_an_image_whose_program_may_not_be_run(place: Place) -> None:
    before = place.faults("not_run")
    nobody = place.made.image(["true"], User="nobody-of-that-name")
    for image in (place.made.image(["/etc"]), nobody):
        place.put("denied", image)
        failed(place, "denied", f"Failed to run container with image '{image}'.", ran=False)
    assert place.faults("not_run") == before + 2


def test_an_image_that_is_no_action(place: Place) -> None:
    place.put("no-action", place.made.image(HANGS), timeout=1000)
    text = "The action exceeded its time limits of 1000 milliseconds during initialization."
    failed(place, "no-action", text, ran=True)


def test_an_image_that_ends_at_once(place: Place) -> None:
    place.put("ends", place.made.image(["sh", "-c", "echo last words; exit 3"]))
    text = "The action did not initialize and exited unexpectedly."
    assert failed(place, "ends", text, ran=True) == ["stdout: last words"]


def test_an_image_that_dies_while_it_loads_or_never_answers_or_eats_too_much(place: Place) -> None:
    place.put("dies", STRANGER, "import os\nos._exit(4)")
    failed(place, "dies", "The action did not initialize and exited unexpectedly.", ran=True)
    place.put("silent", STRANGER, "import time\ndef main(a): time.sleep(600)", timeout=1000)
    failed(place, "silent", "The action exceeded its time limits of 1000 milliseconds.", ran=True)
    place.put("eats", STRANGER, "def main(a): return len(bytearray(b'x' * (9 << 28)))")
    failed(place, "eats", "The action exhausted its memory and was aborted.", ran=True)


def test_pulls_that_hang_and_starts_that_fail_hold_up_nobody_else(place: Place) -> None:
    """More of them than there are starts, and than there is memory for."""
    place.registry.hanging.add("somebody/tarpit")
    for n in range(4):
        place.put(f"tarpit-{n}", f"{place.registry.host}/somebody/tarpit:{n}")
    place.put("broken", place.made.image(["/nowhere"]))
    place.api.put_action("good", "def main(a): return a")
    place.put("good-image", STRANGER, ECHO)
    hanging = [
        place.api.call("POST", f"actions/tarpit-{n % 4}", {}).body["activationId"]
        for n in range(12)
    ]
    broken = [place.api.call("POST", "actions/broken", {}).body["activationId"] for _ in range(12)]
    asked_s = 3.5  # shorter than a call waits for its image
    with ThreadPoolExecutor(2) as callers:
        good = [callers.submit(place.api.invoke, name) for name in ("good", "good-image")]
        assert [each.result(timeout=asked_s).status for each in good] == [200, 200]
    assert place.metric("brisk_pool_waiting_images") == 4
    for each in broken:
        error = place.api.record(each)["response"]["result"]["error"]
        assert error.startswith("executable file not found in image")
    for each in hanging:
        record = place.api.record(each)
        error = record["response"]["result"]["error"]
        assert error.startswith("Failed to pull container image")
        assert "It is still being pulled" in record["logs"][0]
    place.registry.release()


def test_what_is_pulled_slowly_is_there_for_the_next_call(place: Place) -> None:
    image = place.pull("slow")
    place.registry.hanging.add("somebody/slow")
    place.registry.hold()
    place.put("slow", image, ECHO)
    failed(place, "slow", f"Failed to pull container image '{image}'.", ran=False)
    place.registry.release()
    wait_until(lambda: place.api.invoke("slow").status == 200)


def test_the_command_line_makes_actions_of_images(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    (tmp_path / "wskprops").write_text(f"APIHOST={place.cluster.url}\nAUTH={GUEST_AUTH}\n")
    source = tmp_path / "echo.py"
    source.write_text(ECHO)
    lines = (
        ["action", "create", "typed", "--docker", STRANGER, str(source)],
        ["action", "invoke", "typed", "--result", "--param", "a", "b"],
    )
    for line in lines:
        assert run("wsk", line) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "ok: created action typed" in said
    assert '"a": "b"' in said
    assert run("wsk", ["action", "create", "native", "--native", str(source)]) == 0
    stored = place.api.call("GET", "actions/native").body["exec"]
    assert stored["image"] == "openwhisk/dockerskeleton"
    assert stored["code"] == ECHO
