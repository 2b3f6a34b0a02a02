"""Why a server refused, and the command that mends it: a table from the answer to two lines.

The texts are OpenWhisk's; they say what is wrong, rarely what to do. Only sure advice is given: a
case that is not here gets no lines.
"""

import re
from collections.abc import Mapping
from typing import Final

from cli.failures import NO_REMEDY, Change, Remedy
from cli.mending import nearest

_BY_TEXT: Final[tuple[tuple[int, str, Remedy], ...]] = (
    (
        400,
        "Activation id length",
        Remedy("an activation has an id of 32 digits, not a name", "brisk activation get --last"),
    ),
    (
        409,
        "resource already exists",
        Remedy(
            "create never replaces",
            "update in place of create",
            Change(("create",), ("update",)),
        ),
    ),
    (
        409,
        "Package not empty",
        Remedy("a package goes with what is in it", "", Change((), ("--force",))),
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


_THRESHOLD: Final = re.compile(
    r"(?:\w+ )+?(?:size )?(\d+) .*?(?:below|exceeds) allowed threshold of (\d+)"
)
_KIND: Final = re.compile(
    r"The specified runtime '([^']*)' is not supported .*?Valid values are: (.*)"
)
_PART: Final = re.compile(r"(trigger|action) /[^/]+/(\S+) does not exist")


def remedy_for(status: int, text: str, headers: Mapping[str, str]) -> Remedy:
    """Return what to tell a person about an answer with *status* and *text*.

    headers: by their names in lower case; they may say which limit was reached, and until when.
    """
    return _of_its_words(text) or _of_a_limit(headers) or _of_the_table(status, text)


def _of_a_limit(headers: Mapping[str, str]) -> Remedy | None:
    limit, seconds = headers.get("x-brisk-limit"), headers.get("retry-after", "")
    if limit is None:
        return None
    fix = f"try again in {seconds} s" if seconds.isdecimal() else "ask the operator for more"
    return Remedy(f"the limit {limit} is reached", fix)


def _of_its_words(text: str) -> Remedy | None:
    """Return the remedy that an answer names itself: a bound, a kind, a part that is missing."""
    if bound := _THRESHOLD.search(text):
        given, allowed = bound.groups()
        why = "the limit is the operator's, not the action's"
        return Remedy(why, f"choose {allowed}", Change((given,), (allowed,)))
    if kind := _KIND.search(text):
        known = re.findall(r"'([^']+)'", kind[2])
        language = kind[1].partition(":")[0]
        usual = f"{language}:default"
        change = Change((kind[1],), (usual,)) if any(
            each.startswith(f"{language}:") for each in known
        ) else nearest(kind[1], known)  # fmt: skip
        fix = "brisk action create NAME FILE, without --kind"
        return Remedy("no runtime here has that kind", fix, change)
    if part := _PART.search(text):
        noun, name = part.groups()
        return Remedy(f"the rule needs the {noun} first", f"brisk {noun} create {name}")
    return None


def _of_the_table(status: int, text: str) -> Remedy:
    for known_status, part, remedy in _BY_TEXT:
        if status == known_status and part in text:
            return remedy
    return _BY_STATUS.get(status, NO_REMEDY)
