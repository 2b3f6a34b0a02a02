"""Credentials of registries: kept encrypted, shown without passwords, read by who has the key."""

from pathlib import Path

import pytest

from common.errors import MalformedContent, NoSuchResource
from common.ids import DocId, Namespace
from common.store import registries
from common.store.port import Conflict, Corrupted, Doc, StoreUnavailable
from common.store.registries import Login, NoRegistryKey, Registered, RegistryStore
from common.store.secrets_file import InstallationSecret, Seal, SecretUnreadable
from tests.fakes.clock import FakeClock
from tests.fakes.running_api import MemoryDocs

MINE, YOURS = Namespace("mine"), Namespace("yours")
HOST = "registry.example:5000"
LOGIN = Login("ada", "lovelace-1815")


def store(docs: MemoryDocs, key: bytes | None = bytes(32)) -> RegistryStore:
    return RegistryStore(docs, lambda: None if key is None else Seal(key), FakeClock())


async def test_what_was_kept_is_found_again_by_its_namespace_only() -> None:
    docs = MemoryDocs()
    await store(docs).put(MINE, HOST, LOGIN)
    await store(docs).put(MINE, "default", Login("bob", "builder"))

    other = store(docs)

    assert await other.login(MINE, HOST) == LOGIN
    assert await other.login(YOURS, HOST) is None
    assert await other.login(MINE, "registry.example") is None
    assert [(each.host, each.username) for each in await other.registered(MINE)] == [
        ("default", "bob"), (HOST, "ada"),
    ]  # fmt: skip
    assert await other.registered(YOURS) == []


async def test_the_password_is_nowhere_to_be_read() -> None:
    docs = MemoryDocs()
    kept = await store(docs).put(MINE, HOST, LOGIN)
    document = (await docs.get(DocId("~registries/mine"))).body
    for shown in (repr(document), repr(kept), repr(LOGIN), repr(Seal(bytes(32))), f"{LOGIN}"):
        assert LOGIN.password not in shown


async def test_a_password_is_bound_to_its_namespace_its_host_and_the_key() -> None:
    docs = MemoryDocs()
    await store(docs).put(MINE, HOST, LOGIN)
    document = (await docs.get(DocId("~registries/mine"))).body
    with pytest.raises(Corrupted):
        await store(docs, bytes([1] * 32)).login(MINE, HOST)
    with pytest.raises(NoRegistryKey, match=r"copy `registries\.key`"):
        await store(docs, None).login(MINE, HOST)
    await docs.create(DocId("~registries/yours"), document)
    with pytest.raises(Corrupted):
        await store(docs).login(YOURS, HOST)


async def test_a_newer_one_replaces_it_and_a_deleted_one_is_gone() -> None:
    docs = MemoryDocs()
    kept = store(docs)
    await kept.put(MINE, HOST, LOGIN)
    await kept.put(MINE, HOST, Login("ada", "new"))
    assert await kept.login(MINE, HOST) == Login("ada", "new")
    assert isinstance(await kept.delete(MINE, HOST), Registered)
    assert await kept.login(MINE, HOST) is None
    for namespace in (MINE, YOURS):
        with pytest.raises(NoSuchResource):
            await kept.delete(namespace, HOST)


@pytest.mark.parametrize(
    ("host", "login"),
    [
        ("", LOGIN),
        ("-x", LOGIN),
        ("https:registry", LOGIN),
        ("a b", LOGIN),
        (HOST, Login("", "x")),
        (HOST, Login("x", "")),
        (HOST, Login("x", "y" * 4097)),
    ],
)
async def test_what_is_malformed_is_refused(host: str, login: Login) -> None:
    with pytest.raises(MalformedContent):
        await store(MemoryDocs()).put(MINE, host, login)


async def test_a_namespace_has_a_bounded_number() -> None:
    kept = store(MemoryDocs())
    for number in range(registries.MAX_HOSTS):
        await kept.put(MINE, f"host{number}.example", LOGIN)
    with pytest.raises(MalformedContent):
        await kept.put(MINE, "one-more.example", LOGIN)
    await kept.put(MINE, "host0.example", Login("ada", "again"))


class Away(MemoryDocs):
    """A store that is away when it is told to be."""

    is_away = False

    async def get(self, doc_id: DocId) -> Doc:
        if self.is_away:
            raise StoreUnavailable
        return await super().get(doc_id)


async def test_what_was_read_once_is_used_while_the_store_is_away() -> None:
    docs = Away()
    kept = store(docs)
    await kept.put(MINE, HOST, LOGIN)
    assert await kept.login(MINE, HOST) == LOGIN
    docs.is_away = True
    assert await kept.login(MINE, HOST) == LOGIN
    for wrong in (kept.registered(MINE), kept.login(YOURS, HOST)):
        with pytest.raises(StoreUnavailable):
            await wrong


async def test_a_change_by_somebody_else_is_read_and_built_upon() -> None:
    class Racing(MemoryDocs):
        lost = 2

        async def replace(self, doc_id, rev, body):  # type: ignore[no-untyped-def]
            if self.lost:
                self.lost -= 1
                raise Conflict
            return await super().replace(doc_id, rev, body)

    kept = store(Racing())
    await kept.put(MINE, "a.example", LOGIN)
    await kept.put(MINE, "b.example", LOGIN)
    assert len(await kept.registered(MINE)) == 2


def test_invokers_are_given_a_key_that_opens_nothing_else(tmp_path: Path) -> None:
    secret = InstallationSecret.load_or_create(tmp_path / "secret")
    seal = secret.for_registries(tmp_path / "registries.key")
    copied = Seal.load(tmp_path / "registries.key")
    assert copied is not None
    assert copied.decrypt(seal.encrypt("x", owner="o"), owner="o") == "x"
    with pytest.raises(Corrupted):
        copied.decrypt(secret.encrypt("x", owner="o"), owner="o")
    assert (tmp_path / "registries.key").stat().st_mode & 0o777 == 0o600
    assert Seal.load(tmp_path / "nothing") is None
    other = InstallationSecret.load_or_create(tmp_path / "other")
    with pytest.raises(SecretUnreadable, match="another installation"):
        other.for_registries(tmp_path / "registries.key")
