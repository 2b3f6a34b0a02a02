"""From the body of /init to a function that can be called.

Text becomes `main__.py` in a folder of its own; an archive is unpacked there and must hold
`__main__.py`. Either way the module is called `main__`, the folder is the working folder and first
on the path, so that siblings can be imported and files opened by their relative names.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import site
import sys
import traceback
import types
from typing import Any, Callable, NamedTuple

from brisk_runtime import archive

MODULE = "main__"

_LOCATE = "The action failed to generate or locate a binary. See logs for details."
_START = "Cannot start action. Check logs for details."
_ABRUPT = "Command exited abruptly during initialization."
_NO_ENTRY = "Zip file does not include main__"
_NO_ACTIVATE = "Invalid virtualenv. Zip file does not include 'activate_this.py'."

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/\r\n]")


class Order(NamedTuple):
    """What /init asks for."""

    code: str
    binary: bool
    main: str
    env: dict[str, Any]


class Undecodable(Exception):
    """The code is said to be base64 and is not."""


class Rejected(Exception):
    """The code can't be loaded. *text* is for the caller, *log* for stderr."""

    def __init__(self, text: str, log: str) -> None:
        super().__init__(text)
        self.text = text
        self.log = log


def read_order(value: Any) -> Order | None:
    """Return what *value* asks for; None where there is no code. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("value is not an object")
    code, main, env = value.get("code") or "", value.get("main") or "main", value.get("env") or {}
    if not isinstance(code, str) or not isinstance(main, str) or not isinstance(env, dict):
        raise ValueError("code and main are strings, env is an object")
    return Order(code, bool(value.get("binary")), main, env) if code else None


_OF_ONE_CALL = ("traceparent", "tracestate")


def export(variables: dict[str, Any]) -> None:
    """Put *variables* into the environment; what is no text becomes JSON."""
    environ = os.environ
    for name, value in variables.items():
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        if environ.get(name) != text:
            try:
                environ[name] = text
            except ValueError:  # a zero byte, or "=" in the name: the system has no such variable
                continue


def export_call(context: dict[str, Any]) -> None:
    """Put what one call tells into the environment.

    A trace that it does not tell of was that of a call before it, and is none of its own.
    """
    for name in _OF_ONE_CALL:
        if name not in context and (left := f"__OW_{name.upper()}") in os.environ:
            del os.environ[left]
    export({f"__OW_{key.upper()}": text for key, text in context.items()})


def load(order: Order) -> Callable[[Any], Any]:
    """Return the function that *order* names. Raises `Undecodable` and `Rejected`.

    Where it fails, nothing of the code stays: no folder, no module, no entry of the path.
    """
    export(order.env)
    data = decoded(order.code) if order.binary else order.code.encode("utf-8", "surrogatepass")
    folder = new_folder()
    path, modules, origin = list(sys.path), set(sys.modules), os.getcwd()
    try:
        source_path = _place(data, folder, is_archive=order.binary and archive.is_archive(data))
        os.chdir(folder)
        sys.path.insert(0, folder)
        _activate_virtualenv(folder)
        return _function(_execute(source_path), order.main)
    except BaseException:
        os.chdir(origin)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder + os.sep):
                del sys.modules[name]
        shutil.rmtree(folder, ignore_errors=True)
        raise


def new_folder() -> str:
    """Return a new folder. `tempfile` would do, at 0.5 ms: it tries out where it may write."""
    folder = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"action-{os.urandom(8).hex()}")
    os.mkdir(folder, 0o700)
    return folder


def decoded(code: str) -> bytes:
    """Return what *code* is the base64 of. Raises `Undecodable`."""
    text = code.strip().encode("utf-8", "replace")
    try:
        return base64.b64decode(text.replace(b"\n", b"").replace(b"\r", b""), validate=True)
    except binascii.Error as error:
        stray = _NOT_BASE64.search(text)
        at = stray.start() if stray else len(text)
        reason = f"illegal base64 data at input byte {at}"
        raise Undecodable(f"cannot decode the request: {reason}") from error


def _place(data: bytes, folder: str, is_archive: bool) -> str:
    """Put the code into *folder*; return the path of its main file."""
    target = os.path.join(folder, MODULE + ".py")
    if not is_archive:
        with open(target, "wb") as file:
            file.write(data)
        return target
    try:
        archive.unpack(data, folder)
    except archive.Refused as error:
        raise Rejected(_LOCATE, str(error)) from error
    entry = os.path.join(folder, "__main__.py")
    if not os.path.isfile(entry):
        raise Rejected(_LOCATE, _NO_ENTRY)
    os.rename(entry, target)
    return target


def _activate_virtualenv(folder: str) -> None:
    """Make the packages of `virtualenv/` importable, where the archive has one."""
    root = os.path.join(folder, "virtualenv")
    if not os.path.isdir(root):
        return
    for script in (os.path.join(root, "bin"), os.path.join(root, "Scripts")):
        path = os.path.join(script, "activate_this.py")
        if os.path.isfile(path):
            _run_activation(path)
            return
    # Made by `python -m venv`, which writes no such script.
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = os.path.join(root, "lib", version, "site-packages")
    if not os.path.isdir(packages):
        raise Rejected(_LOCATE, _NO_ACTIVATE)
    before = list(sys.path)
    site.addsitedir(packages)
    added = [entry for entry in sys.path if entry not in before]
    sys.path[:] = [before[0], *added, *before[1:]]  # ahead of what this host has installed


def _run_activation(path: str) -> None:
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
        exec(code, {"__file__": path, "__name__": "activate_this"})
    except Exception as error:
        raise Rejected(_LOCATE, _report(error)) from error


def _execute(path: str) -> types.ModuleType:
    """Run the module at *path* and return it."""
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        log = "".join(traceback.format_exception_only(type(error), error))
        raise Rejected(_LOCATE, log) from error
    module = types.ModuleType(MODULE)
    module.__file__ = path
    sys.modules[MODULE] = module
    try:
        exec(code, module.__dict__)
    except MemoryError:
        raise
    except BaseException as error:  # sys.exit included: nothing is left that could run
        raise Rejected(_START, _report(error) + _ABRUPT) from error
    return module


def _function(module: types.ModuleType, main: str) -> Callable[[Any], Any]:
    function = getattr(module, main, None)
    if function is None:
        reason = f"ImportError: cannot import name {main!r} from {MODULE!r} ({module.__file__})"
        raise Rejected(_START, f"{reason}\n{_ABRUPT}")
    if not callable(function):
        raise Rejected(_START, f"TypeError: {main!r} is not a function\n{_ABRUPT}")
    return function


def _report(error: BaseException) -> str:
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
