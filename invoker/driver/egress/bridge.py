"""The bridge of one installation and the rules around it: set up when first needed, and once.

All that changes this host's network is done by one thread, one thing after the other.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import Final, ParamSpec, TypeVar

from invoker.driver.egress import firewall, links
from invoker.driver.egress.plan import Site

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MOST_DEAD: Final = 10
"""Of other installations, removed at one start: each takes 50 ms."""


class Bridge:
    """Belongs to one event loop; whoever made it closes it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.is_closed = False
        self._thread = ThreadPoolExecutor(1, "brisk-network")
        self._setting_up: asyncio.Future[None] | None = None
        self._claim: socket.socket | None = None

    def __repr__(self) -> str:
        return f"<Bridge {self.site.bridge} {'up' if self._setting_up else 'not needed yet'}>"

    async def up(self) -> None:
        """Return when it is there. Raises `OSError`."""
        if self._setting_up is None:
            self._claim = self._claim or links.claim(self.site.tag)
            self._setting_up = self.begin(_set_up, self.site)
            self._setting_up.add_done_callback(self._on_set_up)
        await asyncio.shield(self._setting_up)
        if self.is_closed:
            raise OSError("the networks are closed")

    def begin(
        self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> asyncio.Future[_T]:
        """Have its thread do *work* after all that it was given before."""
        return asyncio.wrap_future(self._thread.submit(work, *args, **kwargs))

    async def remove_leftovers(self) -> list[str]:
        """Remove what crashed platforms left; return the names. Raises `OSError`."""
        self._claim = self._claim or links.claim(self.site.tag)
        return await self.begin(_remove_dead, self.site)

    async def close(self) -> None:
        """Remove it, after all that its thread was given. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._setting_up is not None:
            with contextlib.suppress(OSError):
                await self.begin(_remove, self.site)
        self._thread.shutdown(wait=False)
        if self._claim is not None:
            self._claim.close()

    def _on_set_up(self, setting_up: asyncio.Future[None]) -> None:
        if setting_up.cancelled() or setting_up.exception() is not None:
            self._setting_up = None  # whoever comes next tries again


def remove_if_there(tag: str) -> list[str]:
    """Remove what is left of the installation *tag*, if its bridge is; return the names."""
    site = Site(tag, IPv4Network(0))
    return _remove(site) if links.is_there(site.bridge) else []


def _set_up(site: Site) -> None:
    _remove(site)
    firewall.install(site)
    links.make_bridge(site)


def _remove(site: Site) -> list[str]:
    """Remove the link first: no packet finds its way while there are no rules for it."""
    removed = [f"bridge {site.bridge}"] if links.remove_bridge(site.bridge) else []
    return removed + ([f"rules of {site.tag}"] if firewall.remove(site.tag) else [])


def _remove_dead(site: Site) -> list[str]:
    """Remove what is left of *site*, and of other installations that nobody claims."""
    removed = _remove(site)
    for tag in links.idle_bridges()[:_MOST_DEAD]:
        if claim := links.claim(tag):
            with claim:
                removed += _remove(Site(tag, IPv4Network(0)))
    return removed
