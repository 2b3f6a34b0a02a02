"""The stores under test, each with the server that it needs, and what a server does wrong.

The double of CouchDB is always there: a process that is begun with the first test and ended with
the last. PouchDB's server is asked where `deploy/dev/couchdb` has started it, a real CouchDB where
`COUCHDB_URL` says. Each test has databases of its own; on servers that stay they are deleted behind
it: an open database is four open files there, and a suite would use up all that a process may have.
"""

import atexit
import os
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import couchdb
import pytest

from common.clock import SystemClock
from common.settings import CouchdbSettings, StoreSettings
from common.store.contents import Contents, Intake
from common.store.couch import CouchStores
from common.store.couch_contents import CouchContents
from common.store.couch_intake import CouchIntake
from common.store.port import Stores
from common.store.sqlite import SqliteStores
from common.store.sqlite_contents import SqliteContents
from common.store.sqlite_intake import SqliteIntake

_FAKE_URL = "BRISK_TEST_COUCHFAKE_URL"
_POUCHDB_URL = f"http://127.0.0.1:{os.getenv('COUCHDB_PORT', '5984')}"
_SETTINGS = StoreSettings(close_s=5)
_used: set[tuple[str, str]] = set()

DEVIATIONS = {
    "pouchdb": {
        "test_a_document_comes_back_as_it_was": "integers above 2^53 are rounded",
    },
}
"""What a server does wrong, by test: these fail, and if one does not, that is a failure too."""


@cache
def _fake_url() -> str:
    """Return where the double answers; a child finds that of its parent."""
    url = os.getenv(_FAKE_URL)
    if url is not None:
        return url
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.couchfake", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().strip()

    def end() -> None:
        process.terminate()
        process.wait(10)

    atexit.register(end)
    os.environ[_FAKE_URL] = url  # noqa: TID251 - for the children of a test
    return url


def _url(adapter: str) -> str | None:
    if adapter == "couchfake":
        return _fake_url()
    return _POUCHDB_URL if adapter == "pouchdb" else os.getenv("COUCHDB_URL")


def couchdb_settings(adapter: str, folder: Path) -> CouchdbSettings:
    """Return the settings of databases that nobody else uses."""
    url = urlsplit(_url(adapter) or "")
    prefix = f"t{sha256(str(folder).encode()).hexdigest()[:12]}_"
    if adapter != "couchfake":
        _used.add((url.geturl(), prefix))
    port = f":{url.port}" if url.port else ""
    return CouchdbSettings.model_validate(
        {
            "url": f"{url.scheme}://{url.hostname}{port}{url.path}",
            "prefix": prefix,
            "user": url.username,
            "password": url.password,
            "settle_s": 0,  # one process writes, and it knows of its own writes
            "request_s": 30,  # several suites may ask one server, on a machine that has much to do
        }
    )


def drop_used() -> None:
    """Delete what this process has used of servers that stay."""
    while _used:
        url, prefix = _used.pop()
        server = couchdb.Server(url)
        for name in [name for name in server if name.startswith(prefix)]:
            del server[name]


async def _sqlite(folder: Path) -> Stores:
    return await SqliteStores.open(folder, _SETTINGS, SystemClock())


async def _couch(adapter: str, folder: Path) -> Stores:
    return await CouchStores.open(
        folder, couchdb_settings(adapter, folder), _SETTINGS, SystemClock()
    )


STORES: dict[str, Callable[[Path], Awaitable[Stores]]] = {
    "sqlite": _sqlite,
    "couchfake": partial(_couch, "couchfake"),
    "pouchdb": partial(_couch, "pouchdb"),
    "couchdb": partial(_couch, "couchdb"),
}


def contents(adapter: str, folder: Path) -> Contents:
    """Return a reading of the stores that `STORES[adapter](folder)` opens."""
    if adapter == "sqlite":
        return SqliteContents(folder)
    return CouchContents(couchdb_settings(adapter, folder), SystemClock())


def intake(adapter: str, folder: Path) -> Intake:
    """Return what fills the stores that `STORES[adapter](folder)` opens."""
    if adapter == "sqlite":
        return SqliteIntake(folder, _SETTINGS, SystemClock())
    return CouchIntake(couchdb_settings(adapter, folder), SystemClock())


STORE_PARAMS = [
    "sqlite",
    "couchfake",
    pytest.param("pouchdb", marks=pytest.mark.pouchdb),
    pytest.param("couchdb", marks=pytest.mark.couchdb),
]
HISTORY_PARAMS = [STORE_PARAMS[0], STORE_PARAMS[1], STORE_PARAMS[3]]
"""For tests of many stores, one after the other: PouchDB's server takes a second for each."""


@cache
def _absence(adapter: str) -> str | None:
    """Return why an adapter cannot be tested here; None when it can."""
    if adapter == "couchfake":
        _fake_url()  # here, so that children find it and begin none of their own
    if adapter == "couchdb" and _url(adapter) is None:
        return "COUCHDB_URL names no server"
    if adapter == "pouchdb":
        try:
            with urllib.request.urlopen(_POUCHDB_URL, timeout=2) as response:
                response.read()
        except OSError as error:
            return f"no PouchDB answers (deploy/dev/couchdb start): {error}"
    return None


def require(adapter: str, request: pytest.FixtureRequest) -> None:
    """Skip a test whose server is absent; expect it to fail where that is known to be wrong."""
    if reason := _absence(adapter):
        pytest.skip(reason)
    known = DEVIATIONS.get(adapter, {}).get(request.node.originalname)
    if known is not None:
        request.applymarker(pytest.mark.xfail(reason=known, strict=True))
