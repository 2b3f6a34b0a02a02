"""How long a bare fork takes of an interpreter that holds what a Python zygote holds.

No namespaces, no limits, no code: the child says one byte over a socket pair and ends. This is the
floor under any cold start of a forked interpreter.
"""

import subprocess
import sys
from functools import cache
from typing import Final

from tests.fakes.embedded import ROOT

_FORKER: Final = """
import gc, importlib.util, os, socket, sys, time
spec = importlib.util.spec_from_file_location("proxy", sys.argv[1])
proxy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(proxy)
gc.collect(); gc.freeze()
for line in sys.stdin:
    ours, theirs = socket.socketpair()
    began = time.perf_counter_ns()
    pid = os.fork()
    if pid == 0:
        theirs.sendall(b"!")
        os._exit(0)
    ours.recv(1)
    print((time.perf_counter_ns() - began) / 1e6, flush=True)
    os.waitpid(pid, 0)
    ours.close(); theirs.close()
"""


@cache
def _forker() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _FORKER, str(ROOT / "runtimes/python/proxy.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def bare_fork_ms(count: int) -> list[float]:
    """Return how long each of *count* forks took until the child spoke, in milliseconds."""
    forker = _forker()
    assert forker.stdin and forker.stdout
    times: list[float] = []
    for _ in range(count):
        forker.stdin.write("\n")
        forker.stdin.flush()
        times.append(float(forker.stdout.readline()))
    return times


def close() -> None:
    """End the interpreter that was forked."""
    forker = _forker()
    assert forker.stdin and forker.stdout
    forker.stdin.close()
    forker.wait(10)
    forker.stdout.close()
