"""Private images: each namespace shows its registry credentials of its own, and nobody else's."""

import asyncio
import io
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.program import run
from common.clock import SystemClock
from common.ids import Namespace, Subject
from common.settings import CouchdbSettings, Settings
from common.store.couch import CouchStores
from common.store.secrets_file import InstallationSecret
from common.store.subjects import SubjectStore
from tests.contract import engine
from tests.fakes import docker_cluster, images
from tests.fakes.api import Answered, Api
from tests.fakes.cluster import Cluster, Member
from tests.fakes.embedded import GUEST_AUTH
from tests.fakes.images import Workshop, workshop
from tests.fakes.registry import Registry, registry

pytestmark = [pytest.mark.kafka, *engine.needed, pytest.mark.needs_root]

OWN = "/api/brisk/v1/namespaces/_"
ECHO = "def main(a): return {'got': a}"
USER, PASSWORD = "ada", "correct-horse-battery"
OTHER_AUTH = f"{'0' * 35}1:{'k' * 64}"


@dataclass
class Place:
    cluster: Cluster
    registry: Registry
    image: str
    folder: Path

    @property
    def guest(self) -> Api:
        return self.cluster.api

    @property
    def other(self) -> Api:
        return Api(self.cluster.url, OTHER_AUTH)

    def login(self, api: Api, password: str = PASSWORD) -> Answered:
        body = {"username": USER, "password": password}
        return api.call("PUT", f"{OWN}/registries/{self.registry.host}", body)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        serving = stack.enter_context(registry({USER: PASSWORD}))
        made = stack.enter_context(workshop())
        folder: Path = tmp_path_factory.mktemp("private")
        stack.callback(images.forget, serving.host)
        cluster = stack.enter_context(docker_cluster.running(folder))
        asyncio.run(other_namespace(cluster.controllers[0], folder / "other"))
        yield Place(cluster, serving, private_image(made, serving), folder)


def private_image(made: Workshop, serving: Registry) -> str:
    local = made.image(name="somebody/private:1")
    return serving.add("somebody/private", "1", made.exported(local))


async def other_namespace(controller: Member, folder: Path) -> None:
    """Make a second namespace as an operator would; there is no command for it yet."""
    told = {
        key.partition("__")[2].lower(): value
        for key, value in controller.environment.items()
        if key.startswith("BRISK_COUCHDB__")
    }
    settings, clock = Settings(), SystemClock()
    couchdb = CouchdbSettings.model_validate(told)
    stores = await CouchStores.open(folder, couchdb, settings.store, clock)
    try:
        secret = InstallationSecret.load_or_create(
            Path(controller.environment["BRISK_SECRET_FILE"])
        )
        subjects = SubjectStore(stores.subjects, secret, settings.throttle, clock=clock)
        uuid, _, key = OTHER_AUTH.partition(":")
        await subjects.create(Subject("other"), Namespace("other"), uuid, key)
    finally:
        await stores.close()


def invoked(api: Api, name: str, image: str) -> Answered:
    """Invoke a new action of *image*, which has no sandbox yet."""
    body = {"exec": {"kind": "blackbox", "image": image, "code": ECHO}}
    assert api.call("PUT", f"actions/{name}", body).status == 200
    return api.invoke(name)


def not_pulled(answered: Answered, image: str) -> None:
    assert answered.status == 502, answered
    text = f"Failed to pull container image '{image}'."
    assert answered.body["response"]["result"] == {"error": text}


def test_who_has_no_credentials_is_not_given_the_image(place: Place) -> None:
    answered = invoked(place.guest, "without", place.image)
    not_pulled(answered, place.image)
    record = place.guest.record(answered.body["activationId"])
    assert "does not have it, or not for everybody" in record["logs"][0]


def test_credentials_need_the_key_that_a_controller_keeps(place: Place) -> None:
    assert place.login(place.guest).status == 200
    answered = invoked(place.guest, "no-key", place.image)
    assert answered.status == 500, answered
    assert answered.body["response"]["status"] == "whisk internal error"
    log = place.cluster.invokers[0].log
    assert "copy `registries.key` of a controller's folder" in log.read_text()

    shutil.copy(place.folder / "controller0" / "registries.key", place.folder / "invoker0")

    answered = place.guest.invoke("no-key")
    assert answered.status == 200, answered


def test_another_namespace_needs_its_own_though_the_image_is_here(place: Place) -> None:
    with images.client() as library:
        [here] = images.pulled(library, place.registry.host)
    not_pulled(invoked(place.other, "same-name", place.image), place.image)
    by_id = here.short_id.removeprefix("sha256:")
    for number, name in enumerate((by_id, f"sha256:{by_id}", here.id)):
        not_pulled(invoked(place.other, f"by-id-{number}", name), name)

    assert place.login(place.other, "wrong").status == 200
    not_pulled(invoked(place.other, "wrong-password", place.image), place.image)

    assert place.login(place.other).status == 200
    assert invoked(place.other, "with-its-own", place.image).status == 200
    deleted = place.other.call("DELETE", f"{OWN}/registries/{place.registry.host}")
    assert deleted.status == 200
    not_pulled(invoked(place.other, "after-that", place.image), place.image)


def test_what_the_registry_revokes_is_revoked_for_the_next_start(place: Place) -> None:
    assert invoked(place.guest, "before", place.image).status == 200
    place.registry.users[USER] = "changed"
    try:
        not_pulled(invoked(place.guest, "after", place.image), place.image)
    finally:
        place.registry.users[USER] = PASSWORD


def test_credentials_are_their_namespaces_affair_and_passwords_are_never_shown(
    place: Place,
) -> None:
    listed = place.guest.call("GET", f"{OWN}/registries")
    assert [(each["host"], each["username"]) for each in listed.body] == [
        (place.registry.host, USER)
    ]
    assert PASSWORD not in str(listed.body)
    theirs = "/api/brisk/v1/namespaces/guest/registries"
    assert place.other.call("GET", theirs).status == 403
    body = {"username": USER, "password": "x"}
    assert place.other.call("PUT", f"{theirs}/{place.registry.host}", body).status == 403
    assert place.other.call("DELETE", f"{theirs}/{place.registry.host}").status == 403
    for log in place.cluster.logs:
        assert PASSWORD not in log.read_text()


def test_the_command_line_reads_the_password_from_standard_input(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WSK_CONFIG_FILE", str(tmp_path / "wskprops"))
    (tmp_path / "wskprops").write_text(f"APIHOST={place.cluster.url}\nAUTH={GUEST_AUTH}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))
    assert run("brisk", ["registry", "set", "registry.example", "bob"]) == 0
    assert run("brisk", ["registry", "list"]) == 0
    assert run("brisk", ["registry", "delete", "registry.example"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "ok: kept credentials for registry.example",
        "registries",
        f"{place.registry.host}  {USER}",
        "registry.example  bob",
        "ok: deleted credentials for registry.example",
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("brisk", ["registry", "set", "registry.example", "bob"]) == 2
    assert run("brisk", ["registry", "delete", "registry.example"]) != 0
    assert "Unable to delete the credentials" in capsys.readouterr().err
