"""What a command may end with, other than success.

A `Failure` carries the words and the exit code of the contract, and, for those who type `brisk`,
what they need to get on: why it failed and the command that mends it. It is raised where the cause
is known and printed in one place, `cli/program.py`.

Exit codes. An answer with HTTP status N ≥ 400 ends the process with N − 256, of which a shell sees
the low eight bits: 404 is 148, 502 is 246.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cli.names import EntityName

GENERAL: Final = 1
MISUSE: Final = 2
NETWORK: Final = 3
NOT_ALLOWED: Final = 149
NOT_FINISHED: Final = 202
INTERRUPTED: Final = 130


def exit_code_of(status: int) -> int:
    """Return the exit code for an answer with the HTTP *status* ≥ 400."""
    return (status - 256) & 0xFF


@dataclass(frozen=True, slots=True)
class Change:
    """How a line is put right: the words *old* become *new*; without *old*, *new* comes behind.

    first: a command to be run before the line.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    first: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Two lines for people: each is left out when it is empty."""

    why: str = ""
    fix: str = ""
    """A command to type, or the one thing to change."""
    change: Change | None = None
    """What to change in the line that was typed; it comes before `fix` where it can be done."""


NO_REMEDY: Final = Remedy()


@dataclass(slots=True, eq=False)
class Failure(Exception):
    """A command ends here.

    text: after `error: `, without a full stop of its own.
    shows_usage: whether the pointer to the help follows.
    status: of the answer that refused, where there was one.
    missing: the collection and the name of the entity that is not there, where one is not.
    """

    text: str
    exit_code: int = GENERAL
    shows_usage: bool = True
    remedy: Remedy = NO_REMEDY
    status: int | None = None
    missing: tuple[str, "EntityName"] | None = None

    def within(self, context: str, *, shows_usage: bool | None = None) -> "Failure":
        """Return this failure told as the reason of a larger one: `context: text`."""
        shows = self.shows_usage if shows_usage is None else shows_usage
        return replace(self, text=f"{context}: {self.text}", shows_usage=shows)

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class Misspelt(Failure):
    """The line cannot be read as flags: its text stands alone, without `error: `."""

    shows_usage: bool = False


@dataclass(slots=True, eq=False)
class Ended(Exception):
    """The command has said all there is to say and ends with *exit_code*."""

    exit_code: int
