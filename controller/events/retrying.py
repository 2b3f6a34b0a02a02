"""What becomes of a firing, from what its trigger answered. Pure.

A trigger that is gone, or a key that opens nothing any more, will not come back: the feed is
stopped, and says why. A platform that is away or fails comes back: the firing waits for it, however
long that takes. Who fires more often than they may is tried a few times, and then loses a firing.

Source: the package `alarms` of OpenWhisk, which gives a firing up after ten tries whatever it was
answered; waiting n² seconds where it was throttled is its own.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

TRIES: Final = 10
"""Of a firing that is refused for the time being."""
MOST_WAIT_S: Final = 60.0
_PASSING: Final = frozenset({408, 409, 429})
_THROTTLED: Final = 429
_CLIENT_ERRORS: Final = range(400, 500)
_ACCEPTED: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The firing is the platform's now."""


@dataclass(frozen=True, slots=True)
class Again:
    """It is to be tried again, after so long."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """This firing is left out; the next one comes in its time."""

    message: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """No firing of this feed can succeed."""

    message: str
    status_code: int


Verdict: TypeAlias = Accepted | Again | Lost | Stopped


def verdict(status: int | None, tries: int, *, text: str = "") -> Verdict:
    """Return what becomes of a firing that was tried *tries* times, the last one answered *status*.

    status: None when there was no answer. text: what the answer says is wrong.
    """
    if status in _ACCEPTED:
        return Accepted()
    if status is None or status not in _CLIENT_ERRORS:
        return Again(min(MOST_WAIT_S, 2.0 ** min(tries - 1, 10)))
    said = f": {text.rstrip('.')}" if text else ""
    if status not in _PASSING:
        return Stopped(
            f"Automatically disabled after receiving a {status} status code when firing "
            f"the trigger{said}.",
            status,
        )
    if tries >= TRIES:
        return Lost(f"Left out after {tries} tries, answered {status}{said}.")
    return Again(min(MOST_WAIT_S, float(tries**2 if status == _THROTTLED else 2 ** (tries - 1))))
