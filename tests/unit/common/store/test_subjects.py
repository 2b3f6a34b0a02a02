"""Who may ask: keys are found, compared and given back, and are shown nowhere."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.entity.identity import Identity
from common.ids import DocId, Namespace, Subject
from common.settings import StoreSettings, ThrottleSettings
from common.store.port import Conflict, Corrupted, DocStore, Missing
from common.store.secrets_file import InstallationSecret
from common.store.sqlite import SqliteStores
from common.store.subject_admin import SubjectAdmin
from common.store.subjects import SubjectStore

GUEST = Subject("guest")
SPACE = Namespace("guest")
UUID = "23bc46b1-71f6-4ed5-8c54-816aa4f8c502"
KEY = "k3y" * 21 + "K"
OTHER_UUID = "789c46b1-71f6-4ed5-8c54-816aa4f8c502"


class Elapsing(SystemClock):
    seconds = 0.0

    def elapsed_s(self) -> float:
        return self.seconds


@pytest.fixture
async def docs(tmp_path: Path) -> AsyncIterator[DocStore]:
    stores = await SqliteStores.open(tmp_path / "data", StoreSettings(), SystemClock())
    yield stores.subjects
    await stores.close()


@pytest.fixture
def secret(tmp_path: Path) -> InstallationSecret:
    return InstallationSecret.load_or_create(tmp_path / "secret")


@pytest.fixture
def clock() -> Elapsing:
    return Elapsing()


@pytest.fixture
def subjects(docs: DocStore, secret: InstallationSecret, clock: Elapsing) -> SubjectStore:
    return SubjectStore(docs, secret, ThrottleSettings(), clock=clock)


async def test_a_key_tells_who_asks(subjects: SubjectStore) -> None:
    created = await subjects.create(GUEST, SPACE, UUID, KEY)

    assert created == Identity(
        subject=GUEST,
        namespace=SPACE,
        uuid=UUID,
        invocations_per_minute=10_000,
        firings_per_minute=10_000,
        concurrent_invocations=1_000,
    )
    for _ in range(2):
        assert await subjects.identify(UUID, KEY) == created
    assert await subjects.api_key(UUID) == f"{UUID}:{KEY}"


@pytest.mark.parametrize(
    ("uuid", "key"),
    [
        (UUID, KEY[:-1] + "L"),
        (OTHER_UUID, KEY),
        (UUID, KEY[:-1]),
        (UUID, KEY + "K"),
        (UUID[:-1], KEY),
        (UUID, ""),
        ("", ""),
        (UUID, "é" * 64),
        (UUID, KEY + "\n"),
    ],
)
async def test_any_other_key_is_nobodys(subjects: SubjectStore, uuid: str, key: str) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)

    for _ in range(2):
        assert await subjects.identify(uuid, key) is None
        await subjects.identify(UUID, KEY)


async def test_an_unknown_uuid_has_no_key(subjects: SubjectStore) -> None:
    with pytest.raises(Missing):
        await subjects.api_key(UUID)


async def test_a_subject_may_have_several_namespaces(subjects: SubjectStore) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)
    await subjects.create(GUEST, Namespace("second"), OTHER_UUID, KEY)

    first, second = await subjects.identify(UUID, KEY), await subjects.identify(OTHER_UUID, KEY)

    assert first is not None
    assert second is not None
    assert (first.subject, second.subject) == (GUEST, GUEST)
    assert (first.namespace, second.namespace) == ("guest", "second")
    assert sorted(await subjects.namespaces()) == ["guest", "second"]


async def test_a_namespace_belongs_to_one(subjects: SubjectStore) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)

    with pytest.raises(Conflict, match="namespace guest is taken"):
        await subjects.create(Subject("intruder"), SPACE, OTHER_UUID, KEY)
    assert await subjects.identify(OTHER_UUID, KEY) is None


async def test_a_uuid_belongs_to_one_and_a_refusal_takes_no_name(subjects: SubjectStore) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)

    with pytest.raises(Conflict, match=f"uuid {UUID} is taken"):
        await subjects.create(Subject("other"), Namespace("other"), UUID, KEY)
    with pytest.raises(Conflict, match=f"uuid {UUID} is taken"):
        await subjects.create(GUEST, SPACE, UUID, KEY[:-1] + "L")

    assert await subjects.namespaces() == ["guest"]
    await subjects.create(Subject("other"), Namespace("other"), OTHER_UUID, KEY)


@pytest.mark.parametrize("lost", ["key/" + UUID, "sub/guest"])
async def test_a_creation_that_broke_off_can_be_finished(
    subjects: SubjectStore, docs: DocStore, lost: str
) -> None:
    created = await subjects.create(GUEST, SPACE, UUID, KEY)
    doc = await docs.get(DocId(lost))
    await docs.delete(doc.id, doc.rev)
    assert await subjects.identify(UUID, KEY) is None

    assert await subjects.create(GUEST, SPACE, UUID, KEY) == created
    assert await subjects.identify(UUID, KEY) == created


@pytest.mark.parametrize(("uuid", "key"), [(UUID, KEY[:-1]), ("short", KEY), (UUID, "é" * 64)])
async def test_a_malformed_key_is_not_created(subjects: SubjectStore, uuid: str, key: str) -> None:
    with pytest.raises(ValueError, match="36 characters") as refusal:
        await subjects.create(GUEST, SPACE, uuid, key)

    assert key not in str(refusal.value)


async def test_a_namespace_may_have_limits_of_its_own(
    subjects: SubjectStore, docs: DocStore, clock: Elapsing
) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)
    await subjects.identify(UUID, KEY)
    own = {"invocationsPerMinute": 60, "firesPerMinute": "many", "concurrentInvocations": True}
    await docs.create(DocId("lim/guest"), own)
    clock.seconds += 11

    identity = await subjects.identify(UUID, KEY)

    assert identity is not None
    assert identity.invocations_per_minute == 60
    assert identity.firings_per_minute == 10_000
    assert identity.concurrent_invocations == 1_000


async def test_a_blocked_subject_is_nobody_within_seconds(
    subjects: SubjectStore, docs: DocStore, clock: Elapsing
) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)
    await subjects.identify(UUID, KEY)
    doc = await docs.get(DocId("sub/guest"))
    await docs.replace(doc.id, doc.rev, doc.body | {"blocked": True})
    clock.seconds += 11

    assert await subjects.identify(UUID, KEY) is None


async def test_a_key_is_in_no_file_no_log_and_no_repr(
    subjects: SubjectStore,
    secret: InstallationSecret,
    docs: DocStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    identity = await subjects.create(GUEST, SPACE, UUID, KEY)
    await subjects.identify(UUID, KEY)

    shown = [caplog.text, *map(repr, (subjects, secret, identity, vars(subjects)))]
    assert not any(KEY in text for text in shown)
    assert contents(tmp_path).count(UUID.encode()) > 0
    assert KEY.encode() not in contents(tmp_path)


async def test_another_installation_cannot_use_the_documents(
    subjects: SubjectStore, docs: DocStore, tmp_path: Path
) -> None:
    await subjects.create(GUEST, SPACE, UUID, KEY)
    other = InstallationSecret.load_or_create(tmp_path / "other")
    stranger = SubjectStore(docs, other, ThrottleSettings())

    assert await stranger.identify(UUID, KEY) is None
    with pytest.raises(Corrupted, match="not encrypted with the secret") as refusal:
        await stranger.api_key(UUID)
    assert KEY not in str(refusal.value)


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_namespace_has_an_owner_until_all_its_subjects_are_blocked(
    docs: DocStore, secret: InstallationSecret, subjects: SubjectStore, clock: Elapsing
) -> None:
    assert await subjects.owner(SPACE) is None
    created = await subjects.create(GUEST, SPACE, UUID, KEY)
    assert await subjects.owner(SPACE) == created
    await SubjectAdmin(docs, secret, clock).block(GUEST, is_blocked=True)
    clock.seconds += 100
    assert await subjects.owner(SPACE) is None
