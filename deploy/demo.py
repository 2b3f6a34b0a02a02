"""Shows Brisk at work: real functions, deployed, invoked cold and warm, logged, broken and billed.

Run by `make demo`. It starts the embedded platform on a free port with a folder of its own, types
the commands that a user would type, prints what they print, checks that each said what it should,
and stops what it started. The first thing that is not as it should be ends it with exit code 1.
`make demo CLUSTER=1` does the same on Kafka and a document store, in processes of their own.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from deploy.local_cluster import DidNotStart, LocalCluster, asked, cluster

COMMANDS = Path(sys.executable).parent
READY_S = 20
STOP_S = 20
STEP_S = 30
IMAGE = "brisk/python:3.11"
"""Of deploy/dev/docker; any image that serves OpenWhisk's /init and /run would do."""
NO_IMAGE = "localhost:1/nobody/nothing:1"

HELLO_PY = """
import os

def main(args):
    print(f"greeting {args.get('name', 'stranger')} in process {os.getpid()}")
    return {"greeting": f"Hello {args.get('name', 'stranger')}"}
"""
HELLO_JS = """
async function main({ name = 'stranger' }) {
  console.log(`greeting ${name} from node ${process.version}`)
  return { greeting: `Hello ${name}` }
}
"""
ZIP_MAIN = """
from words import shout

def main(args):
    return {"greeting": shout(f"hello {args['name']}")}
"""
ZIP_WORDS = """
def shout(text):
    return text.upper() + "!"
"""
FAILS = """
def main(args):
    return {"error": f"no such customer: {args['id']}"}
"""
SLEEPS = """
import time

def main(args):
    print("going to sleep")
    time.sleep(60)
"""
EATS = """
def main(args):
    blocks = []
    while True:
        blocks.append(bytearray(8 << 20))
"""


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

    def brisk(self, line: str, *, expect: str, exit_code: int = 0) -> str:
        """Type `brisk LINE`, show it with its output, and return the output.

        Raises `NotAsItShouldBe` unless it holds *expect* and the command ends with *exit_code*.
        """
        print(f"$ brisk {line}", flush=True)
        ended = subprocess.run(
            [COMMANDS / "brisk", *line.split()],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        output = ended.stdout + ended.stderr
        print(output, end="", flush=True)
        if ended.returncode != exit_code:
            raise NotAsItShouldBe(f"exit code {ended.returncode}, not {exit_code}")
        if expect not in output:
            raise NotAsItShouldBe(f"the output does not say {expect!r}")
        return output

    def newest(self, name: str) -> dict[str, Any]:
        """Return the newest record of an action, and show its times and what it cost."""
        listed = subprocess.run(
            [COMMANDS / "brisk", "activation", "list", name, "--limit", "1", "--full"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=True,
        ).stdout
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


def hello(demo: Demo, name: str, artifact: str, flags: str, expect: str) -> None:
    """Deploy one action and invoke it cold and warm."""
    demo.brisk(f"action create {name} {artifact} {flags}".strip(), expect=f"created action {name}")
    for start in ("cold", "warm"):
        demo.brisk(f"action invoke {name} --result --param name World", expect=expect)
        if ("initTime" in demo.newest(name)["noted"]) != (start == "cold"):
            raise NotAsItShouldBe(f"this should have been a {start} start")


def run_and_look(demo: Demo) -> None:
    """Deploy and invoke healthy functions in every language that this host has."""
    demo.say("A Python function: the first call is cold, the second finds it warm")
    demo.write("hello.py", HELLO_PY)
    hello(demo, "hello", "hello.py", "", '"Hello World"')
    demo.brisk("activation logs --last", expect="greeting World in process")

    demo.say("A zip with two modules")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("__main__.py", ZIP_MAIN)
        packed.writestr("words.py", ZIP_WORDS)
    demo.write("shout.zip", archive.getvalue())
    hello(demo, "shout", "shout.zip", "--kind python:default", '"HELLO WORLD!"')

    if demo.has_containers or shutil.which("node"):
        demo.say("A Node function")
        demo.write("hello.js", HELLO_JS)
        hello(demo, "hello-node", "hello.js", "", '"Hello World"')
        demo.brisk("activation logs --last", expect="greeting World from node v")
    else:
        demo.say("No Node on this host: the Node function is left out")

    if demo.has_containers:
        demo.say("The Python function once more, as an action that brings an image of its own")
        hello(demo, "hello-image", "hello.py", f"--docker {IMAGE}", '"Hello World"')
        demo.brisk("activation logs --last", expect="greeting World in process")


def break_and_look(demo: Demo) -> None:
    """Let functions go wrong in three ways; each record says how."""
    demo.say("A function that fails says why, and its caller's exit code tells")
    demo.write("fails.py", FAILS)
    demo.brisk("action create fails fails.py", expect="created action fails")
    demo.brisk(
        "action invoke fails --result --param id 7",
        expect='"error": "no such customer: 7"',
        exit_code=246,
    )
    demo.newest("fails")

    demo.say("One that runs past its time limit of one second; what it printed is kept")
    demo.write("sleeps.py", SLEEPS)
    demo.brisk("action create sleeps sleeps.py --timeout 1000", expect="created action sleeps")
    demo.brisk(
        "action invoke sleeps --result",
        expect="The action exceeded its time limits of 1000 milliseconds.",
        exit_code=246,
    )
    demo.newest("sleeps")
    demo.brisk("activation logs --last", expect="stdout: going to sleep")

    demo.say("One that eats more memory than its limit of 128 MB")
    demo.write("eats.py", EATS)
    demo.brisk("action create eats eats.py --memory 128", expect="created action eats")
    demo.brisk(
        "action invoke eats --result",
        expect="The action exhausted its memory and was aborted.",
        exit_code=246,
    )
    demo.newest("eats")

    if demo.has_containers:
        demo.say("One whose image is nowhere")
        demo.brisk(f"action create nowhere --docker {NO_IMAGE}", expect="created action nowhere")
        demo.brisk(
            "action invoke nowhere --result",
            expect=f"Failed to pull container image '{NO_IMAGE}'.",
            exit_code=246,
        )
        demo.newest("nowhere")


def account(demo: Demo) -> None:
    """Show every activation and the bill."""
    demo.say("Everything that ran")
    demo.brisk("activation list", expect="hello:0.0.1")
    demo.say("The bill: milliseconds of load and run, by the memory reserved")
    demo.brisk("usage", expect="sleeps")
    if demo.cluster is not None:
        demo.say("The same bill, summed from the records as the document store holds them")
        told = json.loads(demo.brisk("usage --json", expect='"total"'))["total"]
        read_back(demo.cluster, told)


def read_back(cluster: LocalCluster, told: dict[str, int]) -> None:
    """Ask the store itself for all records; the last one may take a moment to get there.

    Raises `NotAsItShouldBe` unless they are what the API *told*.
    """
    give_up_s = time.monotonic() + STEP_S
    while (held := _sums(cluster)) != told:
        if time.monotonic() > give_up_s:
            raise NotAsItShouldBe(f"the store holds {held}, the API told {told}")
        time.sleep(0.2)
    print(json.dumps(held))


def _sums(cluster: LocalCluster) -> dict[str, int]:
    get = partial(asked, "GET", auth=cluster.couchdb_auth)
    names = [each for each in get(f"{cluster.couchdb}/_all_dbs") if each.startswith("brisk_act_")]
    rows = [
        row
        for name in names
        for row in get(f"{cluster.couchdb}/{name}/_all_docs?include_docs=true")["rows"]
    ]
    billed = [row["doc"]["brisk"] for row in rows if "brisk" in row["doc"]]
    return {
        "activations": len(billed),
        "billed_ms": sum(each["billed_ms"] for each in billed),
        "mb_ms": sum(each["billed_ms"] * each["memory_mb"] for each in billed),
    }


@contextmanager
def platform(demo: Demo) -> Iterator[None]:
    """Have the embedded platform run while inside."""
    demo.say("Start the embedded platform: one process, nothing else to install")
    data = demo.folder / "data"
    print(f"$ brisk serve --port 0 --data {data}", flush=True)
    serving = subprocess.Popen(
        [COMMANDS / "brisk", "serve", "--port", "0", "--data", data],
        cwd=demo.folder,
        env=demo.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout
    too_late = threading.Timer(READY_S, serving.kill)
    too_late.start()
    try:
        line = serving.stdout.readline()
        too_late.cancel()
        print(line, end="", flush=True)
        if not line.startswith("Brisk is ready"):
            raise NotAsItShouldBe("the platform did not start")
        yield
        demo.say("Stop")
        serving.send_signal(signal.SIGTERM)
        if serving.wait(STOP_S) != 0:
            raise NotAsItShouldBe(f"the platform stopped with exit code {serving.returncode}")
        print("stopped cleanly")
    finally:
        too_late.cancel()
        if serving.poll() is None:
            serving.kill()
            serving.wait()
        serving.stdout.close()


@contextmanager
def clustered(demo: Demo) -> Iterator[None]:
    """Have a cluster run while inside."""
    demo.say("Start a cluster: Kafka, a document store, Docker, one controller and two invokers")
    with cluster(demo.folder, Path(demo.environment["WSK_CONFIG_FILE"])) as demo.cluster:
        yield
        demo.say("Stop")
    print("stopped cleanly")


def main() -> int:
    """Play the demo; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="brisk-demo-") as folder:
        demo = Demo(Path(folder))
        try:
            with clustered(demo) if os.getenv("CLUSTER") == "1" else platform(demo):
                run_and_look(demo)
                break_and_look(demo)
                account(demo)
        except (NotAsItShouldBe, DidNotStart, subprocess.SubprocessError, OSError) as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            return 1
    demo.say("That was Brisk: the real platform, the real commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
