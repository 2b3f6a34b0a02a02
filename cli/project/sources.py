"""The code of the actions of a manifest: read, packed or fetched, and of which kind it is."""

import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from cli.failures import Failure
from cli.jsontext import Json
from cli.languages import ARCHIVES, LANGUAGES, NATIVE_IMAGE
from cli.mending import nearest
from cli.project.kinds import Kinds
from cli.project.manifest import Action
from cli.project.packing import packed

MOST_BYTES: Final = 48 << 20
"""What a platform takes as code."""
FETCH_S: Final = 30.0
_BUILT: Final = ("node_modules", "virtualenv")
"""Folders that are there because somebody has resolved what the code needs."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What is needed to make code of words in a manifest.

    root: the folder of the manifest.
    checks: whether Python is read before it is sent.
    tell: is told what takes long.
    note: is told what people should know.
    """

    root: Path
    kinds: Kinds
    is_strict: bool
    checks: bool
    tell: Callable[[str], None]
    note: Callable[[str], None]

    def exec_of(self, action: Action) -> dict[str, Json]:
        """Return kind, code, image and main of *action*. Raises `Failure` with its place."""
        if action.code is not None:
            made: dict[str, Json] = {"code": action.code}
            if not self._is_black(action):
                made["kind"] = self._kind_of_code(action)
        elif action.function is not None:
            made = self._of_function(action, action.function)
        else:
            made = {}
        if self._is_black(action):
            made |= {"kind": "blackbox", "image": action.docker or NATIVE_IMAGE}
        return made | ({"main": action.main} if action.main else {})

    @staticmethod
    def _is_black(action: Action) -> bool:
        return bool(action.docker) or action.is_native

    def _kind_of_code(self, action: Action) -> str:
        runtime = action.runtime or ""
        if kind := self.kinds.resolved(runtime):
            return kind
        raise self._no_kind(action, runtime)

    def _of_function(self, action: Action, function: str) -> dict[str, Json]:
        if function.startswith(("http://", "https://")):
            content = _fetched(action, function)
            _check_size(action, len(content))
            return self._of_bytes(action, content, urlsplit(function).path)
        path = self.root / function
        if path.is_dir():
            return self._of_folder(action, path)
        try:
            _check_size(action, path.stat().st_size)
            content = path.read_bytes()
        except OSError as error:
            raise self._no_file(action, function) from error
        return self._of_bytes(action, content, function)

    def _of_bytes(self, action: Action, content: bytes, name: str) -> dict[str, Json]:
        extension = PurePosixPath(name).suffix
        made: dict[str, Json] = {}
        if not self._is_black(action):
            made["kind"] = self._kind(action, extension)
            if self.checks:
                _check_syntax(action, self.root / name, made["kind"])
        try:
            text = None if extension in ARCHIVES else content.decode()
        except UnicodeDecodeError:
            text = None  # A program.
        return made | {"code": b64encode(content).decode() if text is None else text}

    def _kind(self, action: Action, extension: str) -> str:
        """Return the kind for a file: that of its extension, unless a runtime fits it better."""
        language = LANGUAGES.get(extension)
        usual = language and self.kinds.resolved(language)
        if action.runtime is None:
            if usual:
                return usual
            said = f"the runtime of action '{action.name}' cannot be told from '{extension}'"
            fix = f"add `runtime: python` in {action.place}"
            raise action.place.refuse(said, "the extension says no language that runs here", fix)
        kind = self.kinds.resolved(action.runtime)
        if kind is None and (usual is None or self.is_strict):
            raise self._no_kind(action, action.runtime)
        if kind and (language is None or self.is_strict or kind.partition(":")[0] == language):
            return kind
        assert usual, "a file that fits no runtime has a language of its own"
        why = "is none here" if kind is None else f"does not fit '{extension}'"
        self.note(f"{action.place}: the runtime '{action.runtime}' {why}; {usual} is taken")
        return usual

    def _of_folder(self, action: Action, folder: Path) -> dict[str, Json]:
        is_as_it_is = (
            self._is_black(action)
            or bool(action.include or action.exclude)
            or any((folder / name).is_dir() for name in _BUILT)
        )
        language = (action.runtime or "").partition(":")[0]
        if is_as_it_is or language not in ("", "python", "nodejs"):
            made: dict[str, Json] = {"code": b64encode(packed(folder, action, self.root)).decode()}
            if not self._is_black(action):
                made["kind"] = self._kind_of_folder(action, folder)
            return made
        from cli.develop.bundle import bundle  # Only folders are built.

        runtime = None if action.runtime is None else self._kind_of_code(action)
        try:
            built = bundle(folder, runtime, self.tell)
        except Failure as failure:
            raise failure.within(str(action.place), shows_usage=False) from failure
        kind = self.kinds.resolved(built.kind) or built.kind
        return {"kind": kind, "code": b64encode(built.content).decode()}

    def _kind_of_folder(self, action: Action, folder: Path) -> str:
        if action.runtime is not None:
            return self._kind_of_code(action)
        for entry, language in (
            ("__main__.py", "python"), ("package.json", "nodejs"), ("index.js", "nodejs"),
        ):  # fmt: skip
            if (folder / entry).is_file() and (kind := self.kinds.resolved(language)):
                return kind
        said = f"the runtime of action '{action.name}' cannot be told from its folder"
        raise action.place.refuse(said, fix=f"add `runtime: python` in {action.place}")

    def _no_kind(self, action: Action, runtime: str) -> Failure:
        known = sorted(self.kinds.known)
        close = nearest(runtime, [*known, *self.kinds.defaults])
        why = f"those here are: {', '.join(known)}" if known else "the platform says none"
        proposed = f"`runtime: {close.new[0]}`" if close else "one of those"
        fix = f"write {proposed} in {action.place}"
        said = f"no runtime '{runtime}' for action '{action.name}'"
        return action.place.refuse(said, why, fix)

    def _no_file(self, action: Action, function: str) -> Failure:
        path = self.root / function
        there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, there)
        named = close and str(PurePosixPath(function).with_name(close.new[0]))
        return action.place.refuse(
            f"action '{action.name}' has no file '{function}'",
            f"paths are relative to {self.root}",
            f"write `function: {named}` in {action.place}" if named else "",
        )


def _check_size(action: Action, size: int) -> None:
    if size > MOST_BYTES:
        said = f"the code of action '{action.name}' has more than {MOST_BYTES} bytes"
        raise action.place.refuse(said, "no platform takes so much", "leave out what is not needed")


def _check_syntax(action: Action, path: Path, kind: str) -> None:
    """Raise `Failure` for Python that cannot be read, or that lacks what is to be called."""
    if path.suffix != ".py" or not path.is_file():
        return
    from cli.develop.reading import check

    check(path, kind, action.main)


def _fetched(action: Action, url: str) -> bytes:
    """Return what is at *url*. Raises `Failure`."""
    if not PurePosixPath(urlsplit(url).path).suffix:
        said = f"action '{action.name}' is at {url}, which is no file"
        raise action.place.refuse(said, "folders cannot be fetched", "name a file or an archive")
    try:
        with urllib.request.urlopen(url, timeout=FETCH_S) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
            return content
    except (OSError, urllib.error.URLError, ValueError) as error:
        said = f"the code of action '{action.name}' cannot be fetched from {url}"
        fix = f"download it, and name the file in {action.place}"
        raise action.place.refuse(said, str(error), fix) from error
