"""From the body of /init to an executable file: bare, or `exec` of an archive."""

from __future__ import annotations

import os
import shutil

from brisk_runtime import archive
from brisk_runtime.loading import Order, decoded, new_folder

ENTRY = "exec"
NOT_LOCATED = "The action failed to generate or locate a binary. See logs for details."

_ELF = b"\x7fELF"
_SHEBANG = b"#!"


class NotPlaced(Exception):
    """The code is no program. The message is for the log of the activation."""


def place(order: Order) -> str:
    """Put the code into a folder of its own; return the path of its `exec`, ready to be executed.

    Raises `Undecodable`, `NotPlaced` and OSError; no folder is left then.
    """
    data = decoded(order.code) if order.binary else order.code.encode("utf-8", "surrogatepass")
    folder = new_folder()
    path = os.path.join(folder, ENTRY)
    try:
        if order.binary and archive.is_archive(data):
            archive.unpack(data, folder)
        else:
            with open(path, "wb") as file:
                file.write(data)
        _check(path)
        os.chmod(path, 0o755)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, archive.Refused):
            raise NotPlaced(str(error)) from error
        raise
    return path


def _check(path: str) -> None:
    if not os.path.isfile(path):
        raise NotPlaced(f"Zip file does not include {ENTRY}")
    with open(path, "rb") as file:
        head = file.read(len(_ELF))
    if head != _ELF and not head.startswith(_SHEBANG):
        raise NotPlaced(f"{ENTRY} is neither a Linux program nor a script that begins with #!")
