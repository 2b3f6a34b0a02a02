"""The ends that a sandbox and the platform hold of one another: a socket and two pipes."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from invoker.driver.channel import Channel


@dataclass(frozen=True, slots=True)
class Wires:
    """Both ends, until each side has its own."""

    near: socket.socket
    far: socket.socket
    read_ends: list[int]
    write_ends: list[int]
    of_platform: ExitStack
    """Closes the near ends, unless a channel has taken them over."""

    @property
    def of_sandbox(self) -> list[int]:
        """The descriptors that the sandbox gets: channel, stdout, stderr."""
        return [self.far.fileno(), *self.write_ends]

    async def connect(self) -> Channel:
        """Return the channel, which owns the near ends from here on."""
        channel = await Channel.open(self.near, self.read_ends[0], self.read_ends[1])
        self.of_platform.pop_all()
        return channel


@contextmanager
def laid(owner: int | None) -> Iterator[Wires]:
    """Yield fresh wires; at the end close the far ends, and the near ones if nobody took them.

    owner: the host's user that may reopen its ends through `/dev/stdout`; None is our own.
    """
    with ExitStack() as of_sandbox, ExitStack() as of_platform:
        near, far = socket.socketpair()
        of_platform.callback(near.close)
        of_sandbox.callback(far.close)
        wires = Wires(near, far, [], [], of_platform)
        for _ in ("stdout", "stderr"):
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            of_platform.callback(os.close, read_end)
            of_sandbox.callback(os.close, write_end)
            wires.read_ends.append(read_end)
            wires.write_ends.append(write_end)
            if owner is not None:
                os.fchown(write_end, owner, owner)
        yield wires
