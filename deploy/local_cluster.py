"""A cluster on this machine, for a while: broker, store, controller, invokers, provider of events.

Broker and store come from deploy/dev with ports and folders of their own, so that none that is
there already is touched. A container engine that answers is used; where none does, root starts one.
Everything has its data below one folder, and ends with the context. In the store, invokers have a
user of their own, who may do no more than they have to.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INVOKERS = 2
FETCH_S = 900
"""Bound of a service's start: the first one downloads it."""
READY_S = 60
STOP_S = 30
ANSWER_S = 30
ADMIN, MEMBER = "brisk", "brisk_invoker"


class DidNotStart(Exception):
    """A part of the cluster did not start, or did not end well."""


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A cluster that is up."""

    url: str
    couchdb: str
    """Where the document store answers."""
    couchdb_auth: str
    """`user:password` of its admin."""
    has_containers: bool
    """Whether sandboxes are containers; else they are processes."""


@contextmanager
def cluster(folder: Path, properties: Path) -> Iterator[LocalCluster]:
    """Have a cluster run while inside.

    *properties* is written for the command line: where the API is, and the key of its guest.
    Raises `DidNotStart`.
    """
    auth = f"{uuid.uuid4()}:{secrets.token_hex(32)}"
    with ExitStack() as stack:
        couchdb = f"http://127.0.0.1:{_service(stack, folder, 'couchdb')}"
        passwords = _users(couchdb)
        shared = {
            "BRISK_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{_service(stack, folder, 'kafka')}",
            "BRISK_COUCHDB__URL": couchdb,
            "BRISK_COUCHDB__MEMBER": MEMBER,
            "BRISK_COUCHDB__USER": ADMIN,
            "BRISK_COUCHDB__PASSWORD": passwords[ADMIN],
            "BRISK_CONTROLLER__GUEST_AUTH": auth,
        }
        containers = _engine(stack)
        shared |= containers
        port, events_port = _free_port(), _free_port()
        url = f"http://127.0.0.1:{port}"
        ours = shared | {
            "BRISK_SECRET_FILE": str(_secret(folder)),
            "BRISK_EVENTS__URL": f"http://127.0.0.1:{events_port}",
            "BRISK_EVENTS__API_HOST": url,
        }
        stack.enter_context(_process(folder, "controller", 0, port, ours))
        shared |= {
            "BRISK_INVOKER__API_HOST": url,
            "BRISK_COUCHDB__USER": MEMBER,
            "BRISK_COUCHDB__PASSWORD": passwords[MEMBER],
        }
        for number in range(INVOKERS):
            stack.enter_context(_process(folder, "invoker", number, _free_port(), shared))
        stack.enter_context(_process(folder, "controller.events", 0, events_port, ours))
        _wait_until_up(url)
        properties.touch(mode=0o600)
        properties.write_text(f"APIHOST={url}\nAUTH={auth}\n")
        print(f"One controller and {INVOKERS} invokers are ready: {url}", flush=True)
        yield LocalCluster(url, couchdb, f"{ADMIN}:{passwords[ADMIN]}", bool(containers))


def _service(stack: ExitStack, folder: Path, name: str) -> int:
    """Start one of deploy/dev on a port of its own; return the port."""
    port, script = _free_pair(), ROOT / "deploy" / "dev" / name
    own = {f"{name.upper()}_PORT": str(port), f"{name.upper()}_HOME": str(folder / name)}
    own[f"{name.upper()}_KEEP_DATA"] = "1"  # on the disk; the folder goes when all is over
    environment = os.environ | own
    print(f"$ deploy/dev/{name} start", flush=True)
    run = partial(subprocess.run, env=environment, check=False)
    stack.callback(run, [script, "stop"], timeout=STOP_S)
    if run([script, "start"], timeout=FETCH_S).returncode != 0:
        raise DidNotStart(f"{name} did not start")
    return port


def _secret(folder: Path) -> Path:
    """Make what controllers and providers of events share: it decrypts the keys of namespaces."""
    path = folder / "secret"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return path


def _users(couchdb: str) -> dict[str, str]:
    """Make an admin and the user of invokers in PouchDB's server; return their passwords."""
    passwords = {name: secrets.token_hex(16) for name in (ADMIN, MEMBER)}
    member = {"name": MEMBER, "password": passwords[MEMBER], "roles": [], "type": "user"}
    asked("PUT", f"{couchdb}/_config/admins/{ADMIN}", passwords[ADMIN])
    auth = f"{ADMIN}:{passwords[ADMIN]}"
    asked("PUT", f"{couchdb}/_users/org.couchdb.user:{MEMBER}", member, auth=auth)
    return passwords


def asked(method: str, url: str, value: Any = None, *, auth: str | None = None) -> Any:
    """Return what a document store answers. Raises `OSError`.

    auth: `user:password`.
    """
    body = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    if auth is not None:
        request.add_header("Authorization", f"Basic {b64encode(auth.encode()).decode()}")
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        return json.load(answer)


def _engine(stack: ExitStack) -> dict[str, str]:
    """Have a container engine; return the settings that name it, empty where none can be had."""
    if os.geteuid() != 0:
        print("Not root: functions run as processes here, not in containers", flush=True)
        return {}
    script = ROOT / "deploy" / "dev" / "docker"
    run = partial(subprocess.run, check=False, text=True, stdout=subprocess.PIPE)
    was_there = run([script, "status"], timeout=STOP_S).returncode == 0
    print("$ deploy/dev/docker start", flush=True)
    if not was_there:
        stack.callback(run, [script, "stop"], timeout=STOP_S)
    started = run([script, "start"], timeout=FETCH_S)
    setting, _, socket_path = started.stdout.strip().partition("=")
    if started.returncode != 0 or not socket_path:
        print("No container engine: functions run as processes here, not in containers", flush=True)
        return {}
    print(f"{setting}={socket_path}", flush=True)
    return {setting: socket_path, "BRISK_INVOKER__DRIVER": "docker"}


@contextmanager
def _process(
    folder: Path, part: str, number: int, port: int, shared: Mapping[str, str]
) -> Iterator[None]:
    """Have one process of ours run; its log is shown if it does not end well."""
    own = {
        "BRISK_DATA": str(folder / f"{part}{number}"),
        "BRISK_HTTP__PORT": str(port),
        f"BRISK_{part.rpartition('.')[2].upper()}__ID": str(number),
    }
    path = folder / f"{part}{number}.log"
    print(f"$ python -m {part}    # {part} {number}", flush=True)
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", part], cwd=ROOT, env=os.environ | shared | own, stderr=log
        )
    try:
        yield
        process.terminate()
        if process.wait(STOP_S) != 0:
            raise DidNotStart(f"{part}{number} stopped with exit code {process.returncode}")
    except BaseException:
        print(path.read_text(errors="replace")[-2000:], file=sys.stderr)
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_until_up(url: str) -> None:
    """Return when the controller has heard of all invokers."""
    give_up_s = time.monotonic() + READY_S
    while time.monotonic() < give_up_s:
        try:
            with urllib.request.urlopen(f"{url}/invokers", timeout=5) as answer:
                if list(json.load(answer).values()) == ["up"] * INVOKERS:
                    return
        except OSError:  # includes HTTP errors: it is not there yet
            pass
        time.sleep(0.1)
    raise DidNotStart(f"the controller and its invokers were not up after {READY_S} s")


def _free_pair() -> int:
    """Return a free port with a free one after it, which a broker takes for itself."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except (OSError, OverflowError):
                continue
            return port


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
