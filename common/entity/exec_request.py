"""What a client may write into the field `exec` of an action, and what it comes to.

Order and words of the complaints: OpenWhisk's `Exec.read`. The kind is resolved here, once, when an
action is written: `python:default` never reaches the store. The code of a client is text, always; a
reference into the store is ours to write and is not accepted from outside.
"""

import re
from typing import Any, Final, Protocol

from common.entity.action import BLACKBOX, SEQUENCE, Exec
from common.entity.names import is_legal
from common.errors import MalformedContent

DEFAULT_PACKAGE: Final = "_"
"""Where a namespace is expected: the caller's own."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_IMAGE: Final = re.compile(
    r"""
    (?P<name>
      (?: (?: localhost | [A-Za-z0-9-]+ (?: \.[A-Za-z0-9-]+ )+ | [A-Za-z0-9-]+ (?= :[0-9]+/ ) )
          (?: :[0-9]+ )? / )?                                 # domain and port
      [a-z0-9]+ (?: (?: [._] | __ | -+ ) [a-z0-9]+ )*         # one part …
      (?: / [a-z0-9]+ (?: (?: [._] | __ | -+ ) [a-z0-9]+ )* )*
    )
    (?P<tag> : [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} )?
    (?: @ [A-Za-z][A-Za-z0-9]* (?: [-_+.][A-Za-z][A-Za-z0-9]* )* : [0-9A-Fa-f]{32,} )?
    """,
    re.VERBOSE,
)
"""A docker reference; a digest is read and dropped. Source: distribution's `reference.go`."""

_TOO_SHORT_NAME: Final = (
    "requirement failed: The fully qualified name of the entity must contain at least the "
    "namespace and the name of the entity."
)


class Runtime(Protocol):
    """What has to be known of a kind to read its code."""

    @property
    def kind(self) -> str:
        """The concrete kind, `python:3.11`."""
        ...

    @property
    def deprecated(self) -> bool:
        """Whether its actions may only be read and deleted."""
        ...

    @property
    def require_main(self) -> bool:
        """Whether `main` must be given."""
        ...

    @property
    def attached(self) -> object:
        """Truthy where code may live outside of the document."""
        ...


class Kinds(Protocol):
    """The kinds of this platform."""

    def resolve(self, kind: str) -> Runtime | None:
        """Return the runtime of *kind*, an alias or concrete; None when there is none."""
        ...

    def valid_kinds(self) -> tuple[str, ...]:
        """Return what a caller may choose from."""
        ...


def read_exec(value: Any, kinds: Kinds, namespace: str) -> Exec:
    """Return what *value* describes.

    namespace: what `_` stands for in the names of components.
    Raises: `MalformedContent`.
    """
    if not isinstance(value, dict):
        raise MalformedContent("JSON object expected")
    given = value.get("kind")
    if not isinstance(given, str):
        raise MalformedContent("'kind' must be a string defined in 'exec'")
    kind = given.strip().lower()
    if kind == SEQUENCE:
        return Exec(kind=kind, components=_components(value, namespace))
    main = _main(value, kind)
    if kind == BLACKBOX:
        return _blackbox(value, main)
    return _managed(value, kind, main, kinds)


def size_bytes(code: Exec) -> int:
    """Return how large the `exec` is that a client sent: its texts, as UTF-8."""
    texts = (code.code, code.main, code.image, *code.components)
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts if text)


def looks_binary(code: str) -> bool:
    """Tell whether *code* is base64; so is a short source text that happens to look like it."""
    text = code.strip()
    return len(text) % 4 == 0 and _BASE64.fullmatch(text) is not None


def normal_image(image: str) -> str | None:
    """Return the docker reference *image* without its digest; None when it is not one."""
    match = _IMAGE.fullmatch(image)
    return match["name"] + (match["tag"] or "") if match else None


def qualified(value: Any, namespace: str) -> str:
    """Return the component *value* as `/ns/[package/]name`.

    value: a path such as `/ns/a` or `_/package/a`, or `{"path": …, "name": …}`.
    Raises: `MalformedContent`.
    """
    if isinstance(value, dict):
        path, name = value.get("path"), value.get("name")
        value = f"{path}/{name}" if isinstance(path, str) and isinstance(name, str) else None
    if not isinstance(value, str):
        raise MalformedContent("fully qualified name malformed")
    parts = [part for part in value.split("/") if part]
    if len(parts) == 1:
        raise MalformedContent(_TOO_SHORT_NAME)
    if len(parts) not in (2, 3) or not all(map(is_legal, parts)):
        raise MalformedContent("fully qualified name malformed")
    root = namespace if parts[0] == DEFAULT_PACKAGE else parts[0]
    return "/".join(["", root, *parts[1:]])


def _main(value: dict[str, Any], kind: str) -> str | None:
    main = value.get("main")
    if "main" in value and not isinstance(main, str):
        raise MalformedContent(f"if defined, 'main' be a string in 'exec' for '{kind}' actions")
    return main


def _components(value: dict[str, Any], namespace: str) -> tuple[str, ...]:
    if "components" not in value:
        raise MalformedContent("'components' must be defined for sequence kind")
    components = value["components"]
    if not isinstance(components, list):
        raise MalformedContent("'components' must be an array")
    return tuple(qualified(component, namespace) for component in components)


def _blackbox(value: dict[str, Any], main: str | None) -> Exec:
    given = value.get("image")
    if not isinstance(given, str):
        raise MalformedContent("'image' must be a string defined in 'exec' for 'blackbox' actions")
    image = normal_image(given)
    if image is None:
        raise MalformedContent("could not parse image name")
    code = value.get("code")
    if code is not None and not isinstance(code, str):
        raise MalformedContent(_code_expected(BLACKBOX, attached=True))
    if code is None or not code.strip():
        return Exec(kind=BLACKBOX, image=image, main=main)
    return Exec(kind=BLACKBOX, image=image, code=code, binary=looks_binary(code), main=main)


def _managed(value: dict[str, Any], kind: str, main: str | None, kinds: Kinds) -> Exec:
    runtime = kinds.resolve(kind)
    if runtime is None:
        choice = dict.fromkeys((*kinds.valid_kinds(), SEQUENCE, BLACKBOX))
        quoted = ", ".join(f"'{each}'" for each in choice)
        raise MalformedContent(
            f"The specified runtime '{kind}' is not supported by this platform. "
            f"Valid values are: {quoted}."
        )
    code = value.get("code", value.get("jar"))  # `jar`: the field's name before Java had company
    if not isinstance(code, str):
        raise MalformedContent(_code_expected(kind, attached=bool(runtime.attached)))
    if runtime.require_main and main is None:
        raise MalformedContent(f"'main' must be a string defined in 'exec' for '{kind}' actions")
    return Exec(kind=runtime.kind, code=code, binary=looks_binary(code), main=main)


def _code_expected(kind: str, *, attached: bool) -> str:
    what = "a string or attachment object" if attached else "a string"
    return f"'code' must be {what} defined in 'exec' for '{kind}' actions"
