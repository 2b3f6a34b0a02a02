"""The zygote's part in templates: it begins their keepers, passes on what is said, and buries.

Everything here is a child of the zygote: keepers, templates, their twins, and the copies that took
the place of a sandbox's runtime. A copy that ends takes its sandbox along; a template, a twin or a
keeper that ends takes the other two. See `keeper` for who they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from invoker.driver.process.inside import keeper, kernel


class _Cast:
    """One template, as the zygote knows it."""

    def __init__(self, child: int, pid: int, link: socket.socket) -> None:
        self.child = child
        self.keeper = pid
        self.link = link
        self.template = 0
        self.members: set[int] = set()
        """The template and its twin, until they are buried."""
        self.awaited: set[int] = set()
        """Sandboxes that are to become copies, and of which nothing was heard yet."""


class Casts:
    """The templates of one zygote, and the copies of them that live."""

    def __init__(self, report: Callable[..., None], pids: Mapping[int, int]) -> None:
        self._report = report
        self._pids = pids
        self._casts: dict[int, _Cast] = {}
        self._copies: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def add(self, child: int, pid: int, link: socket.socket) -> None:
        """Note that *pid* keeps the template *child*, and is spoken to through *link*."""
        self._casts[child] = _Cast(child, pid, link)

    def links(self) -> list[int]:
        """Return what keepers may be heard on."""
        return [cast.link.fileno() for cast in self._casts.values()]

    def ask(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        """Pass *request* on to the keeper that it is for; if it cannot be, that is told."""
        child, opened = request.get("child", 0), list[int]()
        cast = self._casts.get(request["template"])
        try:
            if cast is None:
                raise OSError("the template is gone")
            if child:
                opened.append(os.pidfd_open(self._pids[child]))
                cast.awaited.add(child)
            message = json.dumps({"do": request["do"], "child": child}).encode()
            socket.send_fds(cast.link, [message], [*opened, *descriptors])
        except (OSError, KeyError) as error:
            self._tell_of(child, f"{type(error).__name__}: {error}", cast)
        finally:
            for fd in opened:
                os.close(fd)

    def hear_all(self) -> None:
        """Take what keepers have said so far."""
        for cast in list(self._casts.values()):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while message := cast.link.recv(keeper.MESSAGE_BYTES, socket.MSG_DONTWAIT):
                    self._take(cast, json.loads(message))

    def has_buried(self, pid: int, status: int) -> bool:
        """Tell whether *pid*, which ended with *status*, was one of ours; and do what follows."""
        child = self._copies.pop(pid, None)
        if child is not None:
            # Its sandbox's first process is still there, unless that ended it.
            if child in self._pids:
                self._ends[child] = status
                os.kill(self._pids[child], signal.SIGKILL)
            return True
        for cast in self._casts.values():
            if pid in cast.members:
                cast.members.discard(pid)
                self._ends.setdefault(cast.child, status)
                os.kill(cast.keeper, signal.SIGKILL)
                return True
        return False

    def end_of(self, child: int, status: int) -> int:
        """Return how *child* ended whose own process did with *status*; forget about it."""
        cast = self._casts.pop(child, None)
        if cast is not None:
            for pid in cast.members:
                os.kill(pid, signal.SIGKILL)
            if cast.template in cast.members:
                # What became of it says more than that its keeper has left.
                status = kernel.status_at_end(cast.template)
            for each in cast.awaited:
                self._report(child=each, not_copied="the template ended")
            cast.link.close()
        return self._ends.pop(child, status)

    def _take(self, cast: _Cast, told: Mapping[str, Any]) -> None:
        child = told.get("child", 0)
        if "cast" in told:
            cast.template = told["cast"]
            cast.members |= {told["cast"], told["twin"]}
            self._report(child=cast.child, pid=told["cast"])
        elif "fixed" in told:
            self._report(child=cast.child, fixed=True)
        elif "pid" in told:
            cast.awaited.discard(child)
            self._copies[told["pid"]] = child
            self._report(child=child, copy=told["pid"])
        else:
            self._tell_of(child, told["failed"], cast)

    def _tell_of(self, child: int, why: str, cast: _Cast | None) -> None:
        if not child:
            if cast is not None:  # it could not be fixed: nothing can be made of it
                os.kill(cast.keeper, signal.SIGKILL)
            return
        if cast is not None:
            cast.awaited.discard(child)
        self._report(child=child, not_copied=why)
