"""The documents of identities, and how each changes. Values in, values out.

`ns/<namespace>` has the identities that share a namespace: the first as `owner` and `uuid`, others
as `members`. `key/<uuid>` is one key, `sub/<subject>` the namespaces of a subject and whether it is
blocked, `lim/<namespace>` what the namespace may have, `bud/<namespace>` its budget
(`common.store.budgets`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from common.ids import DocId, Namespace, Subject

Body: TypeAlias = Mapping[str, Any]

# All `ns/…` documents stand in one list of their database.
NAMESPACE_KIND: Final = "namespace"
NAMESPACES: Final = Namespace("namespaces")


class Member(NamedTuple):
    """A subject in a namespace, by the uuid of its key there."""

    subject: Subject
    uuid: str


def subject_id(subject: Subject) -> DocId:
    """Return the id of what is known of a subject."""
    return DocId(f"sub/{subject}")


def key_id(uuid: str) -> DocId:
    """Return the id of a key."""
    return DocId(f"key/{uuid}")


def name_id(namespace: Namespace) -> DocId:
    """Return the id of who is in a namespace."""
    return DocId(f"ns/{namespace}")


def limits_id(namespace: Namespace) -> DocId:
    """Return the id of a namespace's own limits."""
    return DocId(f"lim/{namespace}")


def new_namespace(namespace: Namespace, first: Member, *, updated_ms: int) -> dict[str, Any]:
    """Return the document of a namespace with one identity."""
    return {
        "entityType": NAMESPACE_KIND,
        "namespace": NAMESPACES,
        "name": namespace,
        "owner": first.subject,
        "uuid": first.uuid,
        "updated": updated_ms,
    }


def members(body: Body) -> list[Member]:
    """Return who is in a namespace, the first one first."""
    others = body.get("members", ())
    first = Member(Subject(body["owner"]), body["uuid"])
    return [first, *(Member(Subject(each["subject"]), each["uuid"]) for each in others)]


def with_members(body: Body, new: list[Member]) -> dict[str, Any]:
    """Return the document of a namespace with other identities; at least one."""
    first, *others = new
    changed = {key: value for key, value in body.items() if key != "members"}
    changed |= {"owner": first.subject, "uuid": first.uuid}
    if others:
        changed["members"] = [{"subject": each.subject, "uuid": each.uuid} for each in others]
    return changed


def joined(body: Body, new: Member) -> dict[str, Any]:
    """Return the document of a namespace with one more identity, in place of one of its subject."""
    there = members(body)
    if any(each.subject == new.subject for each in there):
        return with_members(body, [new if each.subject == new.subject else each for each in there])
    return with_members(body, [*there, new])


def left(body: Body, subject: Subject) -> dict[str, Any] | None:
    """Return the document of a namespace without *subject*; None when nobody is left."""
    rest = [each for each in members(body) if each.subject != subject]
    return with_members(body, rest) if rest else None


def uuids(body: Body) -> dict[Namespace, str]:
    """Return the namespaces of a subject and the uuid of its key in each."""
    return {Namespace(each["name"]): each["uuid"] for each in body["namespaces"]}


def with_namespace(body: Body, namespace: Namespace, uuid: str) -> dict[str, Any]:
    """Return what is known of a subject, with one more namespace, or another key in it."""
    kept = [each for each in body["namespaces"] if each["name"] != namespace]
    return {**body, "namespaces": [*kept, {"name": namespace, "uuid": uuid}]}


def without_namespace(body: Body, namespace: Namespace) -> dict[str, Any] | None:
    """Return what is known of a subject, without a namespace; None when it has no other."""
    rest = [each for each in body["namespaces"] if each["name"] != namespace]
    return {**body, "namespaces": rest} if rest else None


def with_blocked(body: Body, *, is_blocked: bool) -> dict[str, Any]:
    """Return what is known of a subject, blocked or not."""
    rest = {key: value for key, value in body.items() if key != "blocked"}
    return {**rest, "blocked": True} if is_blocked else rest
