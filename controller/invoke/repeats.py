"""Firings that are named by who fires: a name that comes again starts nothing again. Pure.

A name belongs to a trigger, and is known for a day. The activation that it got when it came first
is what it gets whenever it comes again. Names are kept in a few documents for each trigger, by a
hash, so that a firing reads and writes one small document, and what is old leaves with the next.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from common.entity.names import QualifiedName
from common.errors import MalformedContent
from common.ids import RANDOM_BITS, ActivationId, DocId, accepted_ms, activation_id

HEADER: Final = "X-Brisk-Idempotency-Key"
MAX_CHARACTERS: Final = 256
SHELVES: Final = 16
KEPT_MS: Final = 24 * 3_600_000
MAX_ON_A_SHELF: Final = 512
"""Beyond that the oldest leave early."""
_DIGEST_BYTES: Final = 16


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the name that *headers* give a firing; None if they give none.

    Raises `MalformedContent` for one that is too long, or not of printable ASCII.
    """
    key = headers.get(HEADER)
    if key is None:
        return None
    if not 0 < len(key) <= MAX_CHARACTERS or not (key.isascii() and key.isprintable()):
        raise MalformedContent(f"{HEADER} has 1 to {MAX_CHARACTERS} printable characters of ASCII")
    return key


def digest_of(trigger: QualifiedName, key: str) -> str:
    """Return what *key* is kept as."""
    text = f"{trigger.doc_id}\0{key}".encode()
    return blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def shelf_of(trigger: QualifiedName, digest: str) -> DocId:
    """Return the document that *digest* is kept in."""
    return shelves(trigger)[int(digest[:2], 16) % SHELVES]


def shelves(trigger: QualifiedName) -> list[DocId]:
    """Return all documents that names of *trigger* are kept in; no entity's name begins so."""
    return [DocId(f"~fired/{trigger.doc_id}/{number:02}") for number in range(SHELVES)]


def activation_of(digest: str, start_ms: int) -> ActivationId:
    """Return the activation of a name that comes at *start_ms* for the first time."""
    return activation_id(start_ms, int(digest, 16) >> (8 * _DIGEST_BYTES - RANDOM_BITS))


def with_new(
    known: Mapping[str, ActivationId], digest: str, fired: ActivationId, now_ms: int
) -> dict[str, ActivationId]:
    """Return what is *known* with one more, and without what is too old or too much."""
    young = {each: of for each, of in known.items() if accepted_ms(of) > now_ms - KEPT_MS}
    newest = sorted(young.items(), key=lambda item: item[1], reverse=True)[: MAX_ON_A_SHELF - 1]
    return dict(newest) | {digest: fired}
