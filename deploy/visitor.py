"""Somebody who types commands of `brisk` and looks at what they say, for the demo."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from deploy.local_cluster import LocalCluster

COMMANDS = Path(sys.executable).parent
STEP_S = 30


class NotAsItShouldBe(Exception):
    """A step of the demo did not do what it says."""


class Demo:
    """Types commands in a folder of its own, and looks at what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster: LocalCluster | None = None
        self.environment = os.environ | {"WSK_CONFIG_FILE": str(folder / "wskprops")}

    @property
    def has_containers(self) -> bool:
        """Whether functions run in containers."""
        return self.cluster is not None and self.cluster.has_containers

    def say(self, text: str) -> None:
        """Announce what comes next."""
        print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)

    def write(self, name: str, text: str | bytes) -> None:
        """Put a file beside the commands."""
        data = text if isinstance(text, bytes) else text.lstrip("\n").encode()
        (self.folder / name).write_bytes(data)

    def brisk(
        self, line: str, *, expect: str, exit_code: int = 0, last_lines: int | None = None
    ) -> str:
        """Type `brisk LINE`, show it with its output, and return the output.

        last_lines: show these only.
        Raises `NotAsItShouldBe` unless it holds *expect* and the command ends with *exit_code*.
        """
        print(f"$ brisk {line}", flush=True)
        ended = subprocess.run(
            [COMMANDS / "brisk", *shlex.split(line)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        output = ended.stdout + ended.stderr
        shown = output.splitlines()[-last_lines:] if last_lines else output.splitlines()
        print(*shown, sep="\n", flush=True)
        if ended.returncode != exit_code:
            raise NotAsItShouldBe(f"exit code {ended.returncode}, not {exit_code}")
        if expect not in output:
            raise NotAsItShouldBe(f"the output does not say {expect!r}")
        return output

    def read(self, address: str, *, expect: str, shows: bool = True) -> None:
        """Read an address as a browser would, and show what it says.

        address: a URL, or a path of the platform. shows: else how long it is.
        Raises `NotAsItShouldBe` unless it holds *expect*.
        """
        url = address
        if address.startswith("/"):
            wskprops = Path(self.environment["WSK_CONFIG_FILE"]).read_text()
            host = dict(line.split("=", 1) for line in wskprops.split())["APIHOST"]
            url = f"{host if '://' in host else 'http://' + host}{address}"
        print(f"$ curl {url}", flush=True)
        with urlopen(url, timeout=STEP_S) as answer:
            text = str(answer.read().decode())
        print(text if shows else f"({len(text)} characters of HTML)", flush=True)
        if expect not in text:
            raise NotAsItShouldBe(f"the page does not say {expect!r}")

    def await_activation(self, name: str, *, at_least: int) -> None:
        """Return when *name* has *at_least* so many activations, and show them.

        Raises `NotAsItShouldBe` when it takes too long.
        """
        give_up_s = time.monotonic() + STEP_S
        while True:
            listed = self.quietly("activation", "list", name)
            if listed.count(f"{name}:") >= at_least:
                print(f"$ brisk activation list {name}\n{listed}", end="", flush=True)
                return
            if time.monotonic() > give_up_s:
                raise NotAsItShouldBe(f"{name} was not activated {at_least} times")
            time.sleep(0.1)

    def quietly(self, *words: str) -> str:
        """Type a command that is not shown, and return what it says."""
        return subprocess.run(
            [COMMANDS / "brisk", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=True,
        ).stdout

    def newest(self, name: str) -> dict[str, Any]:
        """Return the newest record of an action, and show its times and what it cost."""
        listed = self.quietly("activation", "list", name, "--limit", "1", "--full")
        record: dict[str, Any] = json.loads(listed[listed.index("{") :])
        noted = {entry["key"]: entry["value"] for entry in record["annotations"]}
        start = "warm" if record["duration"] else "never started"
        if "initTime" in noted:
            start = f"cold, initTime {noted['initTime']} ms"
        print(
            f"  {start}; waitTime {noted['waitTime']} ms, duration {record['duration']} ms; "
            f"{record['response']['status']}"
        )
        return record | {"noted": noted}
