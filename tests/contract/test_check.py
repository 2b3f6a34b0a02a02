"""A check finds each kind of damage, in every store, and changes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.upkeep.archive_file import writing
from cli.upkeep.backup import back_up
from cli.upkeep.check import check
from cli.upkeep.findings import Report
from common.clock import SystemClock
from common.entity import activation_document
from common.entity.activation import ActivationRecord
from common.ids import DocId
from common.store.port import Corrupted, LayoutUnknown
from common.store.schema import RESTORING, SCHEMA
from common.store.secrets_file import InstallationSecret
from common.store.shard import Shard
from tests.contract import closed, holdings
from tests.contract.damaged import Below
from tests.contract.stores import STORE_PARAMS, STORES, contents, intake, require
from tests.fakes.records import DAY_MS, NOON_MS, a_record

LARGE_ID = f"guest/{holdings.LARGE.activation_id}"


def first_record() -> ActivationRecord:
    """Return the record number 0 of the holdings."""
    return a_record(0)


RECORD_ID = f"guest/{first_record().activation_id}"


@pytest.fixture(params=STORE_PARAMS)
async def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with something of everything, closed."""
    require(request.param, request)
    await holdings.filled(request.param, tmp_path / "data")
    return str(request.param)


async def checked(
    adapter: str, folder: Path, secret: InstallationSecret | None = holdings.SECRET
) -> Report:
    held = contents(adapter, folder)
    try:
        return await check(held, secret)
    finally:
        await held.close()


def kinds(report: Report) -> list[str]:
    return sorted(one.kind for one in report.findings if one.is_damage)


async def code_digest(adapter: str, folder: Path) -> str:
    held = contents(adapter, folder)
    try:
        (code,) = [each async for each in held.code()]
        return code.sha256
    finally:
        await held.close()


async def test_stores_as_they_should_be_are_sound(adapter: str, tmp_path: Path) -> None:
    report = await checked(adapter, tmp_path / "data")
    assert report.is_sound
    assert report.findings == []
    assert dict(report.looked_at) == {
        "subjects": 4, "entities": 4, "code": 1, "records": holdings.RECORDS + 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "kind", "where"),
    [
        (lambda below: below.break_document("entities", "guest/long"), "document", "guest/long"),
        (lambda below: below.break_document("subjects", "sub/guest"), "document", "sub/guest"),
        (lambda below: below.break_record(RECORD_ID), "record", RECORD_ID),
        (lambda below: below.misplace(RECORD_ID), "misplaced", RECORD_ID),
        (lambda below: below.change_bill(LARGE_ID), "bill", "20251121"),
    ],
)
async def test_damage_is_found_and_named(
    adapter: str, damage: Callable[[Below], None], kind: str, where: str, tmp_path: Path
) -> None:
    damage(Below(adapter, tmp_path / "data"))
    report = await checked(adapter, tmp_path / "data")
    assert not report.is_sound
    found = [one for one in report.findings if one.kind == kind]
    assert where in {one.where for one in found}
    assert all(one.fix for one in found)


@pytest.fixture(params=STORE_PARAMS)
async def closed_days(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with a sealed day, a dropped one, and a record that came late."""
    require(request.param, request)
    stores = await STORES[request.param](tmp_path / "data")
    before = Shard(closed.TODAY.day - 1)
    await closed.written(stores, *map(a_record, range(5)))
    await closed.written(stores, a_record(9, start_ms=NOON_MS - DAY_MS))
    for shard in (closed.TODAY, before):
        await closed.sealed(stores.activations, shard)
    await stores.activations.drop(before)
    await closed.written(stores, a_record(50))
    await stores.close()
    return str(request.param)


@pytest.mark.parametrize("shard", ["20251121", "20251120"])
async def test_sums_that_are_not_those_of_their_day_are_found(
    closed_days: str, shard: str, tmp_path: Path
) -> None:
    Below(closed_days, tmp_path / "data").change_sums(shard)
    report = await checked(closed_days, tmp_path / "data", None)
    assert set(kinds(report)) == {"bill"}
    assert {one.where for one in report.findings} == {shard}


async def test_a_record_that_is_gone_from_a_sealed_day_is_found(
    closed_days: str, tmp_path: Path
) -> None:
    Below(closed_days, tmp_path / "data").delete_record("20251121", RECORD_ID)
    report = await checked(closed_days, tmp_path / "data", None)
    assert set(kinds(report)) == {"bill"}
    assert "is billed 5 activations" in report.findings[-1].what
    assert "its records are 4 activations" in report.findings[-1].what


async def test_a_record_that_would_be_billed_twice_is_found(
    closed_days: str, tmp_path: Path
) -> None:
    held = contents(closed_days, tmp_path / "data")
    (late,) = [shard for shard in await held.states() if shard.is_late]
    await held.close()
    filling = intake(closed_days, tmp_path / "data")
    await filling.add_records(late, [activation_document.encode(a_record(0))])
    await filling.close()
    report = await checked(closed_days, tmp_path / "data", None)
    assert [(one.kind, one.where) for one in report.findings] == [("double", RECORD_ID)]


async def test_other_bytes_than_their_digest_are_found_and_not_backed_up(
    adapter: str, tmp_path: Path
) -> None:
    digest = await code_digest(adapter, tmp_path / "data")
    Below(adapter, tmp_path / "data").break_code(digest)
    report = await checked(adapter, tmp_path / "data")
    assert [(one.kind, one.where) for one in report.findings] == [("code", digest)]
    held = contents(adapter, tmp_path / "data")
    with pytest.raises(Corrupted, match=digest), writing(tmp_path / "b", force=False) as writer:
        await back_up(held, writer, SystemClock(), secret_mark=None)
    await held.close()
    assert not (tmp_path / "b").exists()


async def test_code_that_is_gone_is_found_and_code_that_nobody_names_is_noted(
    adapter: str, tmp_path: Path
) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    await stores.blobs.sweep(frozenset(), older_than_ms=1 << 50)
    await stores.blobs.put(b"orphan")
    await stores.close()
    report = await checked(adapter, tmp_path / "data")
    assert kinds(report) == ["code"]
    (orphan,) = [one for one in report.findings if not one.is_damage]
    assert (orphan.kind, orphan.what[:21]) == ("orphan", "1 pieces of code, 6 b")


async def test_an_action_that_says_that_it_is_another_is_found(
    adapter: str, tmp_path: Path
) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    body = (await stores.entities.get(DocId("guest/short"))).body
    await stores.entities.create(DocId("guest/alias"), body)
    await stores.entities.create(DocId("guest/odd"), {"entityType": "action"})
    await stores.close()
    report = await checked(adapter, tmp_path / "data")
    assert kinds(report) == ["action", "action"]
    assert {one.where for one in report.findings} == {"guest/alias", "guest/odd"}


async def test_a_key_that_cannot_be_read_is_found(adapter: str, tmp_path: Path) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    key = await stores.subjects.get(DocId(f"key/{holdings.UUID}"))
    await stores.subjects.replace(key.id, key.rev, key.body | {"fingerprint": "no hex"})
    await stores.subjects.create(DocId("odd/one"), {})
    await stores.close()
    report = await checked(adapter, tmp_path / "data")
    assert kinds(report) == ["subject", "subject"]
    assert {one.where for one in report.findings} == {key.id, "odd/one"}
    assert all(one.fix for one in report.findings)


async def test_keys_are_looked_through(adapter: str, tmp_path: Path) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    key = await stores.subjects.get(DocId(f"key/{holdings.UUID}"))
    await stores.subjects.delete(key.id, key.rev)
    await stores.subjects.create(DocId("key/unfinished"), key.body | {"subject": "nobody"})
    await stores.close()
    report = await checked(adapter, tmp_path / "data")
    # The key that was moved is not that of its new id, so the secret does not open it.
    assert kinds(report) == ["secret", "subject"]
    assert [one.kind for one in report.findings if not one.is_damage] == ["key"]


async def test_the_secret_of_another_installation_is_noticed(adapter: str, tmp_path: Path) -> None:
    other = InstallationSecret(b"o" * 32)
    assert kinds(await checked(adapter, tmp_path / "data", other)) == ["secret"]
    assert (await checked(adapter, tmp_path / "data", None)).is_sound


@pytest.mark.parametrize("name", STORE_PARAMS[1:])  # SQLite has no revisions beside the newest
async def test_conflicting_revisions_are_counted(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    require(name, request)
    await holdings.filled(name, tmp_path / "data")
    below = Below(name, tmp_path / "data")
    below.conflict("entities", "guest/long")
    below.conflict("act_20251121", RECORD_ID)
    report = await checked(name, tmp_path / "data")
    assert kinds(report) == ["conflict", "conflict"]
    assert {one.where for one in report.findings} == {"guest/long", RECORD_ID}


async def test_a_restore_that_was_broken_off_is_told(adapter: str, tmp_path: Path) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    await stores.meta.create(RESTORING, {"file": "night.gz"})
    await stores.close()
    assert kinds(await checked(adapter, tmp_path / "data")) == ["restore"]


async def test_a_newer_layout_is_not_looked_through(adapter: str, tmp_path: Path) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    said = await stores.meta.get(SCHEMA)
    await stores.meta.replace(SCHEMA, said.rev, {"version": 99, "written_by": "Brisk 9"})
    await stores.close()
    with pytest.raises(LayoutUnknown):
        await checked(adapter, tmp_path / "data")


async def test_records_that_wait_are_no_damage(adapter: str, tmp_path: Path) -> None:
    stores = await STORES[adapter](tmp_path / "data")
    try:
        for number in range(1000, 1400):
            stores.activations.put(a_record(number))
        report = await checked(adapter, tmp_path / "data")
        assert report.is_sound, report.findings
    finally:
        await stores.close()
    assert (await checked(adapter, tmp_path / "data")).is_sound


async def test_a_file_of_rubbish_is_found_and_the_others_are_looked_through(
    tmp_path: Path,
) -> None:
    await holdings.filled("sqlite", tmp_path / "data")
    path = tmp_path / "data" / "activations" / "act-20251122.db"
    path.write_bytes(b"rubbish" * 9999)
    report = await checked("sqlite", tmp_path / "data")
    assert set(kinds(report)) == {"file"}
    assert 0 < report.looked_at["records"] < holdings.RECORDS


@pytest.mark.parametrize("name", ["activations/act-20251121.db", "meta.db"])
async def test_a_page_that_was_overwritten_is_found(name: str, tmp_path: Path) -> None:
    await holdings.filled("sqlite", tmp_path / "data")
    path = tmp_path / "data" / name
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    assert "file" in kinds(await checked("sqlite", tmp_path / "data"))
