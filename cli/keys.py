"""New keys of namespaces, `uuid:key`."""

import secrets
import string
import uuid
from typing import Final

KEY_LENGTH: Final = 64
"""OpenWhisk's: a key of any other length is malformed."""
_ALPHABET: Final = string.ascii_letters + string.digits


def new_key() -> str:
    """Return a key for a uuid that there is: 380 random bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))


def new_auth() -> str:
    """Return a new uuid and a key for it."""
    return f"{uuid.uuid4()}:{new_key()}"
