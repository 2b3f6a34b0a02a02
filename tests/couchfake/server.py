"""The HTTP side of the double: routes, answers, and faults where the script says so."""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.couchfake import query, rights
from tests.couchfake.database import MAX_DOCUMENT_BYTES, Database, Entry, Failure
from tests.couchfake.faults import Fault, Script
from tests.couchfake.rights import User, Users

NAME = re.compile(r"[a-z][a-z0-9_$()+/-]*\Z")
NO_DATABASE = Failure(404, "not_found", "Database does not exist.")
EXISTS = Failure(412, "file_exists", "The database could not be created, the file already exists.")


class CouchFake:
    """One server. `script` breaks it; `url` says where it is while it runs."""

    def __init__(
        self, *, auth: tuple[str, str] | None = None, max_document_bytes: int = MAX_DOCUMENT_BYTES
    ) -> None:
        self.databases: dict[str, Database] = {rights.USERS: Database()}
        self.script = Script()
        self.url = ""
        self.users = Users(auth)
        self._max_document_bytes = max_document_bytes
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    async def start(self, port: int = 0) -> None:
        self._stopping.clear()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        bound = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"http://127.0.0.1:{bound}"

    async def stop(self) -> None:
        """Stop answering; what is stored stays for another `start`."""
        self._stopping.set()
        for db in self.databases.values():
            await _tell(db)
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        parts = [unquote(part) for part in request.rel_url.raw_path.split("/")[1:]]
        if parts == ["_fault"]:
            return await self._control(request)
        assert "batch" not in request.query, "what is acknowledged by batch=ok is lost in a crash"
        fault = self.script.next(request.method, request.rel_url.raw_path)
        try:
            user = self.users.who(request.headers.get("Authorization"))
            if fault is not None:
                return await self._faulty(request, parts, user, fault)
            return await self._answer(request, parts, user)
        except Failure as failure:
            await request.read()
            return _json({"error": failure.error, "reason": failure.reason}, failure.status)

    async def _faulty(
        self, request: web.Request, parts: list[str], user: User, fault: Fault
    ) -> web.StreamResponse:
        match fault.kind:
            case "status":
                raise Failure(fault.status, fault.error, fault.reason)
            case "delay":
                await self._pause(fault.seconds)
                return await self._answer(request, parts, user)
            case "row":
                return await self._answer(request, parts, user, fault=fault)
            case "accepted":
                answer = await self._answer(request, parts, user)
                answer.set_status(202)
                return answer
            case _:
                await self._before_a_reset(request, parts, user, fault)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _before_a_reset(
        self, request: web.Request, parts: list[str], user: User, fault: Fault
    ) -> None:
        match fault.kind:
            case "reset_in_body":
                await request.content.read(1)
            case "reset_before":
                await request.read()
            case "half_bulk":
                await self._answer(request, parts, user, fault=fault)
            case _:
                await self._answer(request, parts, user)
                await self._pause(fault.seconds)

    async def _pause(self, seconds: float) -> None:
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _control(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            for fields in await request.json():
                self.script.add(fields.pop("kind"), **fields)
        elif request.method == "DELETE":
            self.script.faults.clear()
        faults = [vars(fault) for fault in self.script.faults]
        return _json(
            {
                "faults": faults,
                "unindexed": self.script.unindexed,
                "requests": self.script.requests,
            }
        )

    async def _answer(
        self, request: web.Request, parts: list[str], user: User, *, fault: Fault | None = None
    ) -> web.StreamResponse:
        match parts:
            case [""]:
                return _json({"couchdb": "Welcome", "version": "3.5.0", "vendor": {"name": "fake"}})
            case ["_up"]:
                return _json({"status": "ok", "seeds": {}})
            case ["_all_dbs"]:
                rights.require_server_admin(user)
                return _json(sorted(self.databases))
            case [rights.USERS, _] if request.method == "PUT":
                rights.require_server_admin(user)
                self.users.add(await _body(request))
                return _json({"ok": True}, 201)
            case [name] | [name, ""]:
                return await self._database(request, name, user)
            case [name, *rest]:
                return await self._let_in(request, name, rest, user, fault)
            case _:
                pass
        raise Failure(404, "not_found", "missing")

    async def _database(self, request: web.Request, name: str, user: User) -> web.Response:
        if request.method in ("PUT", "DELETE"):
            rights.require_server_admin(user)
        if request.method == "PUT":
            if name in self.databases:
                raise Failure(
                    412,
                    "file_exists",
                    "The database could not be created, the file already exists.",
                )
            if NAME.match(name) is None:
                raise Failure(400, "illegal_database_name", f"Name: '{name}'.")
            self.databases[name] = Database(self._max_document_bytes)
            return _json({"ok": True}, 201)
        if name not in self.databases:
            raise NO_DATABASE
        if request.method == "DELETE":
            db = self.databases.pop(name)
            db.dropped = True
            await _tell(db)
            return _json({"ok": True})
        db = self.databases[name]
        rights.require_member(user, db)
        return _json({"db_name": name, "doc_count": len(db.live()), "update_seq": _seq(db.seq)})

    async def _let_in(
        self,
        request: web.Request,
        name: str,
        rest: list[str],
        user: User,
        fault: Fault | None,
    ) -> web.StreamResponse:
        if name not in self.databases:
            raise NO_DATABASE
        db = self.databases[name]
        rights.require_member(user, db)
        if request.method in ("PUT", "DELETE") or rest == ["_index"]:
            rights.require_writer(user, db, "/".join(rest[:2]))
        if rest != ["_security"]:
            return await self._in_database(request, db, rest, user, fault)
        if request.method == "GET":
            return _json(db.security)
        db.security = await _body(request)
        return _json({"ok": True})

    async def _in_database(
        self,
        request: web.Request,
        db: Database,
        rest: list[str],
        user: User,
        fault: Fault | None,
    ) -> web.StreamResponse:
        raw = request.query
        match request.method, rest:
            case "POST", ["_bulk_docs"]:
                return await self._bulk(db, await _body(request), user, fault)
            case _, ["_all_docs"]:
                asked = query.query_of(raw)
                asked |= await _body(request) if request.method == "POST" else {}
                return _json(query.all_docs(db, asked))
            case "POST", ["_find"]:
                answer = query.find(db, await _body(request))
                self.script.unindexed += "warning" in answer
                return _json(answer)
            case "POST", ["_index"]:
                return await self._index(db, await _body(request))
            case "GET", ["_changes"]:
                return await self._changes(request, db)
            case "GET", ["_design", design, "_view", name]:
                return _json(query.view(db, design, name, query.query_of(raw)))
            case _, ["_design", design]:
                return await self._document(request, db, f"_design/{design}")
            case _, [doc_id]:
                return await self._document(request, db, doc_id)
            case _, [doc_id, name]:
                return await self._attachment(request, db, doc_id, name)
            case _:
                pass
        raise Failure(404, "not_found", "missing")

    async def _bulk(
        self, db: Database, asked: Mapping[str, Any], user: User, fault: Fault | None
    ) -> web.Response:
        for doc in asked["docs"]:  # one that is odd makes CouchDB refuse all
            db.validate(doc.get("_id"), doc)
        rows: list[dict[str, Any]] = []
        if asked.get("new_edits") is False:  # as a replication: what is there wins here, always
            for doc in asked["docs"]:
                db.docs[doc["_id"]].conflicts.append(doc["_rev"])
            return _json(rows, 201)
        for number, doc in enumerate(asked["docs"]):
            doc_id = doc["_id"]
            if fault is not None and fault.kind == "half_bulk" and number % 2:
                continue
            if fault is not None and fault.kind == "row" and re.search(fault.reason, doc_id):
                rows.append({"id": doc_id, "error": fault.error, "reason": "as told"})
                continue
            try:
                rights.require_writer(user, db, doc_id)
                rows.append({"ok": True, "id": doc_id, "rev": db.put(doc_id, doc, None).rev})
            except Failure as failure:
                rows.append({"id": doc_id, "error": failure.error, "reason": failure.reason})
        await _tell(db)
        return _json(rows, 201)

    async def _index(self, db: Database, asked: Mapping[str, Any]) -> web.Response:
        key = (asked["ddoc"], asked["name"])
        fields = asked["index"]["fields"]
        result = "exists" if db.indexes.get(key) == fields else "created"
        db.indexes[key] = fields
        return _json({"result": result, "id": f"_design/{key[0]}", "name": key[1]})

    async def _document(self, request: web.Request, db: Database, doc_id: str) -> web.Response:
        rev = request.query.get("rev") or request.headers.get("If-Match", "").strip('"') or None
        match request.method:
            case "GET" | "HEAD":
                return _json(db.document(doc_id, db.get(doc_id, rev)))
            case "PUT":
                return await self._written(db, doc_id, db.put(doc_id, await _body(request), rev))
            case "DELETE":
                return await self._written(db, doc_id, db.delete(doc_id, rev), 200)
            case _:
                pass
        raise Failure(405, "method_not_allowed", "Only DELETE,GET,HEAD,POST allowed")

    async def _attachment(
        self, request: web.Request, db: Database, doc_id: str, name: str
    ) -> web.Response:
        if request.method == "PUT":
            data = await request.read()
            rev = request.query.get("rev")
            entry = db.attach(doc_id, name, data, request.content_type, rev)
            return await self._written(db, doc_id, entry)
        attachments = db.get(doc_id).attachments
        if name not in attachments:
            raise Failure(404, "not_found", "Document is missing attachment")
        found = attachments[name]
        return web.Response(body=found.data, content_type=found.content_type)

    async def _written(
        self, db: Database, doc_id: str, entry: Entry, status: int = 201
    ) -> web.Response:
        await _tell(db)
        return _json({"ok": True, "id": doc_id, "rev": entry.rev}, status)

    async def _changes(self, request: web.Request, db: Database) -> web.StreamResponse:
        asked = request.query
        since_text = asked.get("since", "0")
        since = db.seq if since_text == "now" else int(since_text.partition("-")[0])
        if asked.get("feed") == "continuous":
            return await self._continuous(request, db, since)
        if asked.get("feed") == "longpoll" and db.seq <= since:
            wait_s = int(asked.get("timeout", "60000")) / 1000
            await self._more(db, since, wait_s)
        rows = _since(db, since)
        return _json({"results": rows, "last_seq": _seq(db.seq), "pending": 0})

    async def _continuous(
        self, request: web.Request, db: Database, since: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        heartbeat_s = int(request.query.get("heartbeat", "60000")) / 1000
        with contextlib.suppress(ConnectionResetError):  # who listened has left
            await self._feed(response, db, since, heartbeat_s)
        return response

    async def _feed(
        self, response: web.StreamResponse, db: Database, since: int, heartbeat_s: float
    ) -> None:
        while not (db.dropped or self._stopping.is_set()):
            rows, since = _since(db, since), db.seq
            for row in rows:
                await response.write(json.dumps(row).encode() + b"\n")
            if not await self._more(db, since, heartbeat_s):
                await response.write(b"\n")
        last = json.dumps({"last_seq": _seq(since), "pending": 0}).encode()
        await response.write(last + b"\n")

    async def _more(self, db: Database, since: int, wait_s: float) -> bool:
        """Wait for a change behind *since*; False when there was none in time."""
        try:
            async with asyncio.timeout(wait_s), db.changed:
                await db.changed.wait_for(
                    lambda: db.seq > since or db.dropped or self._stopping.is_set()
                )
        except TimeoutError:
            return False
        return True


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise Failure(400, "bad_request", "invalid UTF-8 JSON") from error


def _seq(number: int) -> str:
    return f"{number}-g1AAAA"


def _since(db: Database, since: int) -> list[dict[str, Any]]:
    found = sorted((entry.seq, doc_id) for doc_id, entry in db.docs.items() if entry.seq > since)
    return [
        {"seq": _seq(seq), "id": doc_id, "changes": [{"rev": db.docs[doc_id].rev}]}
        | ({"deleted": True} if db.docs[doc_id].deleted else {})
        for seq, doc_id in found
    ]


async def _tell(db: Database) -> None:
    async with db.changed:
        db.changed.notify_all()
