"""Random numbers that nobody can guess, without asking the kernel for each of them.

The system's generator is asked for a block at a time: one call costs as much as the rest of making
an id. What was given out is gone from the block. Not for keys: those ask the system directly.
"""

import os
from typing import Final

BLOCK_BYTES: Final = 4096


class Entropy:
    """A stock of random bytes. Belongs to one thread of one process; a fork must make its own."""

    def __init__(self) -> None:
        self._block = b""
        self._used = 0

    def take(self, size: int) -> bytes:
        """Return *size* random bytes; at most `BLOCK_BYTES`."""
        end = self._used + size
        if end > len(self._block):
            self._block, end = os.urandom(BLOCK_BYTES), size
        self._used = end
        return self._block[end - size : end]

    def bits(self, count: int) -> int:
        """Return a uniform integer of *count* bits."""
        size = -(-count // 8)
        return int.from_bytes(self.take(size), "big") >> (8 * size - count)
