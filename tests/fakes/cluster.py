"""A small cluster as processes: controllers, invokers, and the double of CouchDB, on Kafka."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.fakes.api import Api
from tests.fakes.couchdb import CouchProcess, couch_process
from tests.fakes.embedded import GUEST_AUTH, ROOT
from tests.fakes.ports import free_port

READY_S = 30.0
STOP_S = 20.0
MEMBER = "invoker"
PASSWORD = "secret"
"""Of whoever is known to the double of CouchDB."""


@dataclass(slots=True)
class Member:
    """One process of a cluster, which can be killed and started again as it was."""

    command: list[str]
    environment: dict[str, str]
    url: str
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it; its log goes on where it was."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stderr=log
            )

    def kill(self) -> None:
        """End it as a power cut would. Harmless when it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, within_s: float = STOP_S) -> None:
        """End it as an operator would; it must end well."""
        assert self.process
        self.process.terminate()
        assert self.process.wait(within_s) == 0, self.log.read_text()[-2000:]

    def health(self) -> dict[str, Any]:
        """Return what `/healthz` says; nothing while nobody answers."""
        return dict(get(f"{self.url}/healthz") or {})

    def why(self, dependency: str) -> str | None:
        """Return why a dependency does not serve it; None while it does, or nobody answers."""
        known = self.health().get("dependencies", {}).get(dependency, {})
        return str(known["why"]) if known.get("why") else None

    def metric(self, series: str) -> float:
        """Return the value of *series*, such as `brisk_store_pending_records`."""
        return Api(self.url, GUEST_AUTH).metric(series)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answers at *url*."""

    couch: CouchProcess | None
    controllers: tuple[Member, ...]
    invokers: tuple[Member, ...]
    providers: tuple[Member, ...] = ()

    @property
    def controller(self) -> Member:
        """The first one."""
        return self.controllers[0]

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.controller.url

    @property
    def store(self) -> CouchProcess:
        """The double of its database."""
        assert self.couch, "it has one of its own"
        return self.couch

    @property
    def members(self) -> tuple[Member, ...]:
        """All processes of ours."""
        return (*self.controllers, *self.invokers, *self.providers)

    @property
    def logs(self) -> list[Path]:
        """What its processes say."""
        return [member.log for member in self.members]

    @property
    def api(self) -> Api:
        """A client of it, as the guest."""
        return Api(self.url, GUEST_AUTH)


@contextmanager
def running_cluster(
    folder: Path,
    *,
    controllers: int = 1,
    invokers: int = 2,
    providers: int = 0,
    store: str | None = None,
    settings: Mapping[str, str] | None = None,
    own: Mapping[str, Mapping[str, str]] | None = None,
    is_up: bool = True,
) -> Iterator[Cluster]:
    """Start everything but Kafka, which has to be there; stop it cleanly after.

    store: where CouchDB is spoken; None starts the double of it, where invokers have a user who may
        do no more than they have to.
    own: settings of one process, `invoker1` for example.
    is_up: whether to wait until all invokers are; else what they stand on is still to come.
    """
    prefix = f"t{secrets.token_hex(4)}_"
    with ExitStack() as stack:
        couch = None if store else stack.enter_context(couch_process(auth=f"root:{PASSWORD}"))
        if couch is not None:
            couch.operator.add_user(MEMBER, PASSWORD)
        shared = {
            "BRISK_COUCHDB__URL": store or (couch.url if couch else ""),
            **(_rights("root") if couch else {}),
            "BRISK_COUCHDB__PREFIX": prefix,
            "BRISK_KAFKA__TOPIC_PREFIX": prefix,
            "BRISK_CONTROLLER__COUNT": str(controllers),
            "BRISK_SECRET_FILE": str(_secret(folder)),
            "BRISK_CONTROLLER__GUEST_AUTH": GUEST_AUTH,
            "BRISK_POOL__STEM_CELLS": "0",
            **(settings or {}),
        }
        members: list[Member] = []
        rights = {"invoker": _rights(MEMBER) if couch else {}}
        ports = [free_url() for _ in range(providers)]
        shared["BRISK_EVENTS__URL"] = ",".join(url for url, _ in ports)
        shared["BRISK_EVENTS__COUNT"] = str(max(1, providers))
        for part, number in [
            *(("controller", number) for number in range(controllers)),
            *(("invoker", number) for number in range(invokers)),
            *(("events", number) for number in range(providers)),
        ]:
            more = (own or {}).get(f"{part}{number}", {})
            # Functions and providers reach the API by the first of the controllers, which come
            # first.
            first = members[0].url if members else ""
            api = {"BRISK_INVOKER__API_HOST": first, "BRISK_EVENTS__API_HOST": first}
            wanted = {**(api if first else {}), **shared, **rights.get(part, {}), **more}
            at = ports[number] if part == "events" else None
            member = a_member(folder, part, number, wanted, at=at)
            stack.callback(member.kill)
            member.start()
            members.append(member)
        ends = controllers + invokers
        cluster = Cluster(
            couch,
            tuple(members[:controllers]),
            tuple(members[controllers:ends]),
            tuple(members[ends:]),
        )
        for controller in cluster.controllers if is_up else ():
            up = partial(_has_all_up, controller.url, invokers)
            wait_until(up, cluster.logs)
        yield cluster
        for member in reversed(members):
            member.stop()


def _rights(user: str) -> dict[str, str]:
    """Return the settings of a process that is *user* in the database."""
    return {
        "BRISK_COUCHDB__USER": user,
        "BRISK_COUCHDB__PASSWORD": PASSWORD,
        "BRISK_COUCHDB__MEMBER": MEMBER,
    }


def a_member(
    folder: Path,
    part: str,
    number: int,
    settings: Mapping[str, str],
    *,
    prefix: Sequence[str] = (),
    at: tuple[str, str] | None = None,
) -> Member:
    """Return a process that has not been started, with its data and log below *folder*.

    part: `controller`, `invoker` or `events`. prefix: a command that becomes the process.
    at: its URL and port; None are free ones.
    """
    url, port = at or free_url()
    own = {
        "BRISK_DATA": str(folder / f"{part}{number}"),
        "BRISK_HTTP__PORT": port,
        f"BRISK_{part.upper()}__ID": str(number),
    }
    return Member(
        [*prefix, sys.executable, "-m", "controller.events" if part == "events" else part],
        _environment({**settings, **own}),
        url,
        folder / f"{part}{number}.log",
    )


def health(cluster: Cluster) -> list[str]:
    """Return the state of each invoker, as the controller sees it."""
    return health_at(cluster.url)


def health_at(url: str) -> list[str]:
    """Return the state of each invoker, as the controller at *url* sees it."""
    return list((get(f"{url}/invokers") or {}).values())


def _has_all_up(url: str, invokers: int) -> bool:
    return health_at(url) == ["up"] * invokers


def wait_until(
    condition: Callable[[], bool], logs: Sequence[Path] = (), *, within_s: float = READY_S
) -> None:
    """Return when *condition* holds. Raises AssertionError with the logs when it does not."""
    give_up_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up_s:
            raise AssertionError("\n".join(log.read_text()[-2000:] for log in logs))
        time.sleep(0.05)


def get(url: str) -> Any:
    """Return the decoded answer of *url*; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return json.loads(error.read())
    except OSError:
        return None


def _secret(folder: Path) -> Path:
    """Make a secret for all controllers: they read keys that another has encrypted."""
    path = folder / "secret"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return path


def free_url() -> tuple[str, str]:
    """Return the URL and the number of a port where nobody listens."""
    port = free_port()
    return f"http://127.0.0.1:{port}", str(port)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BRISK_")}  # noqa: TID251
    return clean | dict(settings)
