"""The sign of life of an invoker: each second, to every controller."""

from dataclasses import dataclass

from common.ids import InvokerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """What an invoker tells of itself.

    ended: activations that it has finished since it started; a number that stands still while
    messages wait is an invoker that hangs.
    """

    invoker: InvokerId
    memory_mb: int
    """What its pool has in all."""
    is_taking: bool
    """False while it drains: it must not be given anything new."""
    ended: int
    kinds: tuple[str, ...] = ()
    """What it runs: kinds of the manifest, and `blackbox` where it runs images of actions."""
