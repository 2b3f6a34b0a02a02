"""The transcripts in the runtimes' README are what is really said."""

import json
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from tests.fakes.ports import free_port

RUNTIMES = Path(__file__).parents[3] / "runtimes"
README = (RUNTIMES / "README.md").read_text()
PROXY = str(RUNTIMES / "python/proxy.py")


def lines_of(block: str) -> list[str]:
    found = re.search(rf"```{block}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def shown(kind: str, payload: bytes) -> str:
    """Return a frame as the README writes it."""
    if kind == "A":
        status, flags = struct.unpack_from(">HB", payload)
        return f"A {status} {flags} {payload[3:].decode().rstrip()}"
    if kind == "L":
        return f"L {payload[0]} {payload[9:].decode().rstrip()}"
    return f"{kind} {payload.decode()}"


def read_frame(stream: BinaryIO) -> str:
    frame = stream.read(int.from_bytes(stream.read(4), "big"))
    return shown(frame[:1].decode(), frame[1:])


def test_the_frames_are_those_that_are_sent(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", PROXY, "--channel", str(theirs.fileno())]
    with (
        subprocess.Popen(
            command, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}, pass_fds=[theirs.fileno()]
        ),
        ours,
        ours.makefile("rb") as stream,
    ):
        theirs.close()
        ours.settimeout(20)
        for line in lines_of("frames"):
            direction, said = line.split(" ", 1)
            if direction == "->":
                kind, body = said.split(" ", 1)
                json.loads(body)
                payload = body.encode()
                ours.sendall(struct.pack(">I", len(payload) + 1) + kind.encode() + payload)
            else:
                heard = read_frame(stream)
                expected = ".*".join(map(re.escape, said.split("…")))
                assert re.fullmatch(expected, heard, re.DOTALL), heard


def test_the_requests_are_those_that_are_answered(tmp_path: Path) -> None:
    said = {">": "", "<": ""}
    for line in lines_of("http"):
        said[line[0]] += line[2:] + "\r\n"
    requests = said[">"].replace("}\r\nPOST", "}POST").rstrip("\r\n").encode()
    answers = said["<"].replace('{"ok":true}\r\n', '{"ok":true}\n').rstrip("\r\n").encode()
    port = free_port()
    command = [sys.executable, "-I", PROXY, "--http", f"127.0.0.1:{port}"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE
    ) as process:
        try:
            with connected(port, process) as client:
                client.sendall(requests)
                heard = b""
                while len(heard) < len(answers):
                    heard += client.recv(65_536)
                assert heard == answers
        finally:
            process.terminate()


def connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert process.poll() is None
