"""A walk over all ids of a database, page by page."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from common.store.couch_http import CouchHttp
from common.store.port import StoreUnavailable

_SHRINKS_BY = 8


async def rows(
    http: CouchHttp, database: str, asked: Mapping[str, Any], *, page: int
) -> AsyncIterator[dict[str, Any]]:
    """Yield the rows of `_all_docs` in the order of their ids; a page that is too slow shrinks.

    asked: the parameters of the first page, such as a range or `include_docs`.
    Raises `DatabaseMissing`, `StoreUnavailable`, `Denied`.
    """
    query = dict(asked)
    while True:
        try:
            answer = await http.read("GET", database, "_all_docs", query=query | {"limit": page})
        except StoreUnavailable:
            if page == 1:
                raise
            page = max(page // _SHRINKS_BY, 1)
            continue
        found = answer.json()["rows"]
        for row in found:
            yield row
        if len(found) < page:
            return
        # The least string behind the last id.
        query["startkey"] = found[-1]["id"] + "\0"
