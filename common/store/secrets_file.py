"""The secret of an installation: what keys of namespaces are encrypted and checked with.

It is a file that only the platform's user can read. Who has a copy of the database but not this
file has no key. Several keys are derived from it, one to encrypt, one to check and more, so that
none tells anything about another.

The stores know the secret by a mark, of which nothing can be learned: a process that has another
one does not start, instead of finding that it can read no key.
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
from common.ids import DocId
from common.store.port import Conflict, Corrupted, DocStore, Missing, StoreError

_SECRET_BYTES: Final = 32
# Of AES-GCM; a random one is safe for billions of messages (NIST SP 800-38D, §8.3).
_NONCE_BYTES: Final = 12
KNOWN_BY: Final = DocId("secret")
"""The document of `meta` with the mark."""


class SecretUnreadable(StoreError):
    """The secret of this installation cannot be read."""


class SecretDiffers(StoreError):
    """The secret of this process is not the one that the keys of its stores are encrypted with."""


class Seal:
    """Encrypts and decrypts under one key. Shows nothing of it."""

    def __init__(self, key: bytes) -> None:
        """Use *key*, 32 bytes."""
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "<Seal>"

    @classmethod
    def load(cls, path: Path) -> "Seal | None":
        """Return the seal whose key is in the file at *path*; None if there is none.

        Raises `SecretUnreadable`.
        """
        return cls(_read(path, "the key of a seal")) if path.exists() else None

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


class InstallationSecret:
    """Encrypts, decrypts and fingerprints. Shows nothing of itself."""

    def __init__(self, secret: bytes) -> None:
        """Derive all keys from *secret*, 32 random bytes."""
        self._seal = Seal(hmac.digest(secret, b"brisk encrypt", sha256))
        self._checking_key = hmac.digest(secret, b"brisk check", sha256)
        self._registries_key = hmac.digest(secret, b"brisk registries", sha256)

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
        except OSError as error:
            raise _unusable(path, error) from error
        return cls(_read(path, "the secret of an installation"))

    @classmethod
    def of(cls, named: Path | None, own: Path) -> "InstallationSecret":
        """Read the secret that somebody has put at *named*; None is *own*, made if need be.

        Raises `SecretUnreadable`.
        """
        if named is None:
            return cls.load_or_create(own)
        return cls(_read(named, "the secret of an installation"))

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

    @property
    def mark(self) -> str:
        """By what it is known; nothing can be learned of it from that."""
        return self.fingerprint("the mark of this secret in backups").hex()

    async def require_same(self, meta: DocStore, path: Path) -> None:
        """Return if it is the secret of the installation whose *meta* this is; the first one is.

        path: of its file, for who reads the error.
        Raises `SecretDiffers`, `Corrupted`, `StoreUnavailable`.
        """
        known = await self._known_by(meta)
        if not isinstance(known, str) or not hmac.compare_digest(known, self.mark):
            raise SecretDiffers(
                f"The secret in {path} is not the one that the keys of this installation are "
                "encrypted with. Put that one there: it is in the folder of another controller, or "
                "in a backup that was made with it. BRISK_SECRET_FILE names a file that all "
                "controllers are given."
            )

    async def _known_by(self, meta: DocStore) -> object:
        while True:
            try:
                return (await meta.get(KNOWN_BY)).body.get("mark")
            except Missing:
                with contextlib.suppress(Conflict):  # Another process was faster: see whose it is.
                    await meta.create(KNOWN_BY, {"mark": self.mark})

    def for_registries(self, path: Path) -> Seal:
        """Return what passwords of registries are kept under, and leave its key at *path*.

        The key tells nothing about the secret: invokers are given that file, and never this secret.
        Raises `SecretUnreadable`.
        """
        try:
            if not path.exists():
                _create(path, self._registries_key.hex())
        except OSError as error:
            raise _unusable(path, error) from error
        if _read(path, "the key of a seal") != self._registries_key:
            raise SecretUnreadable(
                f"The file {path} is of another installation: remove it, and it is made anew."
            )
        return Seal(self._registries_key)

    def encrypt(self, text: str, *, owner: str) -> str:
        """Return *text* encrypted; it can be read again only together with *owner*."""
        return self._seal.encrypt(text, owner=owner)

    def decrypt(self, sealed: str, *, owner: str) -> str:
        """Return what was encrypted for *owner*. Raises `Corrupted`."""
        return self._seal.decrypt(sealed, owner=owner)

    def fingerprint(self, text: str) -> bytes:
        """Return a keyed hash: equal for equal texts, and of no use without the secret."""
        return hmac.digest(self._checking_key, text.encode(), sha256)


def _read(path: Path, what: str) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise _unusable(path, error) from error
    except ValueError:
        secret = b""  # The cause would quote the text: it is not chained.
    if len(secret) != _SECRET_BYTES:
        raise SecretUnreadable(
            f"The file {path} is not {what}: it must hold {2 * _SECRET_BYTES} hexadecimal digits."
        )
    return secret


def _unusable(path: Path, error: OSError) -> SecretUnreadable:
    return SecretUnreadable(
        f"The secret of this installation, {path}, cannot be used: {error.strerror}."
    )


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
