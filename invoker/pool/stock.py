"""Which stem cells an invoker keeps ready: what settings and runtimes manifest say, as shapes.

OpenWhisk's manifest has `stemCells` with a kind: how many, of which memory. Here those are kept
where the settings ask for it, because each takes memory from the start.
"""

from collections.abc import Iterable
from typing import Final, Literal

from common.entity.manifest import Manifest
from common.errors import BriskError
from invoker.pool.container import Shape

DEFAULT_MEMORY_MB: Final = 256
_DEFAULT_KIND: Final = "python:default"


class NoSuchKind(BriskError):
    """Stem cells are wanted of a kind that nobody knows."""


def stock(
    manifest: Manifest,
    here: Manifest,
    *,
    usual: int,
    listed: Iterable[tuple[str, int, int]] | Literal["manifest"],
) -> dict[Shape, int]:
    """Return how many blank sandboxes of which shape are wanted, in the order of their importance.

    manifest: every kind. here: those that this host can run; of others none is kept.
    usual: how many of the default kind with the default memory.
    listed: kind, memory in MB and number; or what the manifest says.
    Raises `NoSuchKind`.
    """
    wanted: dict[Shape, int] = {}
    default = here.resolve(_DEFAULT_KIND)
    if default is not None:
        wanted[Shape(default.kind, DEFAULT_MEMORY_MB)] = usual
    if listed == "manifest":
        return wanted | _of_manifest(here)
    for kind, memory_mb, count in listed:
        runtime = here.resolve(kind)
        if runtime is not None:
            wanted[Shape(runtime.kind, memory_mb)] = count
        elif manifest.resolve(kind) is None:
            known = ", ".join(manifest.valid_kinds())
            raise NoSuchKind(
                f"BRISK_POOL__STEM_SHAPES names the kind '{kind}'. There are {known}, and for each "
                "family `FAMILY:default`."
            )
    return wanted


def _of_manifest(here: Manifest) -> dict[Shape, int]:
    return {
        Shape(runtime.kind, cells.memory_mb): cells.count
        for family in here.families.values()
        for runtime in family
        for cells in runtime.stem_cells
        if not runtime.deprecated
    }
