"""Shows Brisk at work: real functions, deployed, invoked cold and warm, logged, broken and billed.

Run by `make demo`. It starts the embedded platform on a free port with a folder of its own, types
the commands that a user would type, prints what they print, checks that each said what it should,
and stops what it started. The first thing that is not as it should be ends it with exit code 1.
`make demo CLUSTER=1` does the same on Kafka and a document store, in processes of their own.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.bill import account
from deploy.local_cluster import DidNotStart, cluster
from deploy.tour import break_and_look, compose_and_look, run_and_look, serve_and_look
from deploy.visitor import COMMANDS, Demo, NotAsItShouldBe

READY_S = 20
STOP_S = 20


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
    demo.say(
        "Start a cluster: Kafka, a document store, Docker; a controller, two invokers, a clock"
    )
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
                compose_and_look(demo)
                serve_and_look(demo)
                break_and_look(demo)
                account(demo)
        except (NotAsItShouldBe, DidNotStart, subprocess.SubprocessError, OSError) as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            return 1
    demo.say("That was Brisk: the real platform, the real commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
