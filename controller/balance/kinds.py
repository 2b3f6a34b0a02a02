"""Which kinds this platform offers: those of the manifest that an invoker has said it runs.

An action that nobody can run should not be accepted. What an invoker ran when it was last heard of
still counts while it is away, so that a restart refuses nobody; before the first one is heard of,
the whole manifest does.
"""

from collections.abc import Callable
from typing import Any

from common.entity.manifest import Manifest, Runtime


class OfferedKinds:
    """A manifest that follows what invokers say."""

    def __init__(self, everything: Manifest, running: Callable[[], frozenset[str]]) -> None:
        """Offer what of *everything* is *running*, each time anew."""
        self._everything = everything
        self._running = running
        self._seen: frozenset[str] = frozenset()
        self._offered = everything

    def __repr__(self) -> str:
        return f"<OfferedKinds {', '.join(self.valid_kinds())}>"

    def resolve(self, kind: str) -> Runtime | None:
        """Return what *kind* means now; see `Manifest.resolve`."""
        return self._now().resolve(kind)

    def valid_kinds(self) -> tuple[str, ...]:
        """Return all kinds that are offered, families in alphabetical order."""
        return self._now().valid_kinds()

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return `runtimes` of the info document."""
        return self._now().info()

    def _now(self) -> Manifest:
        running = self._running()
        if running != self._seen:
            self._seen = running
            self._offered = self._everything.only(running) if running else self._everything
        return self._offered
