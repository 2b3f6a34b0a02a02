"""Names of entities: which are legal, and what identifies one.

Grammar and texts: OpenWhisk's `EntityName` and `EntityPath` (core/entity/EntityPath.scala). All
entities of a namespace share one space of document ids: `ns/name` or `ns/package/name`.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from common.ids import DocId, Namespace

MAX_LENGTH: Final = 256
_LEGAL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_@ .&-]{0,254}[A-Za-z0-9_@.&-])?\Z")


def is_legal(name: str) -> bool:
    """Tell whether *name* may name an entity, a package or a namespace."""
    return _LEGAL.match(name) is not None


@dataclass(frozen=True, slots=True, order=True)
class QualifiedName:
    """One entity: its namespace, perhaps its package, and its own name. Each part is legal."""

    namespace: Namespace
    package: str | None
    name: str
    doc_id: DocId = field(init=False, repr=False, compare=False)
    """The id of its document: `ns/name` or `ns/package/name`. Asked for often, so made once."""

    def __post_init__(self) -> None:
        """Make the document id."""
        object.__setattr__(self, "doc_id", f"{self.path}/{self.name}")

    @property
    def path(self) -> str:
        """Where the entity lives, `ns` or `ns/package`: the field `namespace` of its document."""
        return f"{self.namespace}/{self.package}" if self.package else self.namespace

    @property
    def in_namespace(self) -> str:
        """What a user types inside the namespace: `name` or `package/name`."""
        return f"{self.package}/{self.name}" if self.package else self.name

    def __str__(self) -> str:
        """Return the form that runtimes are given: a slash, then the document id."""
        return f"/{self.doc_id}"
