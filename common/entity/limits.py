"""What one activation may use, and between which bounds an action may choose.

Source: OpenWhisk docs/reference.md, "Per action", and its `TimeLimit`, `MemoryLimit`, `LogLimit`
and `IntraConcurrencyLimit`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of an action; each applies to one activation."""

    timeout_ms: int = 60_000
    """For the initialisation and for the run, each on its own."""
    memory_mb: int = 256
    """Reserved for the sandbox while it lives, and what is billed."""
    logs_mb: int = 10
    """Log lines beyond this are cut; 0 collects none."""
    concurrency: int = 1
    """Activations that may share one sandbox at a time."""
    instances: int | None = None
    """Sandboxes the action may have at a time; None leaves it to the namespace."""

    def to_wire(self) -> dict[str, int]:
        """Return OpenWhisk's object; `instances` is there only when it was set."""
        wire = {
            "timeout": self.timeout_ms,
            "memory": self.memory_mb,
            "logs": self.logs_mb,
            "concurrency": self.concurrency,
        }
        return wire if self.instances is None else wire | {"instances": self.instances}
