"""Stores as they were laid out before there were layouts: written by hand, never by our code.

What stands here is frozen: it is what installations have on their disks.
"""

import base64
import json
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Any

from common.entity.action import BlobRef
from common.ids import DocId
from tests.contract.damaged import Below

CODE = b"def main(a): return a  # " + b"x" * 20_000
CODE_REF = BlobRef(sha256(CODE).hexdigest(), len(CODE))
ACTION_ID = DocId("guest/hello")
ACTION: dict[str, Any] = {
    "namespace": "guest", "name": "hello", "entityType": "action", "version": "0.0.1",
    "exec": {"kind": "python:3.11", "binary": False,
             "codeRef": {"sha256": CODE_REF.sha256, "size": CODE_REF.size}},
    "parameters": [], "limits": {"timeout": 60000, "memory": 256, "logs": 10, "concurrency": 1},
    "publish": False, "annotations": [], "updated": 1763726400000,
}  # fmt: skip
BILLED_MS = 7
RECORD_ID = "019aa676f8007000800000000000000a"
HEAD: dict[str, Any] = {
    "_id": f"guest/{RECORD_ID}", "entityType": "activation", "activationId": RECORD_ID,
    "namespace": "guest", "name": "hello", "version": "0.0.1", "subject": "guest",
    "publish": False, "start": 1763726400000, "end": 1763726400007, "duration": 7,
    "updated": 1763726400007,
    "annotations": [
        {"key": "path", "value": "guest/hello"}, {"key": "kind", "value": "python:3.11"},
        {"key": "waitTime", "value": 3}, {"key": "timeout", "value": False},
    ],
    "logs": ["2025-11-21T12:00:00.000000000Z stdout: hello"],
    "brisk": {"billed_ms": BILLED_MS, "memory_mb": 256},
}  # fmt: skip

_META = """
PRAGMA journal_mode=WAL;
CREATE TABLE doc(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    db TEXT NOT NULL, id TEXT NOT NULL,
    rev INTEGER NOT NULL, body BLOB NOT NULL,
    ns TEXT, package TEXT, kind TEXT, updated INTEGER NOT NULL,
    UNIQUE(db, id));
CREATE INDEX doc_list ON doc(db, ns, kind, updated DESC, seq DESC);
CREATE TABLE blob(
    sha256 TEXT PRIMARY KEY, created INTEGER NOT NULL, data BLOB NOT NULL);
"""
_DAY = """
PRAGMA journal_mode=WAL;
CREATE TABLE activation(
    ns TEXT NOT NULL, aid TEXT NOT NULL, start INTEGER NOT NULL, path TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY(ns, aid));
CREATE INDEX activation_start ON activation(ns, start DESC, aid DESC);
CREATE INDEX activation_path ON activation(ns, path, start DESC, aid DESC);
CREATE TABLE usage_hour(
    ns TEXT NOT NULL, path TEXT NOT NULL, hour INTEGER NOT NULL,
    activations INTEGER NOT NULL, billed_ms INTEGER NOT NULL, mb_ms INTEGER NOT NULL,
    PRIMARY KEY(ns, path, hour)) WITHOUT ROWID;
"""
_USAGE_MAP = (
    "function (doc) { if (doc.brisk) { emit("
    "[doc.namespace, Math.floor(doc.start / 3600000), doc.path], "
    "[1, doc.brisk.billed_ms, doc.brisk.billed_ms * doc.brisk.memory_mb]); } }"
)


async def lay_out_first(adapter: str, folder: Path) -> None:
    """Make stores of the first layout: one action with long code, and one record."""
    if adapter == "sqlite":
        _sqlite(folder)
    else:
        _couchdb(adapter, folder)


def _sqlite(folder: Path) -> None:
    (folder / "activations").mkdir(parents=True)
    meta = sqlite3.connect(folder / "meta.db")
    meta.executescript(_META)
    meta.execute(
        "INSERT INTO doc(db, id, rev, body, ns, kind, updated) VALUES (?, ?, 1, ?, ?, ?, ?)",
        ("entities", ACTION_ID, json.dumps(ACTION).encode(), "guest", "action", ACTION["updated"]),
    )
    meta.execute("INSERT INTO blob VALUES (?, ?, ?)", (CODE_REF.sha256, 1763726400000, CODE))
    meta.commit()
    meta.close()
    day = sqlite3.connect(folder / "activations" / "act-20251121.db")
    day.executescript(_DAY)
    body = json.dumps(HEAD)[:-1] + ',"response":{"statusCode":0,"size":8,"result":{"ok":1}}}'
    day.execute(
        "INSERT INTO activation VALUES (?, ?, ?, ?, ?)",
        ("guest", RECORD_ID, HEAD["start"], "hello", body.replace('": ', '":').encode()),
    )
    day.execute(
        "INSERT INTO usage_hour VALUES ('guest', 'hello', ?, 1, ?, ?)",
        (HEAD["start"] // 3_600_000, BILLED_MS, BILLED_MS * 256),
    )
    day.commit()
    day.close()


def _couchdb(adapter: str, folder: Path) -> None:
    ask = Below(adapter, folder).ask

    def index(name: str, design: str, of: str, *fields: str) -> None:
        wanted = {"ddoc": design, "name": of, "type": "json", "index": {"fields": fields}}
        ask("POST", name, "_index", value=wanted)

    for name in ("meta", "code", "subjects", "entities", "act_20251121"):
        ask("PUT", name)
    for name in ("subjects", "entities"):
        index(name, "lists_v1", "by_kind", "ns", "kind", "updated", "written")
        index(name, "lists_v1p", "by_package", "ns", "kind", "package", "updated", "written")
    index("act_20251121", "records_v1", "by_start", "namespace", "start")
    index("act_20251121", "records_v1p", "by_path", "namespace", "path", "start")
    view = {"views": {"hours": {"map": _USAGE_MAP, "reduce": "_sum"}}, "language": "javascript"}
    ask("PUT", "act_20251121", "_design/usage_v1", value=view)
    ask("PUT", "meta", "shard/20251121", value={"state": "open"})
    wrapped = {
        "ns": "guest", "kind": "action", "updated": ACTION["updated"],
        "written": 1763726400000000, "mark": "1-2", "body": ACTION,
    }  # fmt: skip
    ask("PUT", "entities", ACTION_ID, value=wrapped)
    code = {"created": 1763726400000, "size": len(CODE), "_attachments": {
        "code": {"content_type": "application/octet-stream",
                 "data": base64.b64encode(CODE).decode()},
    }}  # fmt: skip
    ask("PUT", "code", f"sha256-{CODE_REF.sha256}", value=code)
    response = {"statusCode": 0, "size": 8, "resultText": '{"ok":1}'}
    record = HEAD | {"path": "hello", "response": response}
    ask("PUT", "act_20251121", record["_id"], value=record)
