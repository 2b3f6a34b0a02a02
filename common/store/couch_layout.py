"""How Brisk's databases in CouchDB are laid out: their names, ids, indexes, and the one view.

`subjects` and `entities` hold documents, `code` holds code under its digest, `act_YYYYMMDD` the
records of a day, `act_late_YYYYMMDD` what came too late on that day, `usage` the sums of what has
been closed, `meta` the state of each place and leases. Lists go by Mango indexes, which need
no JavaScript. The only view sums usage: its reduce is CouchDB's own, exact in integers. An index
that changes gets a new name, so that it is built beside the old one.

Where invokers have a user of their own, it is a member of what they need: it reads `meta`,
`entities` and `code`, whose design document `guard_v1` lets nobody but server admins write, and it
reads and writes the places of records. Into `subjects` and `usage` it is not let.

Bytes order ids; views and indexes order by Unicode's collation. The two are not mixed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.ids import DocId, Namespace
from common.store.rollups import Rollup
from common.store.shard import LAST_DAY, Shard, day_text, shard_of

DOCUMENTS: Final = ("subjects", "entities")
CODE: Final = "code"
META: Final = "meta"
READ: Final = frozenset({META, "entities", CODE})
"""What invokers read and do not write."""
SUMS: Final = "usage"
BY_KIND: Final = ("lists_v1", "by_kind")
BY_PACKAGE: Final = ("lists_v1p", "by_package")
BY_START: Final = ("records_v1", "by_start")
BY_PATH: Final = ("records_v1p", "by_path")
BY_SHARD: Final = ("sums_v1", "by_shard")
USAGE: Final = ("usage_v1", "hours")
USAGE_MAP: Final = (
    "function (doc) { if (doc.brisk) { emit("
    "[doc.namespace, Math.floor(doc.start / 3600000), doc.path], "
    "[1, doc.brisk.billed_ms, doc.brisk.billed_ms * doc.brisk.memory_mb]); } }"
)
GUARD: Final = "guard_v1"
ADMINS_WRITE: Final = (
    "function (doc, before, user) { if (user.roles.indexOf('_admin') < 0) { "
    "throw({forbidden: 'Only a server admin may write here.'}); } }"
)
"""Says of each change of a document, attachments included, whether it may be."""
LAST: Final[Mapping[str, Any]] = {}
"""Sorts behind every string and number in a key of a view."""
_SHARD: Final = "shard/"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database needs before it is used."""

    name: str
    indexes: Mapping[tuple[str, str], Sequence[str]]
    design: Mapping[str, Mapping[str, Any]]
    security: Mapping[str, Any] | None = None
    """Who may use it, as CouchDB's security object; None leaves that as it is."""


def fixed_plans(prefix: str, member: str | None) -> tuple[Plan, ...]:
    """Return the databases that are always there.

    member: the user of invokers, if they have one.
    """
    lists = {
        BY_KIND: ("ns", "kind", "updated", "written"),
        BY_PACKAGE: ("ns", "kind", "package", "updated", "written"),
    }
    indexes: dict[str, Mapping[tuple[str, str], Sequence[str]]] = {
        SUMS: {BY_SHARD: ("shard",)},
        **dict.fromkeys(DOCUMENTS, lists),
    }
    return tuple(
        Plan(
            prefix + name,
            indexes.get(name, {}),
            {GUARD: {"validate_doc_update": ADMINS_WRITE}} if member and name in READ else {},
            _security(member, name in READ),
        )
        for name in (META, CODE, SUMS, *DOCUMENTS)
    )


def shard_plan(prefix: str, shard: Shard, member: str | None) -> Plan:
    """Return the database of the records of a place."""
    indexes = {BY_START: ("namespace", "start"), BY_PATH: ("namespace", "path", "start")}
    view = {"views": {USAGE[1]: {"map": USAGE_MAP, "reduce": "_sum"}}, "language": "javascript"}
    return Plan(
        f"{prefix}act_{shard.text}", indexes, {USAGE[0]: view}, _security(member, is_let_in=True)
    )


def _security(member: str | None, is_let_in: bool) -> Mapping[str, Any] | None:
    """Return who may use a database beside server admins; None leaves that to the server."""
    if member is None:
        return None
    names = [member] if is_let_in else []
    # A list of members that is empty would let everybody in.
    return {
        "admins": {"names": [], "roles": ["_admin"]},
        "members": {"names": names, "roles": ["_admin"]},
    }


def shard_id(shard: Shard) -> str:
    """Return the id of the document in `meta` that has the state of a place."""
    return _SHARD + shard.text


def shard_of_id(doc_id: str) -> Shard | None:
    """Return the place of which such a document speaks; None for any other document."""
    return shard_of(doc_id.removeprefix(_SHARD)) if doc_id.startswith(_SHARD) else None


def sums_id(rollup: Rollup, shard: Shard, run: int) -> DocId:
    """Return the id of the document in `usage` with those sums: `<ns>/<day>/<place>/<path>`.

    The day is that of the starts, so that a time is a range of ids. A place may have starts of the
    days beside its own, so that several places contribute to a day. What a later *run* has found
    stands beside the sums of the first.
    """
    place = shard.text if run == 0 else f"{shard.text}+{run}"
    return DocId(f"{rollup.namespace}/{day_text(rollup.day)}/{place}/{rollup.path}")


def sums_range(namespace: Namespace, first_day: int, last_day: int) -> dict[str, str]:
    """Return the range of ids of the sums of a namespace; days are cut to the calendar."""
    first, last = (day_text(min(max(day, 0), LAST_DAY)) for day in (first_day, last_day))
    return {"startkey": f"{namespace}/{first}/", "endkey": f"{namespace}/{last}0"}


def namespace_range(namespace: Namespace) -> dict[str, str]:
    """Return the range of ids of a namespace: `0` follows `/`."""
    return {"startkey": f"{namespace}/", "endkey": f"{namespace}0"}
