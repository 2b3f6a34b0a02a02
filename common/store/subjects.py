"""Who may ask: subjects, their namespaces, and the key of each.

Documents, all found by id: `ns/<name>` (whose it is; writing it first makes a name unique),
`key/<uuid>` (of which subject and namespace; the key encrypted, and its keyed hash),
`sub/<subject>` (its namespaces, and whether it is blocked), `lim/<namespace>` (its own limits, if
it has any). A key is looked up by its uuid and compared by its hash, in constant time. It is kept
in the clear nowhere: not in a document, not in the cache, not in a text that can be logged.

Source: OpenWhisk's subject and limits documents (core/entity/Identity.scala, UserLimits).
"""

import hmac
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from common.clock import Clock, SystemClock
from common.entity.identity import Identity
from common.entity.namespace_limits import limits_of
from common.ids import DocId, Namespace, Subject
from common.settings import ThrottleSettings
from common.store import subject_documents as documents
from common.store.cache import Cache, Lifetimes
from common.store.port import DocStore, Gap, InvalidationBus, Missing
from common.store.secrets_file import InstallationSecret
from common.store.subject_admin import SubjectAdmin, is_well_formed

LIFETIMES: Final = Lifetimes(fresh_s=10.0)
"""Where nobody tells what other processes change, such as a limit."""
_CACHED: Final = 10_000
_PAGE: Final = 200


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    identity: Identity
    fingerprint: bytes
    sealed_key: str


class SubjectStore:
    """Recognises identities. They are made by `common.store.subject_admin`."""

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
        self._admin = SubjectAdmin(docs, secret, self._clock)
        self._known: Cache[str, _Known] = Cache(
            self._look_up,
            self._clock,
            capacity=_CACHED,
            lifetimes=lifetimes,
        )

        self._owners: Cache[Namespace, tuple[str, ...]] = Cache(
            self._members,
            self._clock,
            capacity=_CACHED,
            lifetimes=lifetimes,
        )

    def __repr__(self) -> str:
        return f"<SubjectStore {self._known!r}>"

    async def create(self, subject: Subject, namespace: Namespace, uuid: str, key: str) -> Identity:
        """Give *subject* a namespace with a key; see `SubjectAdmin.create`."""
        await self._admin.create(subject, namespace, uuid, key)
        self._known.forget(uuid)
        return await self._identity(subject, namespace, uuid)

    async def identify(self, uuid: str, key: str) -> Identity | None:
        """Return whose key this is; None when nobody's, or a blocked subject's."""
        if not is_well_formed(uuid, key):
            return None
        try:
            known = await self._known.get(uuid)
        except Missing:
            return None
        offered = self._secret.fingerprint(f"{uuid}:{key}")
        return known.identity if hmac.compare_digest(known.fingerprint, offered) else None

    async def owner(self, namespace: Namespace) -> Identity | None:
        """Return in whose name the web actions of *namespace* run: the first who may use it.

        None when there is no such namespace, or all its subjects are blocked.
        """
        try:
            uuids = await self._owners.get(namespace)
        except Missing:
            return None
        for uuid in uuids:
            try:
                return (await self._known.get(uuid)).identity
            except Missing:
                continue
        return None

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
                    self._owners.clear()
                else:
                    self._forget(change.doc_id)

    def _forget(self, doc_id: DocId) -> None:
        kind, _, name = doc_id.partition("/")
        match kind:
            case "key":
                self._known.forget(name)
            case "ns":
                self._owners.forget(Namespace(name))
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
            page = await self._docs.list(
                documents.NAMESPACES,
                documents.NAMESPACE_KIND,
                package=None,
                limit=_PAGE,
                skip=len(names),
            )
            names += [Namespace(body["name"]) for body in page]
            if len(page) < _PAGE:
                return names

    async def _members(self, namespace: Namespace) -> tuple[str, ...]:
        body = await self._find(documents.name_id(namespace))
        if body is None:
            raise Missing(f"There is no namespace {namespace}.")
        return tuple(member.uuid for member in documents.members(body))

    async def _look_up(self, uuid: str) -> _Known:
        """Return who has the key *uuid*. Raises `Missing` when nobody may use it."""
        body = await self._find(documents.key_id(uuid))
        owner = await self._find(documents.subject_id(Subject(body["subject"]))) if body else None
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
        own = limits_of(await self._find(documents.limits_id(namespace)) or {})
        default = self._throttle
        return Identity(
            subject=subject,
            namespace=namespace,
            uuid=uuid,
            invocations_per_minute=own.number(
                "invocationsPerMinute", default.invocations_per_minute
            ),
            firings_per_minute=own.number("firesPerMinute", default.firings_per_minute),
            concurrent_invocations=own.number(
                "concurrentInvocations", default.concurrent_invocations
            ),
            own=own,
        )

    async def _find(self, doc_id: DocId) -> dict[str, Any] | None:
        try:
            return (await self._docs.get(doc_id)).body
        except Missing:
            return None
