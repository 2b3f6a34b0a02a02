"""The transaction id of a request: the client's own, or a new one.

A client may name its request with `X-Request-ID`, unless the name begins as those of the system do.
A name that could not travel in a header, a log line and an error body as it is gets replaced too.
"""

import re
from typing import Final

from aiohttp import web

from common.entropy import Entropy
from common.ids import TransId

HEADER: Final = "X-Request-ID"
TRANSID: Final = web.RequestKey("transid", TransId)

_SYSTEM_PREFIX: Final = "sid_"
# 256: as long as a name may be; OpenWhisk has no bound, but the log needs one.
_FIT_TO_TRAVEL: Final = re.compile(r"[!-~]{1,256}")


class TransactionIds:
    """Names requests. One for each that does, in one thread."""

    def __init__(self) -> None:
        self._entropy = Entropy()

    def of(self, given: str | None) -> TransId:
        """Return *given* where it may be used, else 32 random hexadecimal digits."""
        if given and not given.startswith(_SYSTEM_PREFIX) and _FIT_TO_TRAVEL.fullmatch(given):
            return TransId(given)
        return TransId(self._entropy.take(16).hex())
