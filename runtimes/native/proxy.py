"""The native runtime: starts a program, and hands it one activation after the other.

    python proxy.py --channel 3             frames on an inherited, connected socket
    python proxy.py --connect PATH          frames on the Unix socket at this path
    python proxy.py --http 0.0.0.0:8080     OpenWhisk's /init and /run

The program is whatever the sandbox can execute: it stays, and is spoken to by the ActionLoop
protocol. With `--skeleton`, or `__OW_NATIVE_PROTOCOL=skeleton` around it, a program is started
anew for each activation, as in OpenWhisk's `dockerskeleton`.

The faces, and what unpacks archives, are those of the Python runtime in the folder beside this one.
A zygote imports this file by its path, forks, and calls `serve_channel` in the child.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_OWN_PLACES = (_HERE, os.path.join(os.path.dirname(_HERE), "python"))

sys.path[:0] = _OWN_PLACES
try:
    from brisk_runtime import channel, web
    from brisk_runtime.habitat import Habitat
    from brisk_runtime.processes import Processes
    from brisk_runtime.streams import Streams, write_all

    from brisk_native.actionloop import ActionLoopRunner
    from brisk_native.skeleton import SkeletonRunner
finally:
    for _place in _OWN_PLACES:
        sys.path.remove(_place)

_PROTOCOL = "__OW_NATIVE_PROTOCOL"


def serve_channel(fd: int) -> None:
    """Serve frames on the connected socket *fd*. Never returns: its end ends the process."""
    is_skeleton = os.environ.pop(_PROTOCOL, "") == "skeleton"
    calls = channel.Channel(fd)
    streams = Streams(calls.log)
    habitat = Habitat()
    # A program that stays keeps the descriptors that it was started with.
    calls.hello("native", takes_descriptors=is_skeleton)
    if is_skeleton:
        channel.serve_calls(calls, SkeletonRunner(streams), habitat, Processes())
    channel.serve_calls(calls, ActionLoopRunner(streams), habitat, None)


def serve_socket(path: str) -> None:
    """Connect to the Unix socket at *path* and serve frames on it. Never returns."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(path)
    serve_channel(connected.detach())


def serve_http(host: str, port: int) -> None:
    """Serve /init and /run on *host*:*port* until the process is ended."""
    is_skeleton = os.environ.pop(_PROTOCOL, "") == "skeleton"
    streams = Streams(write_all)
    runner = SkeletonRunner(streams) if is_skeleton else ActionLoopRunner(streams)
    web.serve_calls(host, port, streams, runner)


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="Run one program as an action.")
    face = parser.add_mutually_exclusive_group()
    face.add_argument("--channel", type=int, metavar="FD", help="serve frames on this socket")
    face.add_argument("--connect", metavar="PATH", help="or connect to this Unix socket for it")
    # 8080 on all interfaces: where OpenWhisk looks for a runtime in its container.
    face.add_argument("--http", default="0.0.0.0:8080", metavar="HOST:PORT", help="or HTTP")
    parser.add_argument("--skeleton", action="store_true", help="a process for each activation")
    arguments = parser.parse_args()
    if arguments.skeleton:
        os.environ[_PROTOCOL] = "skeleton"
    if arguments.channel is not None:
        serve_channel(arguments.channel)
    elif arguments.connect is not None:
        serve_socket(arguments.connect)
    else:
        host, _, port = arguments.http.rpartition(":")
        serve_http(host.strip("[]"), int(port))


if __name__ == "__main__":
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        del sys.path[0]
    main()
