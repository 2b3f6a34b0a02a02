"""Who may ask: subjects, their namespaces, and the key of each.

Documents, all found by id: `ns/<name>` (whose it is; writing it first makes a name unique),
`key/<uuid>` (of which subject and namespace; the key encrypted, and its keyed hash),
`sub/<subject>` (its namespaces, and whether it is blocked), `lim/<namespace>` (its own limits, if
it has any). A key is looked up by its uuid and compared by its hash, in constant time. It is kept
in the clear nowhere: not in a document, not in the cache, not in a text that can be logged.

Source: OpenWhisk's subject and limits documents (core/entity/Identity.scala, UserLimits).
"""

import hmac
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from common.clock import Clock, SystemClock
from common.entity.identity import Identity
from common.ids import DocId, Namespace, Rev, Subject
from common.settings import ThrottleSettings
from common.store.cache import Cache, Lifetimes
from common.store.port import Conflict, DocStore, Gap, InvalidationBus, Missing
from common.store.secrets_file import InstallationSecret

# Lengths as in OpenWhisk (BasicAuthenticationAuthKey); of what, it does not ask either.
_UUID: Final = re.compile(r"[!-9;-~]{36}\Z")
_KEY: Final = re.compile(r"[!-~]{64}\Z")
LIFETIMES: Final = Lifetimes(fresh_s=10.0)
"""Where nobody tells what other processes change, such as a limit."""
_CACHED: Final = 10_000
_ATTEMPTS: Final = 5
_PAGE: Final = 200
# All `ns/…` documents stand in one list of their database.
_KIND: Final = "namespace"
_LIST: Final = Namespace("namespaces")


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    identity: Identity
    fingerprint: bytes
    sealed_key: str


class SubjectStore:
    """Makes and recognises identities."""

    def __init__(
        self,
        docs: DocStore,
        secret: InstallationSecret,
        throttle: ThrottleSettings,
        *,
        clock: Clock | None = None,
        lifetimes: Lifetimes = LIFETIMES,
    ) -> None:
        """Serve the subjects in *docs*.

        throttle: the limits of a namespace whose own document says nothing.
        clock: None for the system's.
        """
        self._docs = docs
        self._secret = secret
        self._throttle = throttle
        self._clock = clock or SystemClock()
        self._known: Cache[str, _Known] = Cache(
            self._look_up,
            self._clock,
            capacity=_CACHED,
            lifetimes=lifetimes,
        )

    def __repr__(self) -> str:
        return f"<SubjectStore {self._known!r}>"

    async def create(self, subject: Subject, namespace: Namespace, uuid: str, key: str) -> Identity:
        """Give *subject* a namespace with a key; again with the same uuid finishes what broke off.

        uuid: 36 characters. key: 64 characters. Both printable ASCII.

        Raises `Conflict` when the namespace or the uuid is taken, `ValueError` for a malformed key.
        """
        if not _is_well_formed(uuid, key):
            raise ValueError("A key is a uuid of 36 characters, and 64 characters more.")
        self._known.forget(uuid)
        taken = await self._take_name(subject, namespace, uuid)
        try:
            await self._docs.create(_key_id(uuid), self._key_body(subject, namespace, uuid, key))
        except Conflict:
            if not await self._is_theirs(subject, namespace, uuid, key):
                if taken is not None:
                    await self._docs.delete(_name_id(namespace), taken)
                raise Conflict(f"The uuid {uuid} is taken.") from None
        await self._add_to_subject(subject, namespace, uuid)
        self._known.forget(uuid)
        return await self._identity(subject, namespace, uuid)

    async def identify(self, uuid: str, key: str) -> Identity | None:
        """Return whose key this is; None when nobody's, or a blocked subject's."""
        if not _is_well_formed(uuid, key):
            return None
        try:
            known = await self._known.get(uuid)
        except Missing:
            return None
        offered = self._secret.fingerprint(f"{uuid}:{key}")
        return known.identity if hmac.compare_digest(known.fingerprint, offered) else None

    async def api_key(self, uuid: str) -> str:
        """Return `uuid:key`, for actions that are given it. Raises `Missing`, `Corrupted`."""
        known = await self._known.get(uuid)
        return f"{uuid}:{self._secret.decrypt(known.sealed_key, owner=uuid)}"

    async def follow(self, changes: InvalidationBus) -> None:
        """Forget what others change, as they change it, until cancelled; for a task of the root."""
        async with aclosing(changes.subscribe()) as told:
            async for change in told:
                if isinstance(change, Gap):
                    self._known.clear()
                else:
                    self._forget(change.doc_id)

    def _forget(self, doc_id: DocId) -> None:
        kind, _, name = doc_id.partition("/")
        match kind:
            case "key":
                self._known.forget(name)
            case "sub":
                self._known.forget_where(lambda known: known.identity.subject == name)
            case "lim":
                self._known.forget_where(lambda known: known.identity.namespace == name)
            case _:
                return

    async def namespaces(self) -> list[Namespace]:
        """Return the names of all namespaces, the newest first."""
        names: list[Namespace] = []
        while True:
            page = await self._docs.list(_LIST, _KIND, package=None, limit=_PAGE, skip=len(names))
            names += [Namespace(body["name"]) for body in page]
            if len(page) < _PAGE:
                return names

    async def _take_name(self, subject: Subject, namespace: Namespace, uuid: str) -> Rev | None:
        """Return the revision of the name's document; None if it was there, and theirs."""
        body = {
            "entityType": _KIND,
            "namespace": _LIST,
            "name": namespace,
            "owner": subject,
            "uuid": uuid,
            "updated": self._clock.now_ms(),
        }
        try:
            return await self._docs.create(_name_id(namespace), body)
        except Conflict:
            there = await self._find(_name_id(namespace)) or {}
            if (there.get("owner"), there.get("uuid")) != (subject, uuid):
                raise Conflict(f"The namespace {namespace} is taken.") from None
            return None

    async def _is_theirs(self, subject: Subject, namespace: Namespace, uuid: str, key: str) -> bool:
        there = await self._find(_key_id(uuid)) or {}
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

    async def _add_to_subject(self, subject: Subject, namespace: Namespace, uuid: str) -> None:
        entry = {"name": namespace, "uuid": uuid}
        doc_id = _subject_id(subject)
        for _ in range(_ATTEMPTS):
            try:
                doc = await self._docs.get(doc_id)
                if entry not in doc.body["namespaces"]:
                    namespaces = [*doc.body["namespaces"], entry]
                    await self._docs.replace(doc_id, doc.rev, doc.body | {"namespaces": namespaces})
                return
            except Missing:
                body = {"subject": subject, "namespaces": [entry]}
                if await self._try_create(doc_id, body):
                    return
            except Conflict:
                continue  # Somebody else gave the subject a namespace: read that, then add ours.
        raise Conflict(f"The subject {subject} is being changed by others.")

    async def _try_create(self, doc_id: DocId, body: dict[str, Any]) -> bool:
        try:
            await self._docs.create(doc_id, body)
        except Conflict:
            return False
        return True

    async def _look_up(self, uuid: str) -> _Known:
        """Return who has the key *uuid*. Raises `Missing` when nobody may use it."""
        body = await self._find(_key_id(uuid))
        owner = await self._find(_subject_id(Subject(body["subject"]))) if body else None
        # Without a subject's document, the making of the key broke off before it was told anyone.
        if body is None or owner is None or owner.get("blocked"):
            raise Missing(f"There is no key {uuid}.")
        subject, namespace = Subject(body["subject"]), Namespace(body["namespace"])
        return _Known(
            identity=await self._identity(subject, namespace, uuid),
            fingerprint=bytes.fromhex(body["fingerprint"]),
            sealed_key=body["key"],
        )

    async def _identity(self, subject: Subject, namespace: Namespace, uuid: str) -> Identity:
        own = await self._find(DocId(f"lim/{namespace}")) or {}
        default = self._throttle
        return Identity(
            subject=subject,
            namespace=namespace,
            uuid=uuid,
            invocations_per_minute=_limit(
                own, "invocationsPerMinute", default.invocations_per_minute
            ),
            firings_per_minute=_limit(own, "firesPerMinute", default.firings_per_minute),
            concurrent_invocations=_limit(
                own, "concurrentInvocations", default.concurrent_invocations
            ),
        )

    async def _find(self, doc_id: DocId) -> dict[str, Any] | None:
        try:
            return (await self._docs.get(doc_id)).body
        except Missing:
            return None


def _is_well_formed(uuid: str, key: str) -> bool:
    return _UUID.match(uuid) is not None and _KEY.match(key) is not None


def _limit(own: dict[str, Any], field: str, default: int) -> int:
    value = own.get(field)
    # A limit that cannot be read counts as not set, as in OpenWhisk.
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return default
    return value


def _subject_id(subject: Subject) -> DocId:
    return DocId(f"sub/{subject}")


def _key_id(uuid: str) -> DocId:
    return DocId(f"key/{uuid}")


def _name_id(namespace: Namespace) -> DocId:
    return DocId(f"ns/{namespace}")
