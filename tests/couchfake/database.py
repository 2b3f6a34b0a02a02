"""One database in memory: documents with revisions, attachments, and the order of changes."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DOCUMENT_BYTES = 8_000_000
FRESH: Mapping[str, Any] = {"admins": {"roles": ["_admin"]}, "members": {"roles": ["_admin"]}}
"""Who may use a new database, since CouchDB 3: server admins."""
SPECIAL = {"_id", "_rev", "_deleted", "_attachments", "_revisions"}


class Failure(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, error: str, reason: str) -> None:
        super().__init__(f"{status} {error}: {reason}")
        self.status = status
        self.error = error
        self.reason = reason


@dataclass
class Attachment:
    content_type: str
    data: bytes
    revpos: int

    def stub(self) -> dict[str, Any]:
        digest = base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()
        return {
            "content_type": self.content_type,
            "revpos": self.revpos,
            "digest": f"md5-{digest}",
            "length": len(self.data),
            "stub": True,
        }


@dataclass
class Entry:
    rev: str
    body: dict[str, Any]
    deleted: bool
    seq: int
    attachments: dict[str, Attachment] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    """Revisions that lost; as a replication brings them."""

    @property
    def generation(self) -> int:
        return int(self.rev.partition("-")[0])


class Database:
    def __init__(self, max_document_bytes: int = MAX_DOCUMENT_BYTES) -> None:
        self.docs: dict[str, Entry] = {}
        self.designs: dict[str, Entry] = {}
        self.indexes: dict[tuple[str, str], list[str]] = {}
        self.seq = 0
        self.changed = asyncio.Condition()
        self.dropped = False
        self.security: dict[str, Any] = dict(FRESH)
        self._max_document_bytes = max_document_bytes

    def live(self) -> dict[str, Entry]:
        return {doc_id: entry for doc_id, entry in self.docs.items() if not entry.deleted}

    def get(self, doc_id: str, rev: str | None = None) -> Entry:
        entry = self.docs.get(doc_id)
        if entry is None:
            raise Failure(404, "not_found", "missing")
        if rev is not None and rev != entry.rev:
            raise Failure(404, "not_found", "missing")
        if entry.deleted:
            raise Failure(404, "not_found", "deleted")
        return entry

    def document(self, doc_id: str, entry: Entry) -> dict[str, Any]:
        document = {"_id": doc_id, "_rev": entry.rev, **entry.body}
        if entry.attachments:
            document["_attachments"] = {n: a.stub() for n, a in entry.attachments.items()}
        return document

    def validate(self, doc_id: Any, body: dict[str, Any]) -> None:
        """Raise what makes CouchDB refuse a request as a whole."""
        if not isinstance(doc_id, str):
            raise Failure(400, "illegal_docid", "Document id must be a string")
        if not doc_id:
            raise Failure(400, "illegal_docid", "Document id must not be empty")
        for name in body:
            if name.startswith("_") and name not in SPECIAL:
                raise Failure(400, "doc_validation", f"Bad special document member: {name}")
        plain = {name: value for name, value in body.items() if not name.startswith("_")}
        if len(json.dumps(plain, ensure_ascii=False).encode()) > self._max_document_bytes:
            raise Failure(413, "document_too_large", doc_id)

    def put(self, doc_id: Any, body: dict[str, Any], rev: str | None) -> Entry:
        self.validate(doc_id, body)
        rev = rev if rev is not None else body.get("_rev")
        deleted = bool(body.get("_deleted"))
        current = self._require(doc_id, rev)
        generation = 1 if current is None else current.generation + 1
        plain = {name: value for name, value in body.items() if not name.startswith("_")}
        attachments = self._attachments(body.get("_attachments", {}), current, generation)
        return self._store(doc_id, plain, attachments, deleted, current, generation)

    def attach(
        self, doc_id: str, name: str, data: bytes, content_type: str, rev: str | None
    ) -> Entry:
        current = self._require(doc_id, rev)
        generation = 1 if current is None else current.generation + 1
        alive = current if current is not None and not current.deleted else None
        attachments = dict(alive.attachments) if alive else {}
        attachments[name] = Attachment(content_type, data, generation)
        body = alive.body if alive else {}
        return self._store(doc_id, body, attachments, False, current, generation)

    def delete(self, doc_id: str, rev: str | None) -> Entry:
        self.get(doc_id)
        if rev is None:
            raise Failure(409, "conflict", "Document update conflict.")
        return self.put(doc_id, {"_deleted": True}, rev)

    def _require(self, doc_id: str, rev: str | None) -> Entry | None:
        """Return what is there, if a change over *rev* is allowed."""
        if rev is not None:
            generation, dash, _ = rev.partition("-")
            if not (dash and generation.isdigit()):
                raise Failure(400, "bad_request", "Invalid rev format")
        current = self.docs.get(doc_id)
        is_free = current is None or current.deleted
        if rev is None and is_free:
            return current
        if current is None or current.rev != rev:
            raise Failure(409, "conflict", "Document update conflict.")
        return current

    def _attachments(
        self, wanted: dict[str, Any], current: Entry | None, generation: int
    ) -> dict[str, Attachment]:
        """Return what *wanted* says: stubs keep what is there, and who is not named is lost."""
        found = {}
        for name, each in wanted.items():
            if each.get("stub"):
                if current is None or name not in current.attachments:
                    raise Failure(412, "missing_stub", f"Invalid attachment stub for {name}")
                found[name] = current.attachments[name]
            else:
                data = base64.b64decode(each["data"])
                found[name] = Attachment(each.get("content_type", ""), data, generation)
        return found

    def _store(
        self,
        doc_id: str,
        body: dict[str, Any],
        attachments: dict[str, Attachment],
        deleted: bool,
        current: Entry | None,
        generation: int,
    ) -> Entry:
        said = [deleted, current and current.rev, body, sorted(attachments)]
        text = json.dumps(said, sort_keys=True).encode()
        digest = hashlib.md5(
            text + b"".join(a.data for a in attachments.values()), usedforsecurity=False
        )
        self.seq += 1
        entry = Entry(f"{generation}-{digest.hexdigest()}", body, deleted, self.seq, attachments)
        self.docs[doc_id] = entry
        if doc_id.startswith("_design/"):
            self.designs[doc_id] = entry
        return entry
