"""The secret of an installation: what keys of namespaces are encrypted and checked with.

It is a file that only the platform's user can read. Who has a copy of the database but not this
file has no key. Two keys are derived from it, one to encrypt and one to check, so that neither
tells anything about the other.
"""

import contextlib
import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.append_log import sync_folder
from common.store.port import Corrupted, StoreError

_SECRET_BYTES: Final = 32
# Of AES-GCM; a random one is safe for billions of messages (NIST SP 800-38D, §8.3).
_NONCE_BYTES: Final = 12


class SecretUnreadable(StoreError):
    """The secret of this installation cannot be read."""


class InstallationSecret:
    """Encrypts, decrypts and fingerprints. Shows nothing of itself."""

    def __init__(self, secret: bytes) -> None:
        """Derive both keys from *secret*, 32 random bytes."""
        self._cipher = AESGCM(hmac.digest(secret, b"brisk encrypt", sha256))
        self._checking_key = hmac.digest(secret, b"brisk check", sha256)

    def __repr__(self) -> str:
        return "<InstallationSecret>"

    @classmethod
    def load_or_create(cls, path: Path) -> "InstallationSecret":
        """Read the secret of *path*; where there is no file, make one, whole or not at all.

        Raises `SecretUnreadable`.
        """
        try:
            if not path.exists():
                _create(path, os.urandom(_SECRET_BYTES).hex())
            text = path.read_text(encoding="ascii").strip()
            secret = bytes.fromhex(text)
        except OSError as error:
            raise SecretUnreadable(
                f"The secret of this installation, {path}, cannot be used: {error.strerror}."
            ) from error
        except ValueError:
            secret = b""  # The cause would quote the text: it is not chained.
        if len(secret) != _SECRET_BYTES:
            raise SecretUnreadable(
                f"The file {path} is not the secret of an installation: it must hold "
                f"{2 * _SECRET_BYTES} hexadecimal digits."
            )
        return cls(secret)

    @staticmethod
    def keep(path: Path, text: str) -> None:
        """Write *text*, the secret of another installation, where there is none.

        Raises `SecretUnreadable`.
        """
        try:
            _create(path, text)
        except OSError as error:
            raise SecretUnreadable(
                f"The secret of this installation, {path}, cannot be written: {error.strerror}."
            ) from error

    def encrypt(self, text: str, *, owner: str) -> str:
        """Return *text* encrypted; it can be read again only together with *owner*."""
        nonce = os.urandom(_NONCE_BYTES)
        return (nonce + self._cipher.encrypt(nonce, text.encode(), owner.encode())).hex()

    def decrypt(self, sealed: str, *, owner: str) -> str:
        """Return what was encrypted for *owner*. Raises `Corrupted`."""
        try:
            data = bytes.fromhex(sealed)
            nonce, rest = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Corrupted(
                f"The key {owner} was not encrypted with the secret of this installation."
            ) from error

    def fingerprint(self, text: str) -> bytes:
        """Return a keyed hash: equal for equal texts, and of no use without the secret."""
        return hmac.digest(self._checking_key, text.encode(), sha256)


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two that start at once, the first one's secret stays.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
    sync_folder(path.parent)
