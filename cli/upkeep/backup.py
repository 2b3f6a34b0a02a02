"""Makes a backup of what stores hold, while the platform runs or not."""

from collections.abc import Mapping

from cli.upkeep.archive import Closed, Code, Document, Head, Record, Secret
from cli.upkeep.archive_file import ArchiveWriter
from common.clock import Clock
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.entity.activation_document import MalformedRecord
from common.store import schema
from common.store.contents import DATABASES, Contents, Disturbed
from common.store.days import day_of
from common.store.port import Corrupted, LayoutUnknown
from common.store.secrets_file import KNOWN_BY
from common.store.shard import DAY_MS, Shard, State
from common.version import PROGRAM

_REMEDY = "See brisk admin db check. No backup was made."


async def back_up(
    contents: Contents,
    writer: ArchiveWriter,
    clock: Clock,
    *,
    secret_mark: str | None,
    secret: Secret | None = None,
) -> int:
    """Write everything that *contents* hold; return how many records were left out.

    Left out is what waits for a day that was dropped: the store refuses it, it is on no bill.

    secret_mark: of the secret at hand, where the stores do not say which is theirs.
    secret: is in the backup, if it is given.
    Raises `Corrupted` for what cannot be read, `Disturbed`, `LayoutUnknown`, `RestoreUnfinished`,
    `StoreUnavailable`.
    """
    about = await contents.about()
    schema.require_usable(about.get(schema.SCHEMA), about.get(schema.RESTORING))
    version = schema.version_of(about.get(schema.SCHEMA), schema.LAYOUT)
    if version != schema.LAYOUT:
        raise LayoutUnknown(
            f"These stores have the layout {version}, and {PROGRAM} reads {schema.LAYOUT}: back "
            "them up with the version that wrote them, or start this one once."
        )
    mark = about.get(KNOWN_BY, {}).get("mark", secret_mark)
    writer.begin(Head(contents.kind, PROGRAM, version, clock.now_ms(), mark))
    for database in DATABASES:
        async for held in contents.documents(database):
            _require_sound(f"The document {held.id} of {database}", held.fault)
            writer.add(Document(database, held.id, held.body))
    async for code in contents.code():
        _require_sound(f"The code {code.sha256}", code.fault)
        writer.add(Code(code.data))
    states = await contents.states()
    left_out = await _records(contents, writer, states, clock.now_ms() // DAY_MS)
    for shard, state in sorted(states.items()):
        if state.is_billed_by_sums:
            held_sums = await contents.sums(shard)
            shown = state if state.has_records else State.DROPPED
            writer.add(Closed(shard, shown, held_sums.rollups))
    if secret is not None:
        writer.add(secret)
    await _require_unchanged(contents, states)
    writer.end()
    return left_out


async def _records(
    contents: Contents, writer: ArchiveWriter, states: Mapping[Shard, State], today: int
) -> int:
    left_out = 0
    for place in await contents.places():
        async for stored in contents.records(place):
            _require_sound(f"The record {stored.id}", stored.fault)
            try:
                record = activation_document.decode(stored.document)
            except MalformedRecord as error:
                text = f"The record {stored.id} cannot be read: {error} {_REMEDY}"
                raise Corrupted(text) from error
            shard = place or arriving(record, states, today)
            if shard is None:
                left_out += 1
            else:
                writer.add(Record(shard, activation_document.encode(record)))
    return left_out


def arriving(record: ActivationRecord, states: Mapping[Shard, State], today: int) -> Shard | None:
    """Return where the store would put a record that waits; None if it would refuse it."""
    own = Shard(day_of(record.activation_id, record.start_ms))
    state = states.get(own, State.OPEN)
    if state is State.OPEN:
        return own
    if not state.has_records:
        return None
    late = Shard(max(own.day, today), is_late=True)
    while states.get(late, State.OPEN) is not State.OPEN:
        late = late._replace(day=late.day + 1)
    return late


async def _require_unchanged(contents: Contents, before: Mapping[Shard, State]) -> None:
    """Raise `Disturbed` where records went away, or everything may have, while it was read."""
    after = await contents.states()
    gone = [
        shard.text
        for shard, state in before.items()
        if state.has_records and not after.get(shard, State.DROPPED).has_records
    ]
    about = await contents.about()
    if gone or schema.RESTORING in about:
        raise Disturbed(
            f"{', '.join(gone) or 'The stores'} changed while they were read. Do it again."
        )


def _require_sound(what: str, fault: str) -> None:
    if fault:
        raise Corrupted(f"{what} cannot be read: {fault} {_REMEDY}")
