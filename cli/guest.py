"""The first namespace of an installation, and how its key reaches the command line.

The first start makes the identity `guest`. Its key lies in the data folder; a property file that
does not exist yet is written, so that nothing has to be configured. One that exists is left alone.
"""

import contextlib
import re

from cli import wskprops
from cli.keys import new_auth
from common.data_folder import DataFolder, write_private
from common.errors import BriskError
from common.ids import Namespace, Subject
from common.store.port import Conflict
from common.store.subject_admin import NamespaceExists
from common.store.subjects import SubjectStore

GUEST = "guest"
_AUTH = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-z]{64}", re.I | re.A)


class UnusableKey(BriskError):
    """The key must be a UUID, a colon, and 64 letters and digits."""


async def ensure(folder: DataFolder, subjects: SubjectStore, auth: str | None) -> str:
    """Return the guest's key, `uuid:key`, having made the guest if there was none.

    auth: the key to give to a new guest; None makes one up.
    Raises `UnusableKey` when *auth* is malformed, or not the key of a guest that is there;
        `DataFolderUnusable` when the file of the key cannot be read or written.
    """
    with folder.translated():
        kept = folder.key_file.read_text().strip() if folder.key_file.exists() else None
    if kept is not None:
        if auth is not None and auth != kept:
            raise UnusableKey(
                f"The guest of {folder.path} has another key: it is in {folder.key_file}. "
                "Leave --auth out, or use another --data."
            )
    else:
        kept = auth if auth is not None else new_auth()
        _check(kept)
        # Before the identity: a start that is cut off in between finds its key again.
        with folder.translated():
            write_private(folder.key_file, f"{kept}\n")
    guest_uuid, _, key = kept.partition(":")
    if await subjects.identify(guest_uuid, key) is None:
        try:
            _check(kept)
            await subjects.create(Subject(GUEST), Namespace(GUEST), guest_uuid, key)
        except (UnusableKey, Conflict, NamespaceExists) as error:
            raise UnusableKey(
                f"{folder.key_file} does not hold the key of this folder's guest."
            ) from error
    return kept


def tell_command_line(folder: DataFolder, url: str, auth: str) -> str:
    """Make the key known to the command line; return where it is, or what has to be typed."""
    path = wskprops.location()
    kept = wskprops.read(path) if path else {}
    if path and kept.get("APIHOST") == url and kept.get("AUTH") == auth:
        return f"key in {path}"
    if path and not path.exists():
        # Where it cannot be written, the line to type is printed as for a file that is taken.
        with contextlib.suppress(OSError):
            wskprops.write(path, {"APIHOST": url, "AUTH": auth})
            return f"key in {path}"
    typed = f'brisk property set --apihost {url} --auth "$(cat {folder.key_file})"'
    return f"key in {folder.key_file}; to use it: {typed}"


def _check(auth: str) -> None:
    if _AUTH.fullmatch(auth) is None:
        raise UnusableKey
