"""How Brisk's databases in CouchDB are laid out: their names, ids, indexes, and the one view.

`subjects` and `entities` hold documents, `code` holds code under its digest, `act_YYYYMMDD` the
records of a day, `meta` which days are ready to be written. Lists go by Mango indexes, which need
no JavaScript. The only view sums usage: its reduce is CouchDB's own, exact in integers. An index
that changes gets a new name, so that it is built beside the old one.

Bytes order ids; views and indexes order by Unicode's collation. The two are not mixed here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from common.ids import Namespace
from common.store.days import EPOCH

DOCUMENTS: Final = ("subjects", "entities")
CODE: Final = "code"
META: Final = "meta"
BY_KIND: Final = ("lists_v1", "by_kind")
BY_PACKAGE: Final = ("lists_v1p", "by_package")
BY_START: Final = ("records_v1", "by_start")
BY_PATH: Final = ("records_v1p", "by_path")
USAGE: Final = ("usage_v1", "hours")
USAGE_MAP: Final = (
    "function (doc) { if (doc.brisk) { emit("
    "[doc.namespace, Math.floor(doc.start / 3600000), doc.path], "
    "[1, doc.brisk.billed_ms, doc.brisk.billed_ms * doc.brisk.memory_mb]); } }"
)
LAST: Final[Mapping[str, Any]] = {}
"""Sorts behind every string and number in a key of a view."""
_SHARD: Final = re.compile(r"shard/(\d{4})(\d\d)(\d\d)\Z")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database needs before it is used."""

    name: str
    indexes: Mapping[tuple[str, str], Sequence[str]]
    design: Mapping[str, Mapping[str, Any]]


def fixed_plans(prefix: str) -> tuple[Plan, ...]:
    """Return the databases that are always there."""
    lists = {
        BY_KIND: ("ns", "kind", "updated", "written"),
        BY_PACKAGE: ("ns", "kind", "package", "updated", "written"),
    }
    return (
        Plan(prefix + META, {}, {}),
        Plan(prefix + CODE, {}, {}),
        *(Plan(prefix + name, lists, {}) for name in DOCUMENTS),
    )


def day_plan(prefix: str, day: int) -> Plan:
    """Return the database of the records of *day*, counted from 1970."""
    indexes = {BY_START: ("namespace", "start"), BY_PATH: ("namespace", "path", "start")}
    view = {"views": {USAGE[1]: {"map": USAGE_MAP, "reduce": "_sum"}}, "language": "javascript"}
    return Plan(f"{prefix}act_{_text(day)}", indexes, {USAGE[0]: view})


def shard_id(day: int) -> str:
    """Return the id of the document in `meta` that says that *day* is ready."""
    return f"shard/{_text(day)}"


def day_of_shard(doc_id: str) -> int | None:
    """Return the day of which such a document speaks; None for any other document."""
    match = _SHARD.match(doc_id)
    return None if match is None else date(*map(int, match.groups())).toordinal() - EPOCH


def namespace_range(namespace: Namespace) -> dict[str, str]:
    """Return the range of ids of a namespace: `0` follows `/`."""
    return {"startkey": f"{namespace}/", "endkey": f"{namespace}0"}


def _text(day: int) -> str:
    return f"{date.fromordinal(EPOCH + day):%Y%m%d}"
