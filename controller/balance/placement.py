"""Which invoker runs an activation: near where its code is warm, and where there is room.

Every action has an order of preference over the invokers, by rendezvous hashing (Thaler and
Ravishankar, 1998): each pair of action and invoker has a score, and the highest comes first. All
controllers compute the same order without talking to each other, and an invoker that joins or
leaves moves only the actions that go to it or came from it: 1/n of them. OpenWhisk's home index
and step (`ShardingContainerPoolBalancer.scala`) move nearly all of them.

The first of the order that is usable and has the memory gets the activation. When none has, it
goes to the one that is least overbooked, whose queue is the shortest in memory: late binding in the
invoker's pool does the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from common.ids import InvokerId


def preferred(key: str, invokers: Iterable[InvokerId]) -> tuple[InvokerId, ...]:
    """Return *invokers* in the order in which *key* prefers them.

    key: what shares warm sandboxes: the invoking namespace and the action, without its version.
    """
    return tuple(sorted(invokers, key=lambda invoker: _score(key, invoker), reverse=True))


def place(
    order: Sequence[InvokerId], free_mb: Callable[[InvokerId], int], memory_mb: int
) -> InvokerId | None:
    """Return who of *order* gets an activation that reserves *memory_mb*; None of nobody.

    order: usable invokers only, the preferred first.
    free_mb: what each has left; negative where more waits than runs.
    """
    for invoker in order:
        if free_mb(invoker) >= memory_mb:
            return invoker
    return max(order, key=free_mb, default=None)


def _score(key: str, invoker: InvokerId) -> tuple[bytes, InvokerId]:
    digest = blake2b(key.encode(), digest_size=8, salt=invoker.to_bytes(8, "big")).digest()
    return digest, invoker
