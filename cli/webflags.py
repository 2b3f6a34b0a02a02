"""What `--web`, `--web-secure` and `--del-annotation` make of an action's annotations.

A list that is sent replaces the stored one whole, so a flag that adds one annotation must send the
others along. Pure: the flags and the stored action in, the two lists of the request out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cli.failures import MISUSE, Change, Failure, Remedy
from cli.jsontext import Json

SECRET: Final = "require-whisk-auth"
WEB_KEYS: Final = ("web-export", "raw-http", "final")
MAX_SECRET: Final = (1 << 53) - 1
"""The largest integer that every JSON reader keeps."""
_MEANINGS: Final = {
    "yes": (True, False, True),
    "true": (True, False, True),
    "raw": (True, True, True),
    "no": (False, False, False),
    "false": (False, False, False),
}
Bindings = list[dict[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFlags:
    """What was typed; None is a flag that was not."""

    web: str | None = None
    secure: str | None = None
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the request says of annotations; None and an empty tuple say nothing."""

    listed: Bindings | None
    deleted: tuple[str, ...] = ()


def annotations(
    flags: WebFlags,
    given: Bindings | None,
    stored: Bindings,
    new_secret: Callable[[], int],
) -> Annotations:
    """Return the annotations to send.

    given: of `-a` and `-A`, None when there were none; stored: of the action, if there is one.
    """
    listed = given
    if flags.web is not None or flags.secure is not None:
        listed = _kept(given, stored, flags.web is not None)
    if flags.web is not None:
        listed = _laid_over(listed or [], meaning(flags.web))
    deleted = flags.deleted
    if flags.secure is not None:
        if not _value(listed or [], "web-export"):
            raise Failure(
                "The --web-secure option is only valid when the --web option is enabled.",
                MISUSE,
                remedy=Remedy(change=Change((), ("--web", "yes"))),
            )
        secret = _secret(flags.secure, _value(stored, SECRET), new_secret)
        if secret is False and _has(stored, SECRET):
            listed = [one for one in listed or [] if one.get("key") != SECRET]
            deleted = (*deleted, SECRET)
        else:
            listed = _laid_over(listed or [], {SECRET: secret})
    return Annotations(listed, deleted)


def _kept(given: Bindings | None, stored: Bindings, web_is_given: bool) -> Bindings:
    """Return the annotations to start from: *given* ones drop the stored, but those of the web."""
    if given is None:
        return list(stored)
    wanted = (SECRET,) if web_is_given else (SECRET, *WEB_KEYS)
    held = [one for one in stored if one.get("key") in wanted and not _has(given, one.get("key"))]
    return [*given, *held]


def meaning(typed: str) -> dict[str, bool]:
    """Return the annotations that the word *typed* stands for. Raises `Failure`."""
    try:
        return dict(zip(WEB_KEYS, _MEANINGS[typed.lower()], strict=True))
    except KeyError as error:
        raise Failure(
            f"Invalid argument '{typed}' for --web flag. "
            "Valid input consist of 'yes', 'true', 'raw', 'false', or 'no'.",
            MISUSE,
            remedy=Remedy(change=Change((typed,), ("yes",))),
        ) from error


def _secret(typed: str, stored: Json, new_secret: Callable[[], int]) -> Json:
    match typed.lower():
        case "true":
            is_number = isinstance(stored, int) and not isinstance(stored, bool)
            return stored if is_number else new_secret()
        case "false":
            return False
        case _:
            return typed


def _laid_over(listed: Bindings, changes: Mapping[str, Json]) -> Bindings:
    rest = [one for one in listed if one.get("key") not in changes]
    return rest + [{"key": key, "value": value} for key, value in changes.items()]


def _has(listed: Sequence[dict[str, Json]], key: Json) -> bool:
    return any(one.get("key") == key for one in listed)


def _value(listed: Sequence[dict[str, Json]], key: str) -> Json:
    return next((one.get("value") for one in listed if one.get("key") == key), None)
