"""Whose fault it is that a container was not started: the image's, or the engine's. Pure.

An engine tells it in words only. A shell would say 127 where the program is not there, 126 where it
can't be executed; both are the developer's. For all else, 125, the platform is to blame.
Source: moby's `daemon/start.go` and `translateContainerdStartErr`, and runc's words.
"""

from typing import Final

from invoker.driver.port import ImageNotExecutable, ImageNotRun, ImageUnusable

_OF_THE_PROGRAM: Final = 'exec: "'
_NOT_PERMITTED: Final = "permission denied"
_OF_THE_IMAGE: Final = (
    "no command specified",
    "unable to find user",
    "unable to find group",
    "no matching entries in",
    "cannot mkdir:",
    "chdir to cwd",
)


def of_start(image: str, message: str) -> ImageUnusable | None:
    """Return what is wrong with *image*, by what the engine said; None if nothing is."""
    _, is_program, rest = message.partition(_OF_THE_PROGRAM)
    if is_program:
        told = f"its program can't be started: {_short(rest)}"
        fault = ImageNotRun if _NOT_PERMITTED in rest else ImageNotExecutable
        return fault(image, told)
    if any(words in message.lower() for words in _OF_THE_IMAGE):
        return ImageNotRun(image, _short(message))
    return None


def _short(message: str) -> str:
    return message.replace('"', "").removesuffix(": unknown")[:200]
