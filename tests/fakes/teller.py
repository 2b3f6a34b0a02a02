"""Whom functions tell that they run: in this process, or in a network of its own.

`unshare --net python -m tests.fakes.teller` prints its port, then the id of each activation that
runs. Its network has nothing but a loopback; whoever enters it can tell it something.
"""

import fcntl
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tests.fakes.embedded import ROOT

ID_CHARACTERS: Final = 32
_SET_FLAGS: Final = 0x8914
_UP: Final = 0x1


@contextmanager
def teller(hear: Callable[[str], None]) -> Iterator[int]:
    """Listen to functions while inside; yield the port. hear: is told the id of each that runs."""

    class Hear(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            hear(self.rfile.read(ID_CHARACTERS).decode())
            self.wfile.write(b".")

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128
        daemon_threads = True

    with Server(("127.0.0.1", 0), Hear) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def teller_apart(hear: Callable[[str], None]) -> Iterator[tuple[int, int]]:
    """Do the same in a network of its own; yield the process that is in it, and the port."""
    command = ["unshare", "--net", sys.executable, "-m", "tests.fakes.teller"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout

    def listen(lines: Iterator[str]) -> None:
        for line in lines:
            hear(line.strip())

    with process.stdout:
        port = int(process.stdout.readline())
        thread = threading.Thread(target=listen, args=(process.stdout,))
        thread.start()
        try:
            yield process.pid, port
        finally:
            process.kill()
            process.wait()
            thread.join()


def _main() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    line = threading.Lock()

    def say(text: object) -> None:
        with line:  # of one thread at a time: text and its end are two writes
            print(text, flush=True)  # noqa: T201

    with teller(say) as port:
        say(port)
        threading.Event().wait()


if __name__ == "__main__":
    _main()
