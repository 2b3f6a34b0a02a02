"""The file of `api create --config-file`: its text is sent, and what is wrong is said before."""

from pathlib import Path
from typing import Final

from cli.failures import MISUSE, Failure
from cli.jsontext import Json, NotJson, decode, encode
from cli.yamltree import json_of, parse

MOST_BYTES: Final = 4 << 20
"""The platform takes less; nobody waits for a file that is something else altogether."""
_YAML: Final = (".yaml", ".yml")
_FIELDS: Final = ("swagger", "basePath", "info")


def read(name: str) -> tuple[str, dict[str, Json]]:
    """Return the document in the file *name*, as the text of JSON and as a value.

    Raises `Failure`.
    """
    try:
        return _read(name)
    except Failure as failure:
        raise failure.within("Unable to parse swagger file") from failure


def _read(name: str) -> tuple[str, dict[str, Json]]:
    text = _text(name)
    if name.endswith(_YAML):
        tree = parse(text, name)
        document = None if tree is None else json_of(tree)
        text = encode(document).decode()
    else:
        try:
            document = decode(text)
        except NotJson as error:
            raise Failure(f"Error parsing swagger file '{name}': {error}") from error
    if not isinstance(document, dict):
        raise Failure(f"Error parsing swagger file '{name}': a JSON object is needed")
    _check(document)
    return text, document


def _check(document: dict[str, Json]) -> None:
    if "openapi" in document:
        if not document.get("info") or not isinstance(document.get("paths"), dict):
            raise Failure("The OpenAPI document is invalid (missing info or paths fields)")
        return
    lacks = any(not document.get(field) for field in _FIELDS)
    if lacks or not isinstance(document.get("paths"), dict):
        raise Failure("Swagger file is invalid (missing basePath, info, paths, or swagger fields)")
    if not str(document["basePath"]).startswith("/"):
        raise Failure("Swagger file basePath must start with a leading slash (/)")


def _text(name: str) -> str:
    path = Path(name)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise Failure(
                f"Error reading swagger file '{name}': it has {size} bytes, "
                f"and {MOST_BYTES} are the most",
                MISUSE,
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        from cli.artifacts import no_file

        raise no_file(name).within(f"Error reading swagger file '{name}'") from error
