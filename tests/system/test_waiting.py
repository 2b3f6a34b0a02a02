"""A process whose services are not there: it says so to whoever asks, hammers nobody, and stops."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.couchfake.faults import LOCKED
from tests.fakes.cluster import Member, a_member, free_url, wait_until
from tests.fakes.couchdb import couch_process

NOBODY = "127.0.0.1:9"
"""Where nobody listens."""
AT_ONCE_S = 6.0
"""Bound of a stop that has nothing to wait for: less than the 10 s that a request may take, which
it would else wait for. Most of it is Python's own end on a machine that has much to do."""
PARTS = pytest.mark.parametrize("part", ["controller", "invoker"])


@contextmanager
def waiting(folder: Path, part: str, settings: Mapping[str, str]) -> Iterator[Member]:
    """Run a process that cannot begin to serve."""
    usual = {
        "BRISK_COUCHDB__PREFIX": "brisk_",
        "BRISK_COUCHDB__RETRY_S": "0.2",
        "BRISK_KAFKA__BOOTSTRAP_SERVERS": NOBODY,
    }
    folder.mkdir(exist_ok=True)
    member = a_member(folder, part, 0, {**usual, **settings})
    member.start()
    try:
        wait_until(lambda: bool(member.health()), [member.log])
        yield member
    finally:
        member.kill()


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@PARTS
def test_it_says_what_it_waits_for_and_stops_at_once(tmp_path: Path, part: str) -> None:
    url, port = free_url()
    with waiting(tmp_path, part, {"BRISK_COUCHDB__URL": url}) as member:
        wait_until(lambda: "cannot be reached" in (member.why("couchdb") or ""), [member.log])
        assert member.health()["state"] == "starting"
        assert ask(f"{member.url}/ping") == (200, "pong")
        assert ask(f"{member.url}/healthz")[0] == 503
        assert member.metric('brisk_health_degraded_dependencies{dependency="couchdb"}') == 1
        if part == "controller":
            for method in ("/api/v1/namespaces/_/actions", "/invokers"):
                status, said = ask(member.url + method)
                assert status == 503
                assert "The controller is starting. It waits for couchdb: The database" in said

        with couch_process(port=int(port)):
            wait_until(
                lambda: "No broker of BRISK_KAFKA" in (member.why("kafka") or ""), [member.log]
            )
            assert member.why("couchdb") is None
            member.stop(AT_ONCE_S)
    assert "waits_for" in member.log.read_text()


@PARTS
def test_it_stops_at_once_although_a_database_holds_it_up(tmp_path: Path, part: str) -> None:
    with couch_process() as store:
        store.fail("delay", method="ANY", path="", seconds=60)
        with waiting(tmp_path, part, {"BRISK_COUCHDB__URL": store.url}) as member:
            wait_until(lambda: bool(store.requests))
            member.stop(AT_ONCE_S)


@PARTS
@pytest.mark.parametrize("is_locked", [False, True], ids=["wrong", "locked"])
def test_a_refused_password_is_tried_once_and_the_text_names_the_setting(
    tmp_path: Path, part: str, is_locked: bool
) -> None:
    with couch_process(auth="brisk:the-right-one") as store:
        password = "the-right-one" if is_locked else "a-wrong-one"
        if is_locked:
            store.fail(
                "status", method="ANY", path="", status=403, error="forbidden", reason=LOCKED
            )
        settings = {
            "BRISK_COUCHDB__URL": store.url,
            "BRISK_COUCHDB__USER": "brisk",
            "BRISK_COUCHDB__PASSWORD": password,
        }
        with waiting(tmp_path, part, settings) as member:
            wait_until(lambda: "BRISK_COUCHDB__PASSWORD" in (member.why("couchdb") or ""))
            asked = len(store.requests)
            assert asked == 1
            time.sleep(3)  # in which a wait of a second each would have asked three times
            assert len(store.requests) == asked
            assert password not in member.log.read_text()
            member.stop(AT_ONCE_S)


@PARTS
def test_a_layout_of_a_newer_version_is_not_touched_and_not_waited_for(
    tmp_path: Path, part: str
) -> None:
    with couch_process() as store:
        store.put("brisk_meta")
        newer = {"version": 99, "written_by": "Brisk 9.9"}
        store.put("brisk_meta/schema", {"body": newer})
        member = a_member(tmp_path, part, 0, {"BRISK_COUCHDB__URL": store.url})
        member.start()
        try:
            assert member.process
            assert member.process.wait(20) == 1
        finally:
            member.kill()
        assert "layout 99, written by Brisk 9.9" in member.log.read_text()
        written = [path for method, path in store.requests if method in ("PUT", "POST")]
        assert len(written) == 2, "those of this test"


def test_a_controller_with_another_secret_does_not_start_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    with couch_process() as store:
        settings = {"BRISK_COUCHDB__URL": store.url}
        with waiting(tmp_path / "first", "controller", settings) as first:
            wait_until(
                lambda: "No broker of BRISK_KAFKA" in (first.why("kafka") or ""), [first.log]
            )
            secret = tmp_path / "first" / "controller0" / "secret"
        other = a_member(tmp_path, "controller", 1, settings)
        other.start()
        try:
            assert other.process
            assert other.process.wait(20) == 1
        finally:
            other.kill()
        said = other.log.read_text()
        assert f"The secret in {tmp_path}/controller1/secret is not the one" in said
        assert "BRISK_SECRET_FILE" in said

        given = {**settings, "BRISK_SECRET_FILE": str(secret)}
        with waiting(tmp_path / "third", "controller", given) as third:
            wait_until(
                lambda: "No broker of BRISK_KAFKA" in (third.why("kafka") or ""), [third.log]
            )
        assert not (tmp_path / "third" / "controller0" / "secret").exists()
