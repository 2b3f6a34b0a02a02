"""Questions to a database: ranges of ids, selectors over indexes, and the one view."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.couchfake.database import Database, Failure

Row = tuple[list[Any], list[int], str]


def collation(value: Any) -> tuple[Any, ...]:
    """Return what orders *value* among others: null, booleans, numbers, strings, arrays, objects.

    Strings are ordered by code point here, by Unicode's rules there: the same for ids and names of
    letters and digits of one case.
    """
    match value:
        case None:
            return (0,)
        case bool():
            return (1, value)
        case int() | float():
            return (2, value)
        case str():
            return (3, value)
        case list():
            return (4, [collation(each) for each in value])
        case _:
            pass
    return (5, [(name, collation(each)) for name, each in value.items()])


def query_of(raw: Mapping[str, str], *plain: str) -> dict[str, Any]:
    """Return the parameters of a request, whose values are JSON, apart from those that are not."""
    try:
        return {name: text if name in plain else json.loads(text) for name, text in raw.items()}
    except ValueError as error:
        raise Failure(400, "bad_request", "invalid UTF-8 JSON") from error


def all_docs(db: Database, asked: Mapping[str, Any]) -> dict[str, Any]:
    live = db.live()
    with_docs = asked.get("include_docs", False)
    with_conflicts = asked.get("conflicts", False)
    if "keys" in asked:
        rows = [_key_row(db, key, with_docs) for key in asked["keys"]]
        return {"total_rows": len(live), "offset": None, "rows": rows}
    descending = asked.get("descending", False)
    ids = sorted(live, key=str.encode, reverse=descending)
    start, end = asked.get("startkey", asked.get("start_key")), asked.get("endkey")
    inclusive = asked.get("inclusive_end", True)

    def before(one: str, other: str) -> bool:
        return one.encode() > other.encode() if descending else one.encode() < other.encode()

    offset = 0 if start is None else sum(before(doc_id, start) for doc_id in ids)
    found = ids[offset:]
    if end is not None:
        found = [i for i in found if before(i, end) or (inclusive and i == end)]
    skip, limit = asked.get("skip", 0), asked.get("limit")
    found = found[skip : None if limit is None else skip + limit]
    rows = [_key_row(db, doc_id, with_docs) for doc_id in found]
    for row in rows if with_docs and with_conflicts else []:
        if conflicts := db.docs[row["id"]].conflicts:
            row["doc"]["_conflicts"] = conflicts
    return {"total_rows": len(live), "offset": offset + skip, "rows": rows}


def _key_row(db: Database, doc_id: str, with_docs: bool) -> dict[str, Any]:
    entry = db.docs.get(doc_id)
    if entry is None:
        return {"key": doc_id, "error": "not_found"}
    value: dict[str, Any] = {"rev": entry.rev}
    if entry.deleted:
        value["deleted"] = True
    row: dict[str, Any] = {"id": doc_id, "key": doc_id, "value": value}
    if with_docs:
        row["doc"] = None if entry.deleted else db.document(doc_id, entry)
    return row


COMPARED: dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], bool]] = {
    "$eq": lambda one, other: one == other,
    "$gte": lambda one, other: one >= other,
    "$gt": lambda one, other: one > other,
    "$lte": lambda one, other: one <= other,
    "$lt": lambda one, other: one < other,
}


def find(db: Database, asked: Mapping[str, Any]) -> dict[str, Any]:
    selector: dict[str, Any] = asked["selector"]
    order = [next(iter(each.items())) for each in asked.get("sort", [])]
    names = [name for name, _ in order]
    index = db.indexes.get(tuple(asked.get("use_index", ())))
    usable = [fields for fields in db.indexes.values() if fields[: len(names)] == names]
    answer: dict[str, Any] = {}
    if index is None or (names and index[: len(names)] != names):
        if names and not usable:
            raise Failure(400, "no_usable_index", "No index exists for this sort")
        answer["warning"] = "The index of use_index was not used because it is not valid."
    found = [
        (entry.body, doc_id)
        for doc_id, entry in db.live().items()
        if not doc_id.startswith("_design/")
        and all(name in entry.body for name in names)
        and all(_selects(entry.body, name, wanted) for name, wanted in selector.items())
    ]
    is_descending = bool(order) and order[0][1] == "desc"
    found.sort(
        key=lambda pair: (*(collation(pair[0][n]) for n in names), pair[1]), reverse=is_descending
    )
    skip = asked.get("skip", 0)
    page = found[skip : skip + asked.get("limit", 25)]
    documents = [db.document(doc_id, db.docs[doc_id]) for _, doc_id in page]
    if "fields" in asked:
        wanted = asked["fields"]
        documents = [{name: doc[name] for name in wanted if name in doc} for doc in documents]
    return answer | {"docs": documents, "bookmark": "nil"}


def _selects(body: Mapping[str, Any], name: str, wanted: Any) -> bool:
    if name not in body:
        return False
    conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    if not conditions.keys() <= COMPARED.keys():
        raise Failure(400, "invalid_operator", f"Invalid operator: {', '.join(conditions)}")
    value = collation(body[name])
    return all(COMPARED[op](value, collation(bound)) for op, bound in conditions.items())


def view(db: Database, design: str, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    entry = db.get(f"_design/{design}")
    if name not in entry.body.get("views", {}):
        raise Failure(404, "not_found", "missing_named_view")
    if entry.body["views"][name].get("reduce") != "_sum":
        raise Failure(400, "query_parse_error", "This view has no sum.")
    rows = sorted(_usage(db), key=lambda row: (collation(row[0]), row[2]))
    first, last = asked.get("startkey"), asked.get("endkey")
    if first is not None:
        rows = [row for row in rows if collation(row[0]) >= collation(first)]
    if last is not None:
        rows = [row for row in rows if collation(row[0]) <= collation(last)]
    level = 99 if asked.get("group") else asked.get("group_level", 0)
    sums: dict[str, tuple[list[Any] | None, list[int]]] = {}
    for key, value, _ in rows:
        shown = key[:level] if level else None
        _, so_far = sums.setdefault(json.dumps(shown), (shown, [0, 0, 0]))
        so_far[:] = [a + b for a, b in zip(so_far, value, strict=True)]
    skip, limit = asked.get("skip", 0), asked.get("limit")
    found = list(sums.values())[skip : None if limit is None else skip + limit]
    return {"rows": [{"key": key, "value": value} for key, value in found]}


def _usage(db: Database) -> Iterator[Row]:
    """Do what the map of the design document `usage_v1` does; a peer runs the map itself."""
    for doc_id, entry in db.live().items():
        doc = entry.body
        if "brisk" in doc:
            billed_ms, memory_mb = doc["brisk"]["billed_ms"], doc["brisk"]["memory_mb"]
            key = [doc["namespace"], doc["start"] // 3_600_000, doc["path"]]
            yield key, [1, billed_ms, billed_ms * memory_mb], doc_id
