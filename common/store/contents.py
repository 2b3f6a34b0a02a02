"""Everything that stores hold, for operators: read in one go, and filled in one go.

Both work below the ordinary ports and beside a running platform. `Contents` changes nothing, takes
nothing over and migrates nothing; what it cannot read is handed out with its fault, so that a check
goes on behind it. `Intake` fills stores that were empty, while nobody else may use them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from common.ids import DocId, Namespace
from common.store.port import StoreError
from common.store.rollups import Rollup, Sums
from common.store.shard import Shard, State

Database: TypeAlias = Literal["subjects", "entities"]
DATABASES: Final[tuple[Database, ...]] = ("subjects", "entities")
WAITING: Final = None
"""In place of a place: records that wait in the spool of a process."""
Place: TypeAlias = Shard | None


class Disturbed(StoreError):
    """The stores changed too often while they were read. Try again when they are less busy."""


class NotEmpty(StoreError):
    """The stores are not empty."""


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """One document. *conflicts*: revisions beside it that nobody reads."""

    id: DocId
    body: dict[str, Any]
    conflicts: int = 0
    fault: str = ""
    """Why it cannot be read; empty when it can."""


@dataclass(frozen=True, slots=True)
class HeldCode:
    """One blob. *data* has the digest that it is kept under, unless there is a fault."""

    sha256: str
    data: bytes
    fault: str = ""


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """One record, as `common.entity.activation_document` writes it; *id* is that it is kept under.

    path: of the action, by which it is listed; empty where nothing lists it yet.
    conflicts: revisions beside it that nobody reads.
    """

    id: str
    document: bytes
    path: str = ""
    conflicts: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class HeldSums:
    """What a closed place is billed for.

    rollups: ordered, one for each namespace, day and path, however often it was summed.
    total: as the place itself remembers it.
    """

    rollups: tuple[Rollup, ...]
    total: Sums


async def what_is_in(contents: "Contents") -> str:
    """Say what stores hold already, as in `3 subjects, 1 code`; empty when they are empty."""
    counted: dict[str, int] = {}
    for database in DATABASES:
        async for _ in contents.documents(database):
            counted[database] = counted.get(database, 0) + 1
    async for _ in contents.code():
        counted["code"] = counted.get("code", 0) + 1
    for place in await contents.places():
        async for _ in contents.records(place):
            counted["records"] = counted.get("records", 0) + 1
    if closed := sum(state.is_billed_by_sums for state in (await contents.states()).values()):
        counted["closed days"] = closed
    return ", ".join(f"{number} {name}" for name, number in counted.items())


class Contents(Protocol):
    """What stores hold. Made for one reading, then closed."""

    kind: str
    """Which store it is, for people."""

    async def about(self) -> Mapping[DocId, dict[str, Any]]:
        """Return what the stores say of themselves: see `common.store.schema`."""
        ...

    async def damage(self) -> Sequence[str]:
        """Return what the database itself finds wrong with its files, one line each."""
        ...

    def documents(self, database: Database) -> AsyncIterator[HeldDocument]:
        """Yield the documents of one moment. Raises `StoreUnavailable`, `Disturbed`."""
        ...

    def code(self) -> AsyncIterator[HeldCode]:
        """Yield all code, one at a time in memory. Raises `StoreUnavailable`."""
        ...

    async def states(self) -> Mapping[Shard, State]:
        """Return every place that is known, and its state, as it is now.

        Raises `StoreUnavailable`, `Corrupted`.
        """
        ...

    async def sums(self, shard: Shard) -> HeldSums:
        """Return what a closed place is billed for. Raises `StoreUnavailable`, `Corrupted`."""
        ...

    async def places(self) -> Sequence[Place]:
        """Return where there are records, the late first, `WAITING` last.

        Raises `StoreUnavailable`, `Corrupted`.
        """
        ...

    def records(self, place: Place) -> AsyncIterator[HeldRecord]:
        """Yield each record that is not in an earlier place, too. Raises `StoreUnavailable`."""
        ...

    async def ledger(self, place: Place) -> Mapping[Namespace, Sums]:
        """Return what the records of *place* come to. Raises `StoreUnavailable`, `Corrupted`."""
        ...

    async def close(self) -> None:
        """Let everything go. Idempotent."""
        ...


class Intake(Protocol):
    """Stores that are being filled. Each method raises `StoreUnavailable`, `Corrupted`."""

    async def begin(self, what: str) -> None:
        """Note that a restore of *what* is under way, and forget one that was broken off.

        Raises `NotEmpty`, which says what is there; then nothing was touched.
        """
        ...

    async def add_documents(
        self, database: Database, documents: Sequence[tuple[DocId, dict[str, Any]]]
    ) -> None:
        """Write documents, all of them new."""
        ...

    async def add_code(self, data: bytes) -> None:
        """Write code under its digest."""
        ...

    async def add_records(self, shard: Shard, documents: Sequence[bytes]) -> None:
        """Write records into their place; durable when this returns."""
        ...

    async def close_place(self, shard: Shard, state: State, rollups: Sequence[Rollup]) -> None:
        """Make *rollups* the bill of a place, behind all of its records."""
        ...

    async def know_secret(self, mark: str) -> None:
        """Write down by what the secret is known that the keys are encrypted under."""
        ...

    async def end(self) -> None:
        """Open the stores to everybody: everything is there and was verified."""
        ...

    async def close(self) -> None:
        """Let everything go; a restore that was not ended is still under way. Idempotent."""
        ...
