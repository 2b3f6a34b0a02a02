"""The secret of an installation: made once, private, and clear about what is wrong with it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.store.port import Corrupted
from common.store.secrets_file import InstallationSecret, SecretDiffers, SecretUnreadable
from tests.fakes.running_api import MemoryDocs


def test_it_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"

    first = InstallationSecret.load_or_create(path)
    second = InstallationSecret.load_or_create(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
    assert first.fingerprint("a") == second.fingerprint("a")
    assert second.decrypt(first.encrypt("key", owner="me"), owner="me") == "key"


def test_who_start_together_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with ThreadPoolExecutor(4) as threads:
        prints = threads.map(
            lambda _: InstallationSecret.load_or_create(path).fingerprint("a"), range(8)
        )

    assert set(prints) == {InstallationSecret.load_or_create(path).fingerprint("a")}


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_file_that_is_no_secret_is_named_but_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)

    with pytest.raises(SecretUnreadable, match="must hold 64 hexadecimal digits") as refusal:
        InstallationSecret.load_or_create(path)

    assert str(path) in str(refusal.value)
    assert not text or text not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="Is a directory"):
        InstallationSecret.load_or_create(tmp_path)


def test_what_is_encrypted_is_bound_to_its_owner_and_never_the_same_twice(tmp_path: Path) -> None:
    secret = InstallationSecret.load_or_create(tmp_path / "secret")
    sealed = secret.encrypt("key", owner="me")

    assert sealed != secret.encrypt("key", owner="me")
    forged = sealed[:-1] + ("0" if sealed[-1] != "0" else "1")
    for text, owner in ((sealed, "you"), (forged, "me"), ("", "me"), ("xyz", "me")):
        with pytest.raises(Corrupted):
            secret.decrypt(text, owner=owner)


async def test_the_first_secret_of_an_installation_is_its_secret(tmp_path: Path) -> None:
    meta = MemoryDocs()
    ours = InstallationSecret.load_or_create(tmp_path / "ours")
    for _ in range(2):
        await ours.require_same(meta, tmp_path / "ours")
    other = InstallationSecret.load_or_create(tmp_path / "other")

    with pytest.raises(SecretDiffers) as refusal:
        await other.require_same(meta, tmp_path / "other")

    said = str(refusal.value)
    assert said.startswith(f"The secret in {tmp_path}/other is not the one that the keys")
    assert "BRISK_SECRET_FILE" in said
    for text in (said, repr(meta.docs)):
        for name in ("ours", "other"):
            assert (tmp_path / name).read_text().strip() not in text


async def test_of_two_that_start_together_one_is_refused(tmp_path: Path) -> None:
    meta = MemoryDocs()
    secrets = [InstallationSecret.load_or_create(tmp_path / name) for name in "ab"]
    ended = await asyncio.gather(
        *(each.require_same(meta, tmp_path) for each in secrets), return_exceptions=True
    )
    assert sorted(map(type, ended), key=str) == [type(None), SecretDiffers]


def test_a_file_that_is_named_is_never_made(tmp_path: Path) -> None:
    named, own = tmp_path / "mounted", tmp_path / "own"
    with pytest.raises(SecretUnreadable, match=r"mounted, cannot be used: No such file"):
        InstallationSecret.of(named, own)
    named.write_text("ab" * 32)
    assert InstallationSecret.of(named, own).mark == InstallationSecret(b"\xab" * 32).mark
    assert not own.exists()
    assert InstallationSecret.of(None, own).mark == InstallationSecret.of(own, named).mark
