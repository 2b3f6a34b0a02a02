"""What it costs a processor to go round many interpreters: nothing of the platform takes part.

As many forks of the Python runtime as are asked for, each on a bare socket pair: no namespaces, no
limits, no pool. They are called in turn. What many cost beyond one are the caches that each of
them finds filled by its predecessors, and the page tables that the processor has to walk anew; this
is the floor under what many warm actions cost. `python -m tests.bench.crowd COUNT` prints the
medians of one and of all, in microseconds.
"""

import gc
import importlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from common.codec import decode, encode
from tests.fakes.embedded import ROOT

BLOCKS: Final = 4
CALLS: Final = 1000
_CODE: Final = "def main(args):\n    return {}\n"
_INIT: Final = {"value": {"name": "crowd", "main": "main", "binary": False, "code": _CODE}}
_RUN: Final = {
    "value": {},
    "namespace": "guest",
    "action_name": "/guest/crowd",
    "action_version": "0.0.1",
    "activation_id": "0" * 32,
    "transaction_id": "0" * 32,
    "deadline": "1764371234567",
}


def measure_us(count: int) -> tuple[float, float]:
    """Return the medians of a round trip: with one interpreter, and with *count* in turn."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.crowd", str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    one_us, all_us = decode(told.stdout)
    return one_us, all_us


def _forked(serve: Callable[[int], None], held: list[socket.socket]) -> tuple[int, socket.socket]:
    """Return an interpreter that serves one end of a socket pair, and the other end."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        for sock in (*held, ours):
            sock.close()
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        serve(theirs.detach())
        os._exit(0)
    theirs.close()
    return pid, ours


def _frame(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(4, "big") + kind + body


def _answered(sock: socket.socket, frame: bytes) -> None:
    """Send *frame* and return when the answer begins, which small ones do in one piece."""
    sock.sendall(frame)
    while b"A" not in sock.recv(1 << 16)[4:5]:
        pass


def main(count: int) -> None:
    """Fork *count* interpreters, call one and all of them in blocks that alternate, and tell."""
    sys.path.insert(0, str(ROOT / "runtimes/python"))
    serve = importlib.import_module("brisk_runtime.channel").serve
    gc.collect()
    gc.freeze()
    socks: list[socket.socket] = []
    pids: list[int] = []
    try:
        for _ in range(count):
            pid, sock = _forked(serve, socks)
            pids.append(pid)
            socks.append(sock)
            assert sock.recv(1 << 16)[4:5] == b"H", "the interpreter did not come up"
            _answered(sock, _frame(b"I", encode(_INIT)))
        run = _frame(b"R", encode(_RUN))
        times: dict[int, list[float]] = {1: [], count: []}
        for _ in range(BLOCKS):
            for width, taken in times.items():
                for number in range(CALLS):
                    began_ns = time.perf_counter_ns()
                    _answered(socks[number % width], run)
                    taken.append((time.perf_counter_ns() - began_ns) / 1000)
        print(encode([statistics.median(taken) for taken in times.values()]).decode())
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
