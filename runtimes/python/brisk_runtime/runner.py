"""Initialise once, run many times: what both faces of the runtime do.

The answers are those of OpenWhisk's ActionLoop proxy with acknowledgement, word for word where a
client can see them.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
from typing import Any, Callable

from brisk_runtime import loading
from brisk_runtime.habitat import Habitat
from brisk_runtime.replies import (
    EXITED,
    INITIALISED,
    NO_CODE,
    NO_OBJECT,
    NOT_READY,
    ONCE,
    Reply,
    error_body,
    read_request,
    refusal,
    text_of,
)
from brisk_runtime.streams import Streams

_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_ALLOWS_SHARING = "__OW_ALLOW_CONCURRENT"
_NO_JSON = "The action returned a value that is not JSON"
_MEMORY = "The action exhausted its memory and was aborted."

# Code that works, and then refuses to be loaded: whatever loading it did is undone.
_REHEARSED_INIT = b'{"value":{"code":"def main(args): return args\\nmain({})\\nraise SystemExit"}}'
_REHEARSED_RUN = b'{"value":{"a":1}}'


class Runner:
    """Holds the loaded code. One call at a time."""

    def __init__(self, streams: Streams, habitat: Habitat) -> None:
        self._streams = streams
        self._habitat = habitat
        self._function: Callable[[Any], Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        # What an action imports of its own is imported once: its bytecode would only fill /tmp.
        sys.dont_write_bytecode = True

    def init(self, body: bytes) -> Reply:
        """Load the code that the body of /init carries."""
        if self._function is not None:
            self._streams.say(ONCE)
            return refusal(403, ONCE)
        try:
            request = read_request(body)
            order = loading.read_order(request.get("value") or {})
        except ValueError as error:
            return refusal(400, f"Error unmarshaling request: {error}")
        if order is None:
            return refusal(403, NO_CODE)
        try:
            self._function = loading.load(order)
        except loading.Undecodable as error:
            return refusal(400, str(error))
        except loading.Rejected as error:
            return self._failed(502, error.text, error.log)
        except MemoryError:
            return self._failed(502, _MEMORY, "MemoryError")._replace(memory_exhausted=True)
        except OSError as error:  # the folder is full, or can't be written to
            return self._failed(502, f"The code can't be stored: {error.strerror}", str(error))
        self._streams.settle()
        self._habitat.remember()
        return _initialised(self._function)

    def wake(self, body: bytes) -> Reply:
        """Go on as a copy of the process that has loaded the code; *body* brings variables."""
        if self._function is None:
            return refusal(500, NOT_READY)
        try:
            value = read_request(body).get("value") or {}
            variables = value.get("env") or {} if isinstance(value, dict) else None
        except ValueError as error:
            return refusal(400, f"Error unmarshaling request: {error}")
        if not isinstance(variables, dict):
            return refusal(400, "Error unmarshaling request: env is an object")
        self._pid = os.getpid()
        loading.export(variables)
        return _initialised(self._function)

    def run(self, body: bytes) -> Reply:
        """Call the code with the value that the body of /run carries."""
        function = self._function
        if function is None:
            return refusal(500, NOT_READY)
        try:
            request = read_request(body)
        except ValueError as error:
            return refusal(400, f"Error unmarshaling request: {error}")
        value = request.pop("value", None)
        loading.export_call(request)
        try:
            return self._call(function, {} if value is None else value)
        finally:
            if os.getpid() != self._pid:  # a child that the code forked and let fall through
                os._exit(0)
            self._streams.settle()
            self._habitat.restore()

    async def run_beside(self, body: bytes) -> Reply:
        """Call the code beside other calls of it; `rest` follows when the last has ended."""
        function = self._function
        if function is None:
            return refusal(500, NOT_READY)
        try:
            request = read_request(body)
        except ValueError as error:
            return refusal(400, f"Error unmarshaling request: {error}")
        value = request.pop("value", None)
        # Of the process, and so of whichever call came last, as in OpenWhisk.
        loading.export_call(request)
        try:
            return _answer(await function({} if value is None else value))
        except BaseException as error:
            return self._raised(error)
        finally:
            if os.getpid() != self._pid:
                os._exit(0)

    def rest(self) -> None:
        """Put back what activations may have changed."""
        self._streams.settle()
        self._habitat.restore()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that lives as long as the code is warm."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        return self._loop

    def rehearse(self) -> None:
        """Go through an init and a run that leave nothing behind."""
        self.init(_REHEARSED_INIT)
        self._function = _printed
        self.run(_REHEARSED_RUN)
        self._function = None

    def _call(self, function: Callable[[Any], Any], value: Any) -> Reply:
        try:
            result = function(value)
            if inspect.isawaitable(result):
                result = self._await(result)
            return _answer(result)
        except BaseException as error:
            if os.getpid() != self._pid and not isinstance(error, Exception):
                raise
            return self._raised(error)

    def _raised(self, error: BaseException) -> Reply:
        """Return what becomes of a call whose code raised *error*."""
        if isinstance(error, MemoryError):
            # Its frames hold what filled the memory: let go of it before anything else is done.
            traceback.clear_frames(error.__traceback__)
            del error
            return self._failed(502, _MEMORY, "MemoryError")._replace(memory_exhausted=True)
        self._streams.settle()
        _print_exception(error, self._streams)
        if isinstance(error, Exception):
            return Reply(200, error_body(text_of(error)))
        self._function = None  # sys.exit and its like
        return Reply(400, error_body(EXITED))

    def _await(self, awaitable: Any) -> Any:
        """Return what *awaitable* yields."""
        return self.loop().run_until_complete(_whole(awaitable))

    def _failed(self, status: int, text: str, log: str) -> Reply:
        self._streams.settle()
        self._habitat.restore()
        if log:
            self._streams.say(log.rstrip("\n"))
        return Reply(status, error_body(text))


def _printed(value: Any) -> Any:
    print(value)
    return value


def _initialised(function: Callable[[Any], Any]) -> Reply:
    allows = os.environ.get(_ALLOWS_SHARING) == "true"
    return INITIALISED._replace(shares=allows and _is_asynchronous(function))


def _is_asynchronous(function: Callable[[Any], Any]) -> bool:
    """Tell whether *function* lets others have their turn: `async def`, or its like."""
    by_class = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(by_class)


async def _whole(awaitable: Any) -> Any:
    return await awaitable


def _answer(result: Any) -> Reply:
    try:
        body = _compact(result).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return Reply(502, error_body(f"{_NO_JSON}: {text_of(error)}"))
    if isinstance(result, (dict, list, tuple)) or result is None:
        return Reply(200, body)
    return Reply(502, error_body(NO_OBJECT))


def _print_exception(error: BaseException, streams: Streams) -> None:
    frames = error.__traceback__
    own = __file__
    while frames is not None and frames.tb_frame.f_code.co_filename == own:
        frames = frames.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frames)
    except Exception:
        lines = [f"{type(error).__name__}: an error that can't be printed"]
    streams.say("".join(lines).rstrip("\n"))
