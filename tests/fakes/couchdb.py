"""The double of CouchDB as a process of its own, which a test may break and mend."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.fakes.embedded import ROOT

FOR_EVER = 1_000_000
"""As often as a fault may happen before it is mended."""


@dataclass(frozen=True, slots=True)
class CouchProcess:
    """A database that answers at *url*, until it is told not to."""

    url: str
    process: "subprocess.Popen[str]"

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
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data=body, method="PUT")
        urllib.request.urlopen(request, timeout=5).close()

    def _tell(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def _control(self, method: str, faults: Any = None) -> Any:
        body = None if faults is None else json.dumps(faults).encode()
        request = urllib.request.Request(f"{self.url}/_fault", data=body, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


@contextmanager
def couch_process(*, port: int = 0, auth: str | None = None) -> Iterator[CouchProcess]:
    """Run one while inside; auth: `user:password`."""
    command = [sys.executable, "-m", "tests.couchfake", "--port", str(port)]
    if auth is not None:
        command += ["--auth", auth]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield CouchProcess(process.stdout.readline().strip(), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
