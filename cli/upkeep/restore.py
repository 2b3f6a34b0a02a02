"""Fills empty stores from a backup: all of it, verified, or nothing that anybody would use.

The backup is read twice: first to see that it is whole, before anything is touched, then to write
it. While it is written, a mark in the stores keeps every process out; it goes when what the stores
hold then has been read again and is what the backup says. A restore that is broken off leaves the
mark, and is done again from the start.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cli.upkeep.archive import Closed, Code, Document, Record, Tally, differences, sums_of
from cli.upkeep.archive_file import Examined, reading
from common.errors import BriskError
from common.ids import DocId, Namespace
from common.store import schema
from common.store.contents import DATABASES, Contents, Database, Intake
from common.store.rollups import Sums
from common.store.shard import Shard

_BATCH: Final = 256
_BATCH_BYTES: Final = 8 << 20


class RestoreFailed(BriskError):
    """What was restored is not what the backup says."""


async def restore(
    backup: Examined,
    intake: Intake,
    look: Callable[[], Contents],
    *,
    before_end: Callable[[], None] = lambda: None,
) -> None:
    """Fill stores from *backup*, verify them, and open them to everybody.

    look: gives a new reading of the stores that *intake* fills.
    before_end: done when everything is verified, and nobody may use it yet.
    Raises `BackupUnreadable`, `NotEmpty`, `RestoreFailed`, and what stores raise.
    """
    await intake.begin(backup.path.name)
    await _fill(backup.path, intake)
    contents = look()
    try:
        await _require_same(backup.tally, contents)
    finally:
        await contents.close()
    if backup.head.secret_mark is not None:
        # Else the first secret that a process comes with would be taken for the one of these keys.
        await intake.know_secret(backup.head.secret_mark)
    before_end()
    await intake.end()


async def tally_of(contents: Contents) -> tuple[Tally, list[str]]:
    """Return what stores hold, and which open places have another ledger than their records."""
    tally = Tally()
    unequal: list[str] = []
    for database in DATABASES:
        async for held in contents.documents(database):
            tally.add(Document(database, held.id, held.body))
    async for code in contents.code():
        tally.add(Code(code.data))
    states = await contents.states()
    for shard in await contents.places():
        if shard is None:
            raise RestoreFailed("Somebody else has written records meanwhile.")
        found: defaultdict[Namespace, Sums] = defaultdict(Sums)
        async for stored in contents.records(shard):
            record = tally.add_record(shard, stored.document)
            found[record.namespace] = found[record.namespace].plus(sums_of(record))
        if await contents.ledger(shard) != found:
            unequal.append(shard.text)
    for shard, state in states.items():
        if state.is_billed_by_sums:
            tally.add_closed(Closed(shard, state, (await contents.sums(shard)).rollups))
    return tally, unequal


async def _require_same(wanted: Mapping[str, Any], contents: Contents) -> None:
    found, unequal = await tally_of(contents)
    wrong = differences(wanted, found.to_json())
    wrong += [f"a ledger of {place} that is not the sum of its records" for place in unequal]
    if wrong:
        raise RestoreFailed(
            f"The stores have {'; '.join(wrong)}. They stay closed: do the restore again, and see "
            "that nobody else writes to them."
        )


class _Batch:
    """What is written together: documents of one database, or records of one place."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._documents: list[tuple[DocId, dict[str, object]]] = []
        self._database: Database = "subjects"
        self._records: list[bytes] = []
        self._shard = Shard(0)
        self._size_bytes = 0

    async def add_document(self, item: Document) -> None:
        if item.database != self._database or len(self._documents) == _BATCH:
            await self.flush()
        self._database = item.database
        self._documents.append((item.id, item.body))

    async def add_record(self, item: Record) -> None:
        is_full = len(self._records) == _BATCH or self._size_bytes > _BATCH_BYTES
        if item.shard != self._shard or is_full:
            await self.flush()
        self._shard = item.shard
        self._records.append(item.document)
        self._size_bytes += len(item.document)

    async def flush(self) -> None:
        if self._documents:
            await self._intake.add_documents(self._database, self._documents)
        if self._records:
            await self._intake.add_records(self._shard, self._records)
        self._documents, self._records, self._size_bytes = [], [], 0


async def _fill(path: Path, intake: Intake) -> None:
    batch = _Batch(intake)
    with reading(path, schema.LAYOUT) as backup:
        for item in backup.items():
            match item:
                case Document():
                    await batch.add_document(item)
                case Record():
                    await batch.add_record(item)
                case Code(data):
                    await intake.add_code(data)
                case Closed(shard, state, rollups):
                    await batch.flush()  # its records first
                    await intake.close_place(shard, state, rollups)
                case _:
                    continue  # the secret is a matter of the installation, not of the stores
    await batch.flush()
