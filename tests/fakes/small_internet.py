"""A host, the internet and a private network, each in network namespaces of a test's own.

Nothing of this machine's network takes part or is changed: the platform under test runs on the
host that is made here, whose only cable leads to a namespace where all others are. Servers there,
and on the host itself, say under which address they were reached.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from invoker.driver.egress import links

_T = TypeVar("_T")
WEB, WEB6 = "203.0.113.80", "2001:db8::80"
"""On the internet."""
RESOLVER = "203.0.113.53"
NAME = "stand-in.example"
"""A name that the resolver knows, of `WEB`."""
PRIVATE, PRIVATE6, LISTED = "192.168.77.7", "fd77::7", "192.168.88.8"
METADATA = "169.254.169.254"
HOST, HOST6 = "203.0.113.2", "2001:db8::2"
"""The host's own addresses, which the internet knows."""
WEB_PORT, HOST_PORT = 80, 8099

_SERVERS = f'''
import http.server, socket, socketserver, sys, threading

class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.connection.getsockname()[0].removeprefix("::ffff:").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

class Both(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

class Names(socketserver.BaseRequestHandler):
    def handle(self):
        question, reply = self.request
        name = question[12:question.index(0, 12) + 5]
        known = b"\\x08stand-in\\x07example\\0\\0\\1"
        answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + socket.inet_aton("{WEB}")
        found = name.startswith(known)
        head = question[:2] + b"\\x81\\x80\\0\\1\\0" + bytes([found]) + bytes(4)
        reply.sendto(head + name + (answer if found else b""), self.client_address)

threading.Thread(target=Both(("::", int(sys.argv[1])), Web).serve_forever, daemon=True).start()
if len(sys.argv) > 2:
    names = socketserver.ThreadingUDPServer((sys.argv[2], 53), Names)
    threading.Thread(target=names.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
'''


@dataclass(frozen=True, slots=True)
class SmallInternet:
    """What a test needs of it: the host's namespace, to start programs in and to look from."""

    host: int

    @property
    def prefix(self) -> list[str]:
        """The command that starts a program on the host."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.host}", "--"]

    def on_host(self, do: Callable[[], _T]) -> _T:
        """Return what *do* returns in a thread whose sockets are the host's."""
        return _inside(self.host, do)


@contextmanager
def small_internet() -> Iterator[SmallInternet]:
    """Yield the host; everything is gone at the end of the block."""
    with ExitStack() as stack:
        host, outside = (_namespace(stack) for _ in range(2))
        at = [f"/proc/{os.getpid()}/fd/{each}" for each in (host, outside)]
        _run(host, f"ip link add eth0 type veth peer name eth0 netns {at[1]}")
        _run(
            outside, *_addresses(f"203.0.113.1/24 {WEB}/24 {RESOLVER}/24 2001:db8::1/64 {WEB6}/64")
        )
        _run(outside, *_addresses(f"{PRIVATE}/32 {LISTED}/32 {METADATA}/32 {PRIVATE6}/128"))
        _run(host, *_addresses(f"{HOST}/24 {HOST6}/64"))
        _run(host, "ip route add default via 203.0.113.1", "ip route add default via 2001:db8::1")
        _run(host, "sysctl -q net.ipv6.conf.all.forwarding=1")
        _serve(stack, outside, str(WEB_PORT), RESOLVER)
        _serve(stack, host, str(HOST_PORT))
        yield SmallInternet(host)


def _addresses(listed: str) -> list[str]:
    added = [f"ip addr add {each} dev eth0 {'nodad' * (':' in each)}" for each in listed.split()]
    return ["ip link set lo up", "ip link set eth0 up", *added]


def _namespace(stack: ExitStack) -> int:
    with links.new_namespace() as namespace:
        own = os.dup(namespace)
    stack.callback(os.close, own)
    return own


def _inside(namespace: int, do: Callable[[], _T]) -> _T:
    results: list[_T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            links.enter(namespace)
            results.append(do())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _run(namespace: int, *commands: str) -> None:
    for command in commands:
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", "--", *command.split()],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"


def _serve(stack: ExitStack, namespace: int, *arguments: str) -> None:
    server = stack.enter_context(
        subprocess.Popen(
            [
                *("nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", "--"),
                *(sys.executable, "-c", _SERVERS, *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    )
    stack.callback(server.kill)
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"


def state_of(host: SmallInternet) -> tuple[list[str], str]:
    """Return the links of the host, and its rules without counts and comments."""

    def read() -> tuple[list[str], str]:
        names = [name for _, name in socket.if_nameindex()]
        saved = "".join(
            subprocess.run([each], capture_output=True, text=True, check=True).stdout
            for each in ("/usr/sbin/iptables-save", "/usr/sbin/ip6tables-save")
        )
        return names, "\n".join(line for line in saved.splitlines() if line.startswith("-A"))

    return host.on_host(read)
