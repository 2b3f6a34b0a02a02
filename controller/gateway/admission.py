"""Who may call an API: whoever has one of its keys, if it asks for one, and not too often. Pure.

Every key of the API is compared, and each in constant time: how long an answer takes says nothing
of any of them. How often a key may call is its own number, else that of the API; where none is
needed, everybody shares that of the API.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from common.entity.api import Api, ApiKey, digest_of
from common.errors import ApiKeyMissing, ApiKeyUnknown

LONGEST_KEY: Final = 256


@dataclass(frozen=True, slots=True)
class Allowance:
    """Under which name a call is counted, and how many there may be in any 60 seconds."""

    counted_as: str
    per_minute: int


def admitted(api: Api, sent: str | None) -> ApiKey | None:
    """Return whose call it is; None where no key is needed. Raises `ApiKeyMissing`, `…Unknown`.

    sent: what stood in the API's header, None for nothing.
    """
    if not api.access.needs_key:
        return None
    if not sent:
        raise ApiKeyMissing(api.access.header)
    digest = digest_of(sent[:LONGEST_KEY]).encode()
    found: ApiKey | None = None
    for key in api.keys:
        if hmac.compare_digest(key.digest.encode(), digest):
            found = key
    if found is None or len(sent) > LONGEST_KEY:
        raise ApiKeyUnknown(api.access.header)
    return found


def allowance(api: Api, key: ApiKey | None) -> Allowance | None:
    """Return how often a call with *key* may come; None where nobody counts."""
    own = None if key is None else key.per_minute
    per_minute = api.access.per_minute if own is None else own
    if per_minute is None:
        return None
    who = "" if key is None else key.key_id
    return Allowance(f"{api.name.doc_id}/{who}", per_minute)
