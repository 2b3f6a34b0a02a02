"""Damage that no port does: written below the stores, into SQLite's files or by HTTP."""

import base64
import json
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.contract.stores import couchdb_settings

DAY = "20251121"


class Below:
    """The stores that `STORES[adapter](folder)` opens, from below. They are closed."""

    def __init__(self, adapter: str, folder: Path) -> None:
        self.is_sqlite = adapter == "sqlite"
        self._folder = folder
        self._settings = None if self.is_sqlite else couchdb_settings(adapter, folder)

    def break_document(self, database: str, doc_id: str) -> None:
        """Leave a document that cannot be read."""
        if self.is_sqlite:
            self._sql("meta.db", "UPDATE doc SET body='{' WHERE db=? AND id=?", database, doc_id)
        else:
            there = self.ask("GET", database, doc_id)
            self.ask("PUT", database, doc_id, value={"_rev": there["_rev"], "no": "body"})

    def break_code(self, sha256_hex: str) -> None:
        """Leave other bytes under a digest."""
        if self.is_sqlite:
            self._sql("meta.db", "UPDATE blob SET data=x'00' WHERE sha256=?", sha256_hex)
            return
        doc_id = f"sha256-{sha256_hex}"
        there = self.ask("GET", "code", doc_id)
        data = {"content_type": "application/octet-stream", "data": base64.b64encode(b"0").decode()}
        changed = there | {"_attachments": {"code": data}}
        self.ask("PUT", "code", doc_id, value=changed)

    def break_record(self, record_id: str) -> None:
        """Leave a record that cannot be read; its bill stays."""
        if self.is_sqlite:
            self._day_sql("UPDATE activation SET body='x' WHERE ns||'/'||aid=?", record_id)
        else:
            there = self.ask("GET", f"act_{DAY}", record_id)
            self.ask("PUT", f"act_{DAY}", record_id, value=there | {"response": "x"})

    def change_bill(self, record_id: str) -> None:
        """Have the ledger say something else than the records."""
        if self.is_sqlite:
            self._day_sql("UPDATE usage_hour SET billed_ms=billed_ms+1 WHERE ns='guest'")
            return
        # The view is CouchDB's; what it sums can differ only from what is kept apart of a record.
        there = self.ask("GET", f"act_{DAY}", record_id)
        assert "apart" in there
        billed = there["brisk"] | {"billed_ms": there["brisk"]["billed_ms"] + 1}
        self.ask("PUT", f"act_{DAY}", record_id, value=there | {"brisk": billed})

    def misplace(self, record_id: str) -> None:
        """Have a record, and its bill, in the next day as well."""
        if self.is_sqlite:
            other = self._folder / "activations" / "act-20251122.db"
            with closing(sqlite3.connect(self._folder / "activations" / f"act-{DAY}.db")) as db, db:
                db.execute("ATTACH DATABASE ? AS other", (str(other),))
                found = "FROM main.activation WHERE ns||'/'||aid=?"
                moved = db.execute(f"INSERT INTO other.activation SELECT * {found}", (record_id,))
                assert moved.rowcount == 1
                db.execute(
                    "INSERT OR REPLACE INTO other.usage_hour SELECT ns, path, start/3600000, 1, "
                    f"json_extract(body, '$.brisk.billed_ms'), "
                    f"json_extract(body, '$.brisk.billed_ms')*256 {found}",
                    (record_id,),
                )
            return
        there = self.ask("GET", f"act_{DAY}", record_id)
        del there["_rev"]
        self.ask("PUT", "act_20251122", record_id, value=there)

    def change_sums(self, shard: str) -> None:
        """Have the sums of a closed day be others than it was closed with."""
        if self.is_sqlite:
            sql = "UPDATE usage_day SET hours=replace(hours, '1', '2') WHERE shard=?"
            self._sql("usage.db", sql, shard)
            return
        rows = self.ask("GET", "usage", "_all_docs", query="?include_docs=true")["rows"]
        doc = next(row["doc"] for row in rows if row["doc"].get("shard") == shard)
        doc["activations"] = [number and number + 1 for number in doc["activations"]]
        self.ask("PUT", "usage", doc["_id"], value=doc)

    def delete_record(self, shard: str, record_id: str) -> None:
        """Delete a record without its bill."""
        if self.is_sqlite:
            name = f"activations/act-{shard}.db"
            self._sql(name, "DELETE FROM activation WHERE ns||'/'||aid=?", record_id)
            return
        rev = self.ask("GET", f"act_{shard}", record_id)["_rev"]
        self.ask("DELETE", f"act_{shard}", record_id, query=f"?rev={rev}")

    def conflict(self, database: str, doc_id: str) -> None:
        """Add a revision that lost, as a replication would."""
        lost = {"_id": doc_id, "_rev": "1-0000000000000000000000000000000a", "lost": True}
        self.ask("POST", database, "_bulk_docs", value={"docs": [lost], "new_edits": False})

    def ask(self, method: str, *path: str, value: Any = None, query: str = "") -> Any:
        """Send one request to CouchDB."""
        assert self._settings
        name, *rest = path
        text = "/".join(quote(each, safe="") for each in (self._settings.prefix + name, *rest))
        data = None if value is None else json.dumps(value).encode()
        asked = urllib.request.Request(f"{self._settings.url}/{text}{query}", data, method=method)
        asked.add_header("Content-Type", "application/json")
        if self._settings.user and self._settings.password:
            pair = f"{self._settings.user}:{self._settings.password.get_secret_value()}"
            asked.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.loads(answer.read())

    def _day_sql(self, sql: str, *values: Any) -> None:
        self._sql(f"activations/act-{DAY}.db", sql, *values)

    def _sql(self, name: str, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self._folder / name)) as db, db:
            assert db.execute(sql, values).rowcount > 0
