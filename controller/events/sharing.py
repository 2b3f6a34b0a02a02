"""Which of several providers serves which feeds: each a part, and those of who is gone, too.

A provider that lives says so by a lease that it renews. Whoever lives shares all feeds out by the
same rule (rendezvous hashing), so when one comes or goes, only its own part moves. For a moment two
may take the same feed for theirs: a firing has a name, and is done once under it.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from common.clock import Clock
from common.log import logger
from common.store.lease import Lease
from common.store.port import DocStore
from controller.events.feed import SHARDS

LEASE_S: Final = 10.0
"""How long a provider that has died is waited for."""
ROUND_S: Final = 3.0
_log: Final = logger(__name__)


def owner(shard: int, members: Sequence[int]) -> int:
    """Return who of *members*, of whom there is one at least, serves this part of the feeds."""
    return max(members, key=lambda member: (_weight(shard, member), member))


def parts_of(member: int, members: Sequence[int]) -> frozenset[int]:
    """Return the parts that *member* serves."""
    return frozenset(shard for shard in range(SHARDS) if owner(shard, members) == member)


class Sharing:
    """Who of *count* providers lives, as the one with this *number* sees it."""

    def __init__(
        self, docs: DocStore, clock: Clock, *, number: int, count: int, holder: str
    ) -> None:
        """Take part.

        holder: of this process alone. A second one with the same number waits until the first ends.
        """
        self._number = number
        self._leases = {
            each: Lease(
                docs,
                f"events/{each}",
                holder=holder,
                lasts_ms=int(LEASE_S * 1000),
                clock=clock,
            )
            for each in range(count)
        }
        self._parts: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        return f"<Sharing {self._number} of {len(self._leases)}: {len(self._parts)} parts>"

    @property
    def parts(self) -> frozenset[int]:
        """What is this provider's, as of the last round."""
        return self._parts

    async def round(self) -> frozenset[int]:
        """Say that this one lives, look who else does, and return what is its own now.

        Raises `StoreUnavailable`; what was its own stays so for as long as that lasts.
        """
        if len(self._leases) == 1:
            self._parts = frozenset(range(SHARDS))
            return self._parts
        members: list[int] = []
        for number, lease in self._leases.items():
            if await (lease.take() if number == self._number else lease.is_held()):
                members.append(number)
        parts = parts_of(self._number, members) if self._number in members else frozenset()
        if parts != self._parts:
            _log.info("feeds_shared", number=self._number, among=members, parts=sorted(parts))
        self._parts = parts
        return parts

    async def leave(self) -> None:
        """Let others have what was this one's at once. Raises `StoreUnavailable`."""
        self._parts = frozenset()
        if len(self._leases) > 1:
            await self._leases[self._number].give_back()


def _weight(shard: int, member: int) -> bytes:
    return blake2b(f"{shard}/{member}".encode(), digest_size=8).digest()
