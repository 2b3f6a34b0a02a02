"""The secret of an installation: made once, private, and clear about what is wrong with it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.store.port import Corrupted
from common.store.secrets_file import InstallationSecret, SecretUnreadable


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
