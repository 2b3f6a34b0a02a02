"""Looks through everything that stores hold, and changes nothing.

What is damaged and what is only worth knowing are told apart: code that nothing names, a key whose
making broke off, and records that wait in a spool are no damage.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from cli.upkeep.findings import Finding, Report
from common.entity import activation_document
from common.entity.action import BlobRef
from common.entity.action_document import ENTITY_TYPE, NotAnAction, from_document
from common.entity.activation_document import MalformedRecord
from common.entity.budget import budget_of
from common.ids import DocId, Namespace, Rev
from common.store import schema
from common.store.contents import WAITING, Contents, HeldDocument, HeldRecord, Place
from common.store.days import day_of
from common.store.port import Corrupted, RestoreUnfinished
from common.store.rollups import Sums, sums
from common.store.secrets_file import InstallationSecret
from common.store.shard import Shard, State
from common.store.subject_documents import members

_FROM_BACKUP: Final = "restore a backup of before: brisk admin db restore FILE"
_STOPPED: Final = f"stop the platform, {_FROM_BACKUP}"
_CONFLICT: Final = "look at them with ?conflicts=true, and delete those that are not wanted"


async def check(contents: Contents, secret: InstallationSecret | None) -> Report:
    """Return what is wrong with *contents*.

    secret: of the installation, to see that it opens the keys; None leaves that out.
    Raises `LayoutUnknown`, `StoreUnavailable`, `Disturbed`.
    """
    return await _Check(contents, secret).done()


class _Check:
    def __init__(self, contents: Contents, secret: InstallationSecret | None) -> None:
        self._contents = contents
        self._secret = secret
        self._report = Report()
        self._named: dict[str, tuple[int, DocId]] = {}
        self._states: Mapping[Shard, State] = {}
        self._late: set[str] = set()

    async def done(self) -> Report:
        about = await self._contents.about()
        try:
            schema.require_usable(about.get(schema.SCHEMA), about.get(schema.RESTORING))
        except RestoreUnfinished as error:
            self._found("restore", "meta", str(error), "brisk admin db restore FILE")
        except Corrupted as error:
            self._found("schema", "meta", str(error), _FROM_BACKUP)
        for text in await self._contents.damage():
            self._found("file", "the store's files", text, _STOPPED)
        for part in (self._subjects, self._entities, self._code, self._records):
            try:
                await part()
            except Corrupted as error:
                self._found("file", "the store's files", str(error), _STOPPED)
        return self._report

    def _found(self, kind: str, where: str, what: str, fix: str) -> None:
        self._report.add(Finding(kind, where, what, fix))

    def _noted(self, kind: str, where: str, what: str, fix: str = "") -> None:
        self._report.add(Finding(kind, where, what, fix, is_damage=False))

    def _is_read(self, database: str, held: HeldDocument) -> bool:
        self._report.looked_at[database] += 1
        if held.conflicts:
            what = f"has {held.conflicts} conflicting revisions, which nobody reads"
            self._found("conflict", held.id, what, _CONFLICT)
        if held.fault:
            self._found("document", held.id, held.fault, _FROM_BACKUP)
        return not held.fault

    async def _subjects(self) -> None:
        bodies: dict[DocId, dict[str, Any]] = {}
        async for held in self._contents.documents("subjects"):
            if self._is_read("subjects", held):
                bodies[held.id] = held.body
        for doc_id, body in bodies.items():
            kind, _, name = doc_id.partition("/")
            try:
                match kind:
                    case "key":
                        self._key(name, body, bodies)
                    case "ns":
                        if body["name"] != name or not all(map(all, members(body))):
                            self._found(
                                "subject", doc_id, "is not the namespace of its id", _FROM_BACKUP
                            )
                    case "sub":
                        self._subject(doc_id, body, bodies)
                    case "lim" | "bud":
                        _read_limits(kind, name, body)
                    case _:
                        what = "is of no kind that is known"
                        self._found("subject", doc_id, what, "delete it, if it is not yours")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self._found("subject", doc_id, f"cannot be read: {error!r}", _FROM_BACKUP)

    def _key(
        self, uuid: str, body: Mapping[str, Any], bodies: Mapping[DocId, Mapping[str, Any]]
    ) -> None:
        subject, namespace = body["subject"], body["namespace"]
        owner = bodies.get(DocId(f"sub/{subject}"), {}).get("namespaces", [])
        taken = bodies.get(DocId(f"ns/{namespace}"), {})
        bytes.fromhex(body["fingerprint"])
        is_named = taken and any(each.uuid == uuid for each in members(taken))
        if {"name": namespace, "uuid": uuid} not in owner or not is_named:
            what = f"opens nothing: its namespace {namespace} was never finished"
            self._noted("key", f"key/{uuid}", what)
        if self._secret is not None:
            try:
                self._secret.decrypt(body["key"], owner=uuid)
            except Corrupted as error:
                fix = "put the file `secret` of that installation into the data folder"
                self._found("secret", f"key/{uuid}", str(error), fix)

    def _subject(
        self, doc_id: DocId, body: Mapping[str, Any], bodies: Mapping[DocId, Mapping[str, Any]]
    ) -> None:
        for entry in body["namespaces"]:
            if DocId(f"key/{entry['uuid']}") not in bodies:
                what = f"has the namespace {entry['name']}, whose key is gone"
                self._found("subject", doc_id, what, _FROM_BACKUP)

    async def _entities(self) -> None:
        async for held in self._contents.documents("entities"):
            if not self._is_read("entities", held) or held.body.get("entityType") != ENTITY_TYPE:
                continue
            try:
                action = from_document(held.body, Rev(""))
            except NotAnAction as error:
                self._found("action", held.id, f"cannot be read: {error}", _FROM_BACKUP)
                continue
            if action.name.doc_id != held.id:
                what = f"says that it is {action.name.doc_id}"
                self._found("action", held.id, what, _FROM_BACKUP)
            if action.exec.code_ref is not None:
                ref = action.exec.code_ref
                self._named[ref.sha256] = (ref.size, held.id)

    async def _code(self) -> None:
        missing = dict(self._named)
        orphans = orphaned_bytes = 0
        async for code in self._contents.code():
            self._report.looked_at["code"] += 1
            size, action = missing.pop(code.sha256, (len(code.data), DocId("")))
            if code.fault or size != len(code.data):
                what = code.fault or f"has {len(code.data)} bytes, and {action} names {size}"
                fix = f"update {action} with its code" if action else "none: nothing names it"
                self._found("code", code.sha256, what, fix)
            if code.sha256 not in self._named:
                orphans += 1
                orphaned_bytes += len(code.data)
        for ref in (BlobRef(digest, size) for digest, (size, _) in missing.items()):
            action = self._named[ref.sha256][1]
            what = f"its code {ref.sha256} is not there"
            self._found(
                "code", action, what, f"brisk action update {action.partition('/')[2]} FILE"
            )
        if orphans:
            what = f"{orphans} pieces of code, {orphaned_bytes} bytes, are named by no action"
            self._noted("orphan", "code", what)

    async def _records(self) -> None:
        try:
            self._states = await self._contents.states()
            places = await self._contents.places()
        except Corrupted as error:
            self._found("file", "the states of days", str(error), _FROM_BACKUP)
            return
        for place in places:
            await self._place(place)
        for shard, state in sorted(self._states.items()):
            if state.is_billed_by_sums:
                self._report.looked_at["closed days"] += 1
                await self._total(shard)

    async def _place(self, place: Place) -> None:
        where = place.text if place else "the spool"
        billed: defaultdict[Namespace, Sums] = defaultdict(Sums)
        try:
            before = await self._contents.ledger(place)
            async for held in self._contents.records(place):
                self._report.looked_at["records"] += 1
                self._record(place, held, billed)
            after = await self._contents.ledger(place)
        except Corrupted as error:
            self._found("file", where, str(error), _STOPPED)
            return
        if place is WAITING:
            number = sum(amount.activations for amount in billed.values())
            if number:
                self._noted("waiting", where, f"{number} records wait for the database")
            return
        self._bill(where, billed, before, after)
        if self._states[place].is_billed_by_sums:
            await self._sums(place, billed)

    def _bill(
        self,
        where: str,
        billed: Mapping[Namespace, Sums],
        before: Mapping[Namespace, Sums],
        after: Mapping[Namespace, Sums],
    ) -> None:
        for namespace in sorted({*billed, *before, *after}):
            found, was, now = (each.get(namespace, Sums()) for each in (billed, before, after))
            if found in (was, now):
                continue
            if was != now:
                self._noted("busy", where, f"{namespace} runs actions: its bill was not compared")
                continue
            what = f"{namespace} is billed {_shown(was)}, and its records are {_shown(found)}"
            self._found("bill", where, what, _FROM_BACKUP)

    async def _sums(self, shard: Shard, billed: Mapping[Namespace, Sums]) -> None:
        """Compare what a sealed place is billed for with its records."""
        summed: defaultdict[Namespace, Sums] = defaultdict(Sums)
        try:
            for each in (await self._contents.sums(shard)).rollups:
                summed[each.namespace] = summed[each.namespace].plus(sums([each]))
        except Corrupted:
            return  # told where its total is looked at
        if not billed and summed:
            what = "was sealed, and its records were deleted by hand"
            self._noted("shard", shard.text, what, "none: its sums are the bill")
            return
        self._bill(shard.text, billed, summed, summed)

    async def _total(self, shard: Shard) -> None:
        try:
            held = await self._contents.sums(shard)
        except Corrupted as error:
            self._found("bill", shard.text, str(error), _FROM_BACKUP)
            return
        if sums(held.rollups) != held.total:
            what = (
                f"was sealed with {_shown(held.total)}, and its sums are "
                f"{_shown(sums(held.rollups))}"
            )
            self._found("bill", shard.text, what, _FROM_BACKUP)

    def _record(self, place: Place, held: HeldRecord, billed: defaultdict[Namespace, Sums]) -> None:
        if held.conflicts:
            what = f"has {held.conflicts} conflicting revisions, which nobody reads"
            self._found("conflict", held.id, what, _CONFLICT)
        if held.fault:
            self._found("record", held.id, held.fault, _FROM_BACKUP)
            return
        try:
            record = activation_document.decode(held.document)
        except MalformedRecord as error:
            self._found("record", held.id, str(error), _FROM_BACKUP)
            return
        more = Sums(1, record.billed_ms, record.billed_ms * record.memory_mb)
        billed[record.namespace] = billed[record.namespace].plus(more)
        said = f"{record.namespace}/{record.activation_id}"
        if said != held.id:
            self._found("record", held.id, f"says that it is {said}", _FROM_BACKUP)
        if held.path not in ("", record.listed_as):
            what = f"is listed under {held.path}, and is of {record.listed_as}"
            self._found("record", held.id, what, _FROM_BACKUP)
        if place is None:
            return
        if place.is_late:
            self._late.add(held.id)
        elif held.id in self._late:
            self._found("double", held.id, f"is in {place.text} and among the late", _FROM_BACKUP)
        elif place.day != day_of(record.activation_id, record.start_ms):
            self._found("misplaced", held.id, f"does not belong to {place.text}", _FROM_BACKUP)


def _read_limits(kind: str, name: str, body: Mapping[str, Any]) -> None:
    """Read what a namespace may have. Raises `ValueError`; limits that make no sense are none."""
    if kind == "bud":
        budget_of(Namespace(name), body)


def _shown(amount: Sums) -> str:
    return f"{amount.activations} activations, {amount.billed_ms} ms, {amount.mb_ms} MB ms"
