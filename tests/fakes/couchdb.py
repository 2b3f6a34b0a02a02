"""Servers that speak CouchDB, asked by an operator; and the double as a process of its own.

The double may be broken and mended.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.fakes.embedded import ROOT

FOR_EVER = 1_000_000
"""As often as a fault may happen before it is mended."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks the server at *url* by hand.

    auth: `user:password`; None where everybody is let in.
    """

    url: str
    auth: str | None = None

    def ask(self, method: str, path: str, value: Any = None) -> Any:
        """Return the answer. Raises `urllib.error.HTTPError`."""
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data=body, method=method)
        request.add_header("Content-Type", "application/json")
        if self.auth is not None:
            request.add_header("Authorization", f"Basic {b64encode(self.auth.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def add_user(self, name: str, password: str) -> None:
        """Make a user without any role."""
        user = {"name": name, "password": password, "roles": [], "type": "user"}
        self.ask("PUT", f"_users/org.couchdb.user:{name}", user)


@dataclass(frozen=True, slots=True)
class CouchProcess:
    """A database that answers at *url*, until it is told not to."""

    operator: Operator
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.operator.url

    def leave(self) -> None:
        """Refuse connections from now on; what is stored stays."""
        self._tell(signal.SIGUSR1)

    def come_back(self) -> None:
        """Answer again."""
        self._tell(signal.SIGUSR2)

    def hang(self) -> None:
        """Accept connections, and answer nothing."""
        self._tell(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._tell(signal.SIGCONT)

    def fail(self, kind: str, **fields: Any) -> None:
        """Have every request that matches fail; see `tests.couchfake.faults`."""
        self._control("POST", [{"kind": kind, "times": FOR_EVER, **fields}])

    def mend(self) -> None:
        """Let nothing fail any more."""
        self._control("DELETE")

    @property
    def requests(self) -> list[list[str]]:
        """Method and path of what was asked, also of what failed."""
        return list(self._control("GET")["requests"])

    def put(self, path: str, document: Any = None) -> None:
        """Store something behind everybody's back."""
        self.operator.ask("PUT", path, document)

    def _tell(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def _control(self, method: str, faults: Any = None) -> Any:
        return self.operator.ask(method, "_fault", faults)


@contextmanager
def couch_process(*, port: int = 0, auth: str | None = None) -> Iterator[CouchProcess]:
    """Run one while inside; auth: `user:password`."""
    command = [sys.executable, "-m", "tests.couchfake", "--port", str(port)]
    if auth is not None:
        command += ["--auth", auth]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield CouchProcess(Operator(process.stdout.readline().strip(), auth), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
