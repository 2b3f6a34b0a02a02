"""Where a container of ours finds the platform: a folder with a socket and two named pipes.

The folder is mounted read-only, so it is no disk to write to; connecting to a socket and opening a
pipe need no writable mount. One container gets one folder, and the first who connects is the only
one: the socket is gone before any code of a user is there.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Final

from invoker.driver.channel import Channel

_STREAMS: Final = ("stdout", "stderr")
_WRITE_ONLY: Final = 0o222


class Landing:
    """The folder of one container and this side of what is in it, until `close`."""

    def __init__(self, folder: Path, user: int) -> None:
        """Make *folder*. Raises `OSError`, and then leaves nothing.

        user: whose the pipes are, so that `/dev/stdout` can be opened again.
        """
        self.folder = folder
        self._mine = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            folder.mkdir(parents=True)
            folder.chmod(0o755)
            self._listener = self._listen()
            self._reads = [self._pipe(name, user, os.O_RDONLY) for name in _STREAMS]
            # While these are open, a pipe that nobody writes to yet has not ended.
            self._writes = [self._pipe(name, user, os.O_WRONLY) for name in _STREAMS]
            undo.pop_all()

    async def accept(self) -> Channel:
        """Return the channel of the container once it has connected. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        connected, _ = await loop.sock_accept(self._listener)
        self._listener.close()
        (self.folder / "channel").unlink(missing_ok=True)
        reads, self._reads = self._reads, []
        for fd in self._writes:
            os.close(fd)
        self._writes = []
        self._mine.pop_all()
        return await Channel.open(connected, *reads)

    def close(self) -> None:
        """Let go of what no channel has taken, and remove the folder. Idempotent."""
        self._mine.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        self._mine.callback(listener.close)
        listener.setblocking(False)
        # Through a descriptor of the folder: a path in a socket's name has 107 bytes at most.
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            listener.bind(f"/proc/self/fd/{folder}/channel")
        finally:
            os.close(folder)
        (self.folder / "channel").chmod(_WRITE_ONLY)
        listener.listen(1)
        return listener

    def _pipe(self, name: str, user: int, mode: int) -> int:
        path = self.folder / name
        if mode == os.O_RDONLY:
            os.mkfifo(path)
            path.chmod(0o622)
            if os.geteuid() == 0:
                os.chown(path, user, user)
        fd = os.open(path, mode | os.O_NONBLOCK | os.O_CLOEXEC)
        self._mine.callback(os.close, fd)
        return fd
