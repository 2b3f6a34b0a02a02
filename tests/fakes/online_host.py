"""A platform on a host of a test's own, and what its functions see of the world there."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fakes import small_internet as world
from tests.fakes.api import Api
from tests.fakes.embedded import GUEST_AUTH, ROOT, start, wait_ready
from tests.fakes.small_internet import SmallInternet, state_of

REACHES = """
import socket, urllib.request
def main(args):
    return {each: reach(each) for each in args["urls"]}
def reach(url):
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return answer.read().decode()
    except OSError as error:
        return "no: " + str(error)
"""
CALLS_API = """
import json, os, urllib.request
def main(args):
    url = os.environ["__OW_API_HOST"] + "/api/v1/namespaces/_/actions"
    headers = {"Authorization": args["authorization"]}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
        return {"host": os.environ["__OW_API_HOST"], "actions": len(json.load(answer))}
"""


class Host:
    """A platform on the test's host, and its API as it is reached there."""

    def __init__(
        self,
        internet: SmallInternet,
        data: Path,
        prefix: Sequence[str] = (),
        root: Path = ROOT,
        python: str = sys.executable,
        **settings: str,
    ) -> None:
        self.internet = internet
        whole = [*internet.prefix, *prefix]
        self.process = start(data, settings=settings, prefix=whole, root=root, python=python)
        self.api = Api(wait_ready(self.process), GUEST_AUTH)

    def do(self, name: str, code: str, kind: str = "python:default", **args: Any) -> Any:
        """Return the result of an action that is made for it."""

        def call() -> Any:
            self.api.put_action(name, code, kind=kind)
            return self.api.invoke(name, args).body["response"]["result"]

        return self.internet.on_host(call)

    def reach(self, *hosts: str, port: int = world.WEB_PORT) -> dict[str, str]:
        """Return what a function sees at each of *hosts*."""
        bracketed = {host: f"[{host}]" if ":" in host else host for host in hosts}
        urls = {host: f"http://{name}:{port}/" for host, name in bracketed.items()}
        seen = self.do("reaches", REACHES, urls=list(urls.values()))
        return {host: seen[url] for host, url in urls.items()}

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0
        assert self.process.stdout
        self.process.stdout.close()


def await_state(internet: SmallInternet, wanted: object) -> None:
    """Return when the host is as it was: the kernel takes namespaces apart in its own time."""
    deadline = time.monotonic() + 10
    while (state := state_of(internet)) != wanted:
        assert time.monotonic() < deadline, (state, wanted)
        time.sleep(0.02)
