"""From a file to the `exec` of an action, and from an `exec` back to a file.

The extension says the language, the server says which version that is: `.py` is sent as
`python:default`. Archives travel in base64, source as it is.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.failures import MISUSE, NOT_ALLOWED, Change, Failure, Remedy
from cli.jsontext import Json
from cli.languages import ARCHIVES, LANGUAGES, NATIVE_IMAGE
from cli.mending import nearest
from cli.names import parse_entity

NOTHING_TO_RUN: Final = "An action name and code artifact are required."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What was typed about the code of an action."""

    artifact: str | None = None
    kind: str | None = None
    main: str | None = None
    docker: str | None = None
    is_native: bool = False
    is_sequence: bool = False
    builds: Callable[[str], None] | None = None
    """Is told what takes long, when folders are built; None where they are no artifacts."""


def exec_of(recipe: Recipe) -> dict[str, Json] | None:
    """Return the `exec` to send; None when nothing was said that makes one.

    Raises `Failure` for a file that cannot be read or that is of no known language.
    """
    if recipe.kind and recipe.docker:
        raise Failure("Cannot specify both --kind and --docker at the same time.", NOT_ALLOWED)
    if recipe.is_sequence:
        return _sequence(recipe.artifact)
    made: dict[str, Json] = {}
    if recipe.artifact is not None and recipe.builds and Path(recipe.artifact).is_dir():
        made = _built(Path(recipe.artifact), recipe.kind, recipe.builds)
    elif recipe.artifact is not None:
        made = {"kind": _kind(recipe)} | _code(recipe.artifact)
    if recipe.docker:
        made |= {"kind": "blackbox", "image": recipe.docker}
    elif recipe.is_native and not recipe.kind:
        made |= {"kind": "blackbox", "image": NATIVE_IMAGE}
    if not made or (recipe.artifact is None and not recipe.docker):
        return None
    return made | ({"main": recipe.main} if recipe.main else {})


def code_of(execution: dict[str, Json]) -> bytes:
    """Return the bytes that an `exec` was made of. Raises `Failure` where there are none."""
    if execution.get("kind") == "sequence":
        raise Failure("Cannot save action sequences", MISUSE)
    if execution.get("kind") == "blackbox" and not execution.get("code"):
        raise Failure("Cannot save Docker images", MISUSE)
    code = str(execution.get("code") or "")
    if not execution.get("binary"):
        return code.encode()
    try:
        return b64decode(code, validate=True)
    except NotBase64 as error:
        raise Failure(f"The code of the action is not base64: {error}", MISUSE) from error


def _built(folder: Path, kind: str | None, tell: Callable[[str], None]) -> dict[str, Json]:
    from cli.develop.bundle import bundle  # Archives are not for commands that look.

    made = bundle(folder, kind, tell)
    return {"kind": made.kind, "code": b64encode(made.content).decode()}


def _sequence(artifact: str | None) -> dict[str, Json]:
    if not artifact:
        raise Failure(NOTHING_TO_RUN, MISUSE)
    names = [parse_entity(name.strip()) for name in artifact.split(",")]
    return {"kind": "sequence", "components": [str(name) for name in names]}


def _kind(recipe: Recipe) -> str:
    from cli.develop.reading import kind_of_archive, kind_of_text  # Reads archives and syntax.

    extension = Path(recipe.artifact or "").suffix
    _check_file(recipe.artifact or "")
    if recipe.kind or recipe.docker or recipe.is_native:
        return recipe.kind or "blackbox"
    if extension == ".zip":
        raise Failure(
            "creating an action from a .zip artifact requires specifying the action kind "
            "explicitly",
            MISUSE,
            remedy=Remedy(
                "an archive does not say its language",
                "add --kind python:default",
                Change((), ("--kind", kind_of_archive(Path(recipe.artifact or "")))),
            ),
        )
    if extension not in LANGUAGES:
        raise Failure(
            f"'{extension}' is not a supported action runtime",
            MISUSE,
            remedy=Remedy(
                "the extension says no language",
                "add --kind, as in --kind python:3",
                Change((), ("--kind", kind_of_text(Path(recipe.artifact or "")))),
            ),
        )
    return f"{LANGUAGES[extension]}:default"


def _code(artifact: str) -> dict[str, Json]:
    try:
        content = Path(artifact).read_bytes()
    except OSError as error:
        raise no_file(artifact) from error
    if Path(artifact).suffix in ARCHIVES:
        return {"code": b64encode(content).decode()}
    try:
        return {"code": content.decode()}
    except UnicodeDecodeError:
        return {"code": b64encode(content).decode()}  # A program, for --native or --docker.


def _check_file(artifact: str) -> None:
    if not Path(artifact).is_file():
        raise no_file(artifact)


def no_file(typed: str) -> Failure:
    """Return what to say of a file that is not there, with the one that may be meant."""
    path = Path(typed)
    there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = nearest(path.name, there)
    change = Change((typed,), (str(path.with_name(near.new[0])),)) if near else None
    why = f"{typed} is a folder" if path.is_dir() else f"there is no {typed} here"
    said = f"File '{typed}' is not a valid file or it does not exist"
    return Failure(said, MISUSE, remedy=Remedy(why, "give the path of a file", change))
