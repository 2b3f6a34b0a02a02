"""Makes and changes identities: who is in which namespace, with which key, and what it may have.

Every change is a few documents, one after the other, in an order in which a kill in between leaves
nothing open that was to be closed, and nothing that the same call, made again, would not finish. A
key is taken away before what names it; it is there before anything names it.

Source: OpenWhisk's `wskadmin` (tools/admin), and its documents (core/entity/Identity.scala).
"""

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from common.clock import Clock
from common.entity import namespace_limits
from common.entity.names import is_legal
from common.errors import BriskError
from common.ids import DocId, Namespace, Subject
from common.store import subject_documents as documents
from common.store.port import Conflict, DocStore, Missing
from common.store.secrets_file import InstallationSecret
from common.store.subject_documents import Member

# Lengths as in OpenWhisk (BasicAuthenticationAuthKey); of what, it does not ask either.
_UUID: Final = re.compile(r"[!-9;-~]{36}\Z")
_KEY: Final = re.compile(r"[!-~]{64}\Z")
_ATTEMPTS: Final = 5


class NoSubject(BriskError):
    """There is no such subject."""


class NoIdentity(BriskError):
    """The subject is not in this namespace."""


class SubjectIsBlocked(BriskError):
    """The subject you want to edit is blocked"""  # noqa: D415 - wskadmin's words


class NamespaceExists(BriskError):
    """Namespace already exists"""  # noqa: D415 - wskadmin's words


class IllegalSubject(BriskError):
    """The subject or the namespace contains illegal characters."""


class Held(NamedTuple):
    """One identity, with its key. Shows none."""

    subject: Subject
    namespace: Namespace
    uuid: str
    key: str

    def __repr__(self) -> str:
        """Return what a log may show."""
        return f"<Held {self.subject} in {self.namespace}>"

    @property
    def auth(self) -> str:
        """`uuid:key`, which opens the namespace."""
        return f"{self.uuid}:{self.key}"


def is_well_formed(uuid: str, key: str) -> bool:
    """Tell whether this can be a key."""
    return _UUID.match(uuid) is not None and _KEY.match(key) is not None


class SubjectAdmin:
    """Works on the documents of one installation, beside processes that read them."""

    def __init__(self, docs: DocStore, secret: InstallationSecret, clock: Clock) -> None:
        self._docs = docs
        self._secret = secret
        self._clock = clock

    def __repr__(self) -> str:
        return "<SubjectAdmin>"

    async def create(
        self,
        subject: Subject,
        namespace: Namespace,
        uuid: str,
        key: str,
        *,
        may_share: bool = False,
    ) -> None:
        """Give *subject* a namespace with a key; again with the same key finishes what broke off.

        uuid: 36 characters. key: 64 characters. Both printable ASCII.
        may_share: also a namespace that another subject has.

        Raises `Conflict` when the namespace or the uuid is taken; `NamespaceExists` when the
        subject has the namespace with another key, `SubjectIsBlocked`, `IllegalSubject`,
        `ValueError` for a malformed key.
        """
        if not is_well_formed(uuid, key):
            raise ValueError("A key is a uuid of 36 characters, and 64 characters more.")
        if not is_legal(subject) or not is_legal(namespace):
            raise IllegalSubject
        is_there = await self._is_theirs(subject, namespace, uuid, key)
        known = await self._body(documents.subject_id(subject)) or {"namespaces": []}
        if not is_there:
            if known.get("blocked"):
                raise SubjectIsBlocked
            # The name alone may be left of a try that broke off: then there is no such key.
            if documents.uuids(known).get(namespace, uuid) != uuid:
                raise NamespaceExists
            if await self._body(documents.key_id(uuid)) is not None:
                raise Conflict(f"The uuid {uuid} is taken.")
        await self._enter(namespace, Member(subject, uuid), may_share=may_share)
        try:
            await self._docs.create(
                documents.key_id(uuid), self._key_body(subject, namespace, uuid, key)
            )
        except Conflict:
            if not await self._is_theirs(subject, namespace, uuid, key):
                raise Conflict(f"The uuid {uuid} is taken.") from None
        await self._change(
            documents.subject_id(subject),
            lambda body: documents.with_namespace(
                body or {"subject": subject, "namespaces": []}, namespace, uuid
            ),
        )

    async def rotate(
        self, subject: Subject, namespace: Namespace, *, key: str, uuid: str | None = None
    ) -> Held:
        """Give an identity another *key*, and another *uuid* if one is named; the old one is void.

        With the uuid stay what was counted for the throttles. Raises `NoSubject`, `NoIdentity`,
        `SubjectIsBlocked`, `Conflict` when the uuid is taken, `ValueError` for a malformed key.
        """
        known = await self._known(subject)
        if known.get("blocked"):
            raise SubjectIsBlocked
        old = self._uuid(known, subject, namespace)
        new = uuid or old
        if not is_well_formed(new, key):
            raise ValueError("A key is a uuid of 36 characters, and 64 characters more.")
        if new == old:
            body = self._key_body(subject, namespace, old, key)
            await self._change(documents.key_id(old), lambda _: body)
            return Held(subject, namespace, old, key)
        if await self._body(documents.key_id(new)) is not None:
            raise Conflict(f"The uuid {new} is taken.")
        await self._delete(documents.key_id(old))
        await self._change(
            documents.name_id(namespace),
            lambda body: documents.joined(body, Member(subject, new)) if body else None,
        )
        await self._docs.create(documents.key_id(new), self._key_body(subject, namespace, new, key))
        await self._change(
            documents.subject_id(subject),
            lambda body: documents.with_namespace(
                body or {"subject": subject, "namespaces": []}, namespace, new
            ),
        )
        return Held(subject, namespace, new, key)

    async def held(self, subject: Subject) -> list[Held]:
        """Return the identities of a subject, the oldest first. Raises `NoSubject`, `Corrupted`."""
        known = documents.uuids(await self._known(subject))
        found = [await self._held(uuid) for uuid in known.values()]
        return [each for each in found if each is not None]

    async def members(self, namespace: Namespace) -> list[Held]:
        """Return the identities that may use a namespace: those of no blocked subject."""
        body = await self._body(documents.name_id(namespace))
        found: list[Held] = []
        for member in documents.members(body) if body else ():
            known = await self._body(documents.subject_id(member.subject))
            held = await self._held(member.uuid) if known and not known.get("blocked") else None
            if held is not None:
                found.append(held)
        return found

    async def owner(self, uuid: str, key: str) -> Held | None:
        """Return whose key this is, also when its subject is blocked; None when nobody's."""
        held = await self._held(uuid) if is_well_formed(uuid, key) else None
        return held if held and hmac.compare_digest(held.key, key) else None

    async def block(self, subject: Subject, *, is_blocked: bool) -> None:
        """Have all keys of a subject open nothing, or open again. Raises `NoSubject`."""
        await self._known(subject)
        await self._change(
            documents.subject_id(subject),
            lambda body: documents.with_blocked(body, is_blocked=is_blocked) if body else None,
        )

    async def delete(self, subject: Subject, namespace: Namespace | None = None) -> None:
        """Take a namespace away from a subject; None takes all, and forgets the subject.

        What is in the namespace stays, and so does its bill. Raises `NoSubject`, `NoIdentity`.
        """
        known = await self._known(subject)
        theirs = documents.uuids(known)
        if namespace is not None:
            theirs = {namespace: self._uuid(known, subject, namespace)}
        for each, uuid in theirs.items():
            await self._delete(documents.key_id(uuid))
            await self._change(
                documents.name_id(each),
                lambda body: documents.left(body, subject) if body else None,
            )
            await self._change(documents.subject_id(subject), _leaving(each))

    async def limits(self, namespace: Namespace) -> dict[str, Any] | None:
        """Return the document of a namespace's own limits; None if it has none."""
        return await self._body(documents.limits_id(namespace))

    async def set_limits(self, namespace: Namespace, given: Mapping[str, Any]) -> None:
        """Put limits over those that a namespace has. Raises `namespace_limits.NotALimit`."""
        namespace_limits.changed({}, given)
        await self._change(
            documents.limits_id(namespace),
            lambda body: namespace_limits.changed(body or {}, given),
        )

    async def delete_limits(self, namespace: Namespace) -> None:
        """Leave a namespace to the limits of the installation. Idempotent."""
        await self._delete(documents.limits_id(namespace))

    async def _enter(self, namespace: Namespace, new: Member, *, may_share: bool) -> None:
        doc_id = documents.name_id(namespace)
        body = await self._body(doc_id)
        if body is None:
            made = documents.new_namespace(namespace, new, updated_ms=self._clock.now_ms())
            try:
                await self._docs.create(doc_id, made)
                return
            except Conflict:
                body = await self._body(doc_id) or {}
        is_theirs = any(each.subject == new.subject for each in documents.members(body))
        if not is_theirs and not may_share:
            raise Conflict(f"The namespace {namespace} is taken.")
        await self._change(doc_id, lambda there: documents.joined(there, new) if there else None)

    async def _is_theirs(self, subject: Subject, namespace: Namespace, uuid: str, key: str) -> bool:
        there = await self._body(documents.key_id(uuid)) or {}
        fingerprint = self._secret.fingerprint(f"{uuid}:{key}").hex()
        return (there.get("subject"), there.get("namespace")) == (subject, namespace) and (
            hmac.compare_digest(there["fingerprint"], fingerprint)
        )

    def _key_body(
        self, subject: Subject, namespace: Namespace, uuid: str, key: str
    ) -> dict[str, Any]:
        return {
            "subject": subject,
            "namespace": namespace,
            "key": self._secret.encrypt(key, owner=uuid),
            "fingerprint": self._secret.fingerprint(f"{uuid}:{key}").hex(),
        }

    async def _held(self, uuid: str) -> Held | None:
        body = await self._body(documents.key_id(uuid))
        if body is None:
            return None
        key = self._secret.decrypt(body["key"], owner=uuid)
        return Held(Subject(body["subject"]), Namespace(body["namespace"]), uuid, key)

    async def _known(self, subject: Subject) -> dict[str, Any]:
        body = await self._body(documents.subject_id(subject))
        if body is None:
            raise NoSubject(f'there is no subject "{subject}"')
        return body

    def _uuid(self, known: Mapping[str, Any], subject: Subject, namespace: Namespace) -> str:
        uuid = documents.uuids(known).get(namespace)
        if uuid is None:
            raise NoIdentity(f'namespace "{namespace}" not found for "{subject}"')
        return uuid

    async def _body(self, doc_id: DocId) -> dict[str, Any] | None:
        try:
            return (await self._docs.get(doc_id)).body
        except Missing:
            return None

    async def _delete(self, doc_id: DocId) -> None:
        await self._change(doc_id, lambda _: None)

    async def _change(
        self, doc_id: DocId, change: Callable[[dict[str, Any] | None], dict[str, Any] | None]
    ) -> None:
        """Write what *change* makes of a document; None is none, before and after.

        Raises `Conflict` when others change it all the time.
        """
        for _ in range(_ATTEMPTS):
            try:
                doc = await self._docs.get(doc_id)
            except Missing:
                doc = None
            body = change(doc.body if doc else None)
            try:
                if doc is None and body is not None:
                    await self._docs.create(doc_id, body)
                elif doc is not None and body is None:
                    await self._docs.delete(doc_id, doc.rev)
                elif doc is not None and body is not None and body != doc.body:
                    await self._docs.replace(doc_id, doc.rev, body)
                return
            except (Conflict, Missing):
                continue  # Somebody else has changed it: read that, then change it.
        raise Conflict(f"The document {doc_id} is being changed by others.")


def _leaving(namespace: Namespace) -> Callable[[dict[str, Any] | None], dict[str, Any] | None]:
    return lambda body: documents.without_namespace(body, namespace) if body else None
