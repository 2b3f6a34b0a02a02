"""The line that was typed, put right: from what an error knows to a command to type. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from cli.failures import Change, Remedy

_KEY_FLAGS: Final = ("-u", "--auth")


def mended(program: str, argv: Sequence[str], remedy: Remedy) -> Remedy:
    """Return *remedy* with the line *argv* put right as its fix, where it says what to change."""
    change = remedy.change
    words = None if change is None else changed(argv, change)
    if change is None or words is None:
        return remedy
    line = shlex.join([program, *_without_keys(words)])
    return replace(remedy, fix=f"{change.first} && {line}" if change.first else line)


def changed(argv: Sequence[str], change: Change) -> list[str] | None:
    """Return *argv* after *change*; None when what is to be changed is not in it."""
    words, old, new = list(argv), list(change.old), list(change.new)
    if not old:
        return words + new
    for at in range(len(words) - len(old) + 1):
        if words[at : at + len(old)] == old:
            return words[:at] + new + words[at + len(old) :]
    for at, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if equals and [value] == old and new:  # --flag=old
            return [*words[:at], f"{flag}={new[0]}", *words[at + 1 :]]
        if equals and [flag] == old and new:  # --old=value
            return [*words[:at], f"{new[0]}={value}", *words[at + 1 :]]
        if equals and [flag, value] == old:
            return words[:at] + new + words[at + 1 :]
    return None


def nearest(typed: str, known: Sequence[str]) -> Change | None:
    """Return the change of *typed* to the one of *known* that it is most like; None for none."""
    close = get_close_matches(typed, known, 1)
    return Change((typed,), (close[0],)) if close else None


def _without_keys(words: Sequence[str]) -> list[str]:
    """Return *words* without the key that was typed: it is not printed again."""
    shown = list(words)
    for at, word in enumerate(words):
        if word in _KEY_FLAGS and at + 1 < len(words):
            shown[at + 1] = "UUID:KEY"
        elif word.startswith("--auth="):
            shown[at] = "--auth=UUID:KEY"
    return shown
