"""Making databases, indexes and design documents: by python-couchdb, in a thread of its own.

What is made here is made once, so it may block a thread and wait its turn; the hot side never does.
Everything may be repeated, also by several processes at once: a database that is there is success,
and so is a design document that says what it should. python-couchdb repeats a request whose
connection broke; that is harmless here.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import couchdb
from couchdb import http

from common import codec
from common.settings import CouchdbSettings
from common.store.couch_faults import Ambiguous, Invalid, error_of
from common.store.couch_layout import Plan
from common.store.port import StoreError

Result = TypeVar("Result")


class CouchAdmin:
    """One thread, and the connections of its own. Belongs to one event loop."""

    def __init__(self, settings: CouchdbSettings) -> None:
        self._session = http.Session(timeout=settings.request_s)
        self._server = couchdb.Server(settings.url.rstrip("/") + "/", session=self._session)
        if settings.user is not None and settings.password is not None:
            self._server.resource.credentials = (
                settings.user,
                settings.password.get_secret_value(),
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="couchdb-admin")

    async def prepare(self, plans: Iterable[Plan]) -> None:
        """Make what is missing of *plans*.

        Raises `StoreUnavailable`, `Denied`, `Invalid`.
        """
        wanted = list(plans)

        def work() -> None:
            for plan in wanted:
                _prepare(self._server.resource, plan)

        await self._run(work)

    async def admit(self, plans: Iterable[Plan]) -> None:
        """Let those in that *plans* name; a database that is not there is left out.

        Raises `StoreUnavailable`, `Denied`.
        """
        wanted = list(plans)

        def work() -> None:
            for plan in wanted:
                with contextlib.suppress(http.ResourceNotFound):
                    _put_security(self._server.resource(plan.name), plan)

        await self._run(work)

    async def drop(self, names: Iterable[str]) -> None:
        """Delete databases with everything in them; one that is not there is no error.

        Raises `StoreUnavailable`, `Denied`.
        """
        wanted = list(names)

        def work() -> None:
            for name in wanted:
                try:
                    self._server.resource.delete_json(name)
                except http.ResourceNotFound:
                    continue

        await self._run(work)

    async def databases(self) -> list[str]:
        """Return the names of all databases. Raises `StoreUnavailable`, `Denied`."""
        return await self._run(lambda: list(self._server))

    def close(self) -> None:
        """Let the thread go when it is done, and the connections with it. Idempotent."""
        with contextlib.suppress(RuntimeError):  # it has been let go
            self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        # The library has no other way; it closes them when it is collected, which is too late.
        for connections in self._session.connection_pool.conns.values():
            while connections:
                connections.pop().close()

    async def _run(self, work: Callable[[], Result]) -> Result:
        def translated() -> Result:
            try:
                return work()
            except http.ServerError as error:
                status, said = error.args[0]
                raise _error(status, said) from error
            except http.HTTPError as error:
                raise _error(_STATUS[type(error)], error.args[0]) from error
            except (OSError, http.RedirectLimit, EOFError) as error:
                raise Ambiguous(f"The database cannot be reached: {error!r}.") from error
            except ValueError as error:
                raise Invalid(f"The database answered what cannot be read: {error}") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, translated)


_STATUS: dict[type[Exception], int] = {
    http.Unauthorized: 401,
    http.Forbidden: 403,
    http.ResourceNotFound: 404,
    http.ResourceConflict: 409,
    http.PreconditionFailed: 412,
}


def _error(status: int, said: Any) -> StoreError:
    error, reason = said if isinstance(said, tuple) else ("", said)
    return error_of(status, codec.encode({"error": str(error), "reason": str(reason)}))


def _prepare(server: Any, plan: Plan) -> None:
    with contextlib.suppress(http.PreconditionFailed):  # it is there
        server.put_json(plan.name)
    database = server(plan.name)
    for (design, name), fields in plan.indexes.items():
        database.post_json(
            "_index",
            {"ddoc": design, "name": name, "type": "json", "index": {"fields": list(fields)}},
        )
    for design, body in plan.design.items():
        _put_design(database, f"_design/{design}", dict(body))
    _put_security(database, plan)  # last: what guards it is there by now


def _put_security(database: Any, plan: Plan) -> None:
    if plan.security is not None:
        database.put_json("_security", dict(plan.security))


def _put_design(database: Any, path: str, body: dict[str, Any]) -> None:
    try:
        database.put_json(path, body)
    except http.ResourceConflict:
        there = database.get_json(path)[2]
        if any(there.get(name) != wanted for name, wanted in body.items()):
            raise
