"""Why a server refused, and the command that mends it: a table from the answer to two lines.

The texts are OpenWhisk's; they say what is wrong, rarely what to do. Only sure advice is given: a
case that is not here gets no lines.
"""

from typing import Final

from cli.failures import NO_REMEDY, Remedy

_BY_TEXT: Final[tuple[tuple[int, str, Remedy], ...]] = (
    (
        400,
        "is not supported by this platform",
        Remedy("no runtime here has that kind", "brisk action create NAME FILE, without --kind"),
    ),
    (
        400,
        "allowed threshold",
        Remedy("the limit is the operator's, not the action's", "choose a value within it"),
    ),
    (
        400,
        "Activation id length",
        Remedy("an activation has an id of 32 digits, not a name", "brisk activation list"),
    ),
    (
        409,
        "resource already exists",
        Remedy("create never replaces", "update in place of create"),
    ),
    (
        409,
        "Concurrent modification",
        Remedy("somebody else changed it at the same moment", "type the same command again"),
    ),
)
_BY_STATUS: Final = {
    401: Remedy("the platform does not know this key", "brisk property set --auth UUID:KEY"),
    403: Remedy("this key may not do that there", "brisk namespace list"),
    404: Remedy("no such name in this namespace, or not yours to see", "brisk list"),
    408: Remedy("the platform did not answer in time", "brisk activation list"),
    413: Remedy("the code, the parameters or the payload are too large"),
    429: Remedy("the namespace has used up its share of this minute", "try again in a minute"),
    503: Remedy("the platform is starting, stopping or full", "brisk doctor"),
}


def remedy_for(status: int, text: str) -> Remedy:
    """Return what to tell a person about an answer with *status* and *text*."""
    for known_status, part, remedy in _BY_TEXT:
        if status == known_status and part in text:
            return remedy
    return _BY_STATUS.get(status, NO_REMEDY)
