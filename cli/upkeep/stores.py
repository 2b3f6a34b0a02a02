"""Which stores an operator means, opened without a platform: a composition root of its own.

Only adapters of `common.store` are named here, and neither the controller nor the invoker: what an
operator does with stores must work while nothing of them can start.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.places import default_path
from cli.upkeep.archive import Secret
from common import data_folder
from common.clock import Clock, SystemClock
from common.data_folder import DataFolder
from common.errors import BriskError
from common.settings import Settings
from common.store import couch_layout as layout
from common.store import schema
from common.store.budgets import BudgetStore
from common.store.contents import Contents, Intake, NotEmpty
from common.store.couch_contents import CouchContents
from common.store.couch_documents import CouchDocStore
from common.store.couch_http import CouchHttp
from common.store.couch_intake import CouchIntake
from common.store.port import DocStore
from common.store.secrets_file import InstallationSecret
from common.store.sqlite import documents_beside
from common.store.sqlite_contents import SqliteContents
from common.store.sqlite_intake import SqliteIntake
from common.store.subject_admin import SubjectAdmin


class SecretsDiffer(BriskError):
    """The keys of this backup are encrypted under another secret than that of the data folder."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is operated on: an embedded platform's folder, or a cluster's databases.

    folder: of the platform; of a process of the cluster, or None where none is named.
    """

    settings: Settings
    folder: DataFolder | None
    is_cluster: bool
    clock: Clock

    @classmethod
    def named(cls, data: Path | None, *, is_cluster: bool) -> "Installation":
        """Return the installation that flags and settings speak of. Raises `UnusableSettings`."""
        settings = Settings.of_environment()
        path = data or settings.data or (None if is_cluster else default_path())
        folder = None if path is None else DataFolder(path.absolute())
        return cls(settings, folder, is_cluster, SystemClock())

    @property
    def secret(self) -> InstallationSecret | None:
        """The secret that is named, or in the data folder, if any. Raises `SecretUnreadable`."""
        path = self.secret_path
        if path is None or not path.exists():
            return None
        return InstallationSecret.of(path, path)

    @property
    def secret_path(self) -> Path | None:
        """Where the secret is, or has to be put; None where no setting names a place."""
        own = None if self.folder is None else self.folder.secret
        return self.settings.secret_file or own

    def mark(self) -> str | None:
        """Return by what the secret is known; nothing can be learned of it from that."""
        return None if self.secret is None else self.secret.mark

    def secrets(self) -> Secret:
        """Return what opens the keys. Raises `SecretUnreadable`, `DataFolderUnusable`."""
        path = self.secret_path
        if path is None or not path.exists():
            raise data_folder.DataFolderUnusable(
                "There is no secret to put into the backup: --data or BRISK_DATA has to name the "
                "folder that has it, or BRISK_SECRET_FILE the file."
            )
        InstallationSecret.of(path, path)  # which it has to be
        guest = None if self.folder is None else self.folder.key_file
        with DataFolder(path.parent).translated():
            guest_key = guest.read_text().strip() if guest and guest.exists() else ""
            return Secret(path.read_text().strip(), guest_key)

    def look(self) -> Contents:
        """Return a new reading of the stores. Raises `Corrupted`, `StoreUnavailable`."""
        if self.is_cluster:
            return CouchContents(self.settings.couchdb, self.clock)
        return SqliteContents(self._own.store)

    @asynccontextmanager
    async def filling(self) -> AsyncIterator[Intake]:
        """Give what fills the stores; an embedded platform's folder is locked meanwhile.

        Raises `DataFolderInUse`, `DataFolderUnusable`, `NotEmpty`.
        """
        if self.is_cluster:
            intake: Intake = CouchIntake(self.settings.couchdb, self.clock)
            try:
                yield intake
            finally:
                await intake.close()
            return
        with data_folder.opened(self._own.path) as folder:
            _require_no_promises(folder)
            intake = SqliteIntake(folder.store, self.settings.store, self.clock)
            try:
                yield intake
            finally:
                await intake.close()

    @asynccontextmanager
    async def identities(self) -> AsyncIterator[SubjectAdmin]:
        """Give what makes and changes identities, also while processes use the same stores.

        Raises `SecretDiffers`, `SecretUnreadable`, `DataFolderUnusable`, `StoreUnavailable`,
        `Denied`, `LayoutUnknown`.
        """
        async with self._subjects() as (documents, secret):
            yield SubjectAdmin(documents, secret, self.clock)

    @asynccontextmanager
    async def budgets(self) -> AsyncIterator[BudgetStore]:
        """Give the budgets of namespaces, also while processes use them. Raises the same."""
        async with self._subjects() as (documents, _):
            yield BudgetStore(documents)

    @asynccontextmanager
    async def _subjects(self) -> AsyncIterator[tuple[DocStore, InstallationSecret]]:
        secret = self.secret
        if secret is None:
            raise data_folder.DataFolderUnusable(
                f"There is no platform in {self.folder.path if self.folder else 'any folder'}: its "
                "secret is missing, under which keys are kept. --data or BRISK_DATA names the "
                "folder of one that was started once, or BRISK_SECRET_FILE its secret."
            )
        path = self.secret_path
        assert path is not None, "it was read from there"
        if not self.is_cluster:
            async with documents_beside(self._own.store, self.settings.store) as documents:
                await secret.require_same(documents.meta, path)
                yield documents.subjects, secret
            return
        http = CouchHttp(self.settings.couchdb, self.clock)
        try:
            subjects, meta = (
                CouchDocStore(name, http, self.settings.couchdb, self.clock)
                for name in ("subjects", layout.META)
            )
            schema.require_usable(
                await schema.said(meta, schema.SCHEMA), await schema.said(meta, schema.RESTORING)
            )
            await secret.require_same(meta, path)
            yield subjects, secret
        finally:
            await http.close()

    def keep_guest_key(self, uuid: str, auth: str | None) -> bool:
        """Follow a change of the key *uuid* in the file of the guest's key, if that is it.

        auth: the new key, `uuid:key`; None when it is gone: then the next start makes a new guest.
        Returns whether it was. Raises `DataFolderUnusable`.
        """
        folder = self.folder
        if self.is_cluster or folder is None or not folder.key_file.exists():
            return False
        with folder.translated():
            if folder.key_file.read_text().partition(":")[0] != uuid:
                return False
            if auth is None:
                folder.key_file.unlink()
            else:
                data_folder.write_private(folder.key_file, f"{auth}\n")
        return True

    def require_secret(self, mark: str | None, secret: Secret | None) -> None:
        """Return if the keys of a backup can be read with what is in the folder, or will be.

        Raises `SecretsDiffer`.
        """
        there = self.mark()
        if there is None:
            return
        offered = mark if secret is None else InstallationSecret(bytes.fromhex(secret.secret)).mark
        if offered not in (None, there):
            raise SecretsDiffer(
                "The keys of this backup are encrypted under another secret than "
                f"{self.secret_path}: move that file away, or use another --data."
            )

    def keep(self, secret: Secret) -> None:
        """Put the secret of a backup into the folder, where there is none."""
        path, folder = self.secret_path, self.folder
        if path is not None and not path.exists():
            InstallationSecret.keep(path, secret.secret)
        if secret.guest_key and not self.is_cluster and folder and not folder.key_file.exists():
            with folder.translated():
                data_folder.write_private(folder.key_file, f"{secret.guest_key}\n")

    @property
    def _own(self) -> DataFolder:
        assert self.folder is not None, "an embedded platform has a folder"
        return self.folder


def _require_no_promises(folder: DataFolder) -> None:
    """Raise `NotEmpty` where activations of another life would be run on the restored stores."""
    if any(path.stat().st_size for path in folder.journal.glob("*") if path.is_file()):
        raise NotEmpty(
            f"{folder.journal} has activations that were accepted and have not ended: they belong "
            "to the stores that were here. Move that folder away, or use another --data."
        )
