"""Who changed what: CouchDB's own feed of changes, so that caches forget what is old.

It carries the writes of every process, also those that an administrator made by hand, a few
milliseconds after they were stored. A feed that broke goes on behind the last change it told of;
where that is not possible, and at the first connection, everything that is cached may be old:
that is told as `Gap`.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from common import codec
from common.ids import DocId, Rev
from common.log import logger
from common.settings import CouchdbSettings
from common.store.couch_faults import Invalid, pause_s
from common.store.couch_http import CouchHttp
from common.store.port import Denied, Gap, Invalidation, StoreError

_NOW: Final = "now"
_SILENT_HEARTBEATS: Final = 3
_log: Final = logger(__name__)


class CouchChanges:
    """The changes of one database. See `common.store.port.InvalidationBus`."""

    def __init__(self, name: str, http: CouchHttp, settings: CouchdbSettings) -> None:
        self._database = settings.prefix + name
        self._http = http
        self._heartbeat_s = settings.heartbeat_s

    def __repr__(self) -> str:
        return f"<CouchChanges {self._database}>"

    async def subscribe(self) -> AsyncGenerator[Invalidation | Gap, None]:
        """Yield changes for ever; each `Gap` says that some may not have been told."""
        since = _NOW
        failures = 0
        while True:
            try:
                async with self._http.feed(
                    self._database,
                    "_changes",
                    query={
                        "feed": "continuous",
                        "since": since,
                        "heartbeat": str(int(self._heartbeat_s * 1000)),
                    },
                    silence_s=self._heartbeat_s * _SILENT_HEARTBEATS,
                ) as lines:
                    failures = 0
                    if since == _NOW:
                        yield Gap()
                    async for line in lines:
                        if line.strip():
                            since, told = _change(line)
                            if told is not None:
                                yield told
            except StoreError as error:
                failures += 1
                _log.info("changes_broke_off", database=self._database, why=str(error))
                if isinstance(error, Invalid):
                    since = _NOW  # The server does not know this place any more.
                wait_s = pause_s(failures, self._http.jitter())
                await asyncio.sleep(error.pause_s if isinstance(error, Denied) else wait_s)


def _change(line: bytes) -> tuple[str, Invalidation | None]:
    """Return where a line stands, and what it tells. Raises `Invalid` for half a line."""
    try:
        change = codec.decode(line)
        if "last_seq" in change:
            return _place(change["last_seq"]), None
        told = Invalidation(doc_id=DocId(change["id"]), rev=Rev(change["changes"][0]["rev"]))
        return _place(change["seq"]), told
    except (codec.MalformedJson, KeyError, IndexError, TypeError) as error:
        raise Invalid("The feed of changes has an odd line.") from error


def _place(seq: object) -> str:
    # Opaque: sent back as it came, never compared.
    return seq if isinstance(seq, str) else codec.encode(seq).decode()
