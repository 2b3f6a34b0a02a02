"""What a namespace shows registries of images, so that its private images can be pulled.

One document for each namespace, among the entities, where invokers may read it: for each host a
user, and a password that is encrypted. The key for that is derived from the secret of the
installation and is of no use for anything else: a controller writes it into a file of its own, and
who is given that file reads passwords of registries, and no key of a namespace.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from common.clock import Clock
from common.errors import MalformedContent, NoSuchResource
from common.ids import DocId, Namespace
from common.store.port import Conflict, DocStore, Missing, StoreError, StoreUnavailable
from common.store.secrets_file import Seal

MAX_HOSTS: Final = 20
MAX_CHARACTERS: Final = 4096
_KIND: Final = "registries"
_REMEMBERED: Final = 1024
_ATTEMPTS: Final = 5
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(:[0-9]{1,5})?")


class NoRegistryKey(StoreError):
    """The passwords of registries can't be read: copy `registries.key` of a controller's folder."""


class Login(NamedTuple):
    """Who pulls. Shows no password."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Return what a log may show."""
        return f"<Login {self.username}>"


@dataclass(frozen=True, slots=True)
class Registered:
    """One host as it may be shown."""

    host: str
    username: str
    updated_ms: int


class RegistryStore:
    """The credentials of all namespaces. Belongs to one event loop."""

    def __init__(self, docs: DocStore, seal: Callable[[], Seal | None], clock: Clock) -> None:
        """Serve what is in *docs*.

        seal: what passwords are kept under, asked each time; None while there is no key.
        """
        self._docs = docs
        self._find_seal = seal
        self._clock = clock
        self._known: OrderedDict[Namespace, dict[str, Any]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<RegistryStore {len(self._known)} known>"

    async def put(self, namespace: Namespace, host: str, login: Login) -> Registered:
        """Keep *login* for *host*. Raises `MalformedContent`, `Conflict`, `NoRegistryKey`."""
        if _HOST.fullmatch(host) is None:
            raise MalformedContent(f"'{host}' is no host of a registry: name it as images do")
        if not all(0 < len(text) <= MAX_CHARACTERS for text in login):
            raise MalformedContent(f"user and password have 1 to {MAX_CHARACTERS} characters")
        now_ms = self._clock.now_ms()
        sealed = self._seal().encrypt(login.password, owner=f"{namespace}/{host}")
        entry = {"username": login.username, "password": sealed, "updated": now_ms}
        for _ in range(_ATTEMPTS):
            try:
                doc = await self._docs.get(_doc_id(namespace))
                hosts = doc.body["hosts"] | {host: entry}
                if len(hosts) > MAX_HOSTS:
                    raise MalformedContent(f"a namespace has {MAX_HOSTS} registries at most")
                body = doc.body | {"hosts": hosts, "updated": now_ms}
                await self._docs.replace(doc.id, doc.rev, body)
            except Missing:
                if not await self._has_created(namespace, {host: entry}, now_ms):
                    continue
            except Conflict:
                continue  # somebody else has changed it: read that
            return Registered(host, login.username, now_ms)
        raise Conflict(f"The registries of {namespace} are being changed by others.")

    async def delete(self, namespace: Namespace, host: str) -> Registered:
        """Forget *host*, and return what it was. Raises `NoSuchResource`, `Conflict`."""
        try:
            doc = await self._docs.get(_doc_id(namespace))
        except Missing as error:
            raise NoSuchResource from error
        hosts = dict(doc.body["hosts"])
        entry = hosts.pop(host, None)
        if entry is None:
            raise NoSuchResource
        body = doc.body | {"hosts": hosts, "updated": self._clock.now_ms()}
        await self._docs.replace(doc.id, doc.rev, body)
        return Registered(host, entry["username"], entry["updated"])

    async def registered(self, namespace: Namespace) -> list[Registered]:
        """Return all hosts of *namespace*, in their order. Raises `StoreUnavailable`."""
        hosts = await self._hosts(namespace)
        return [Registered(host, each["username"], each["updated"]) for host, each in hosts]

    async def login(self, namespace: Namespace, host: str) -> Login | None:
        """Return what *namespace* shows *host*; None if it has nothing.

        Raises `NoRegistryKey`, `Corrupted`, and `StoreUnavailable` if it was never read before.
        """
        entry = dict(await self._hosts(namespace, may_be_old=True)).get(host)
        if entry is None:
            return None
        password = self._seal().decrypt(entry["password"], owner=f"{namespace}/{host}")
        return Login(entry["username"], password)

    def _seal(self) -> Seal:
        seal = self._find_seal()
        if seal is None:
            raise NoRegistryKey
        return seal

    async def _has_created(self, namespace: Namespace, hosts: dict[str, Any], now_ms: int) -> bool:
        body = {
            "entityType": _KIND,
            "namespace": namespace,
            "name": _KIND,
            "updated": now_ms,
            "hosts": hosts,
        }
        try:
            await self._docs.create(_doc_id(namespace), body)
        except Conflict:
            return False
        return True

    async def _hosts(
        self, namespace: Namespace, *, may_be_old: bool = False
    ) -> list[tuple[str, dict[str, Any]]]:
        try:
            hosts = (await self._docs.get(_doc_id(namespace))).body["hosts"]
        except Missing:
            hosts = {}
        except StoreUnavailable:
            if not may_be_old or namespace not in self._known:
                raise
            hosts = self._known[namespace]
        self._known[namespace] = hosts
        self._known.move_to_end(namespace)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return sorted(hosts.items())


def _doc_id(namespace: Namespace) -> DocId:
    return DocId(f"~registries/{namespace}")  # no entity's: names do not begin so
