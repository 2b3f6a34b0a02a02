"""How sandboxes of processes are led outside: by what root can prepare, by a helper, or not at all.

Root has namespaces ready into which sandboxes are born (`invoker/driver/egress/networks.py`). For
anybody else a sandbox makes a network of its own, closes its routes to what is private while it
may, and hands the descriptors of its namespaces over; a helper process then connects it.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from common.settings import SandboxSettings
from invoker.driver.egress import bridge, netlink, plan, slirp, survey
from invoker.driver.egress.networks import Network as Prepared
from invoker.driver.egress.networks import Networks
from invoker.driver.egress.slirp import Slirp
from invoker.driver.port import Network
from invoker.driver.process.host import Host

NO_WAY: Final = "this host cannot lead sandboxes outside; see `brisk doctor`"


class Way(Protocol):
    """What leads one sandbox outside; closed when it is gone."""

    def close(self) -> None:
        """Let go of it. Idempotent, waits for nothing."""
        ...


class Outside:
    """The ways outside of one driver. `find` comes first."""

    def __init__(self, settings: SandboxSettings, tag: str, threads: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._tag = tag
        self._threads = threads
        self._networks: Networks | None = None
        self._routes: list[str] | None = None
        self._helpers: set[Slirp] = set()

    def __repr__(self) -> str:
        return f"<Outside {self._networks!r} helpers={len(self._helpers)}>"

    async def find(self, facts: Host) -> str | None:
        """Return why sandboxes cannot be led outside; empty if they can, None if none shall be."""
        if self._settings.network != "egress" or facts.no_namespaces:
            return None
        try:
            if facts.is_root:
                await self._find_networks()
            else:
                await slirp.try_out()
                self._routes = self._closed_routes()
        except OSError as error:
            return str(error)
        return ""

    async def _find_networks(self) -> None:
        loop = asyncio.get_running_loop()
        site = await loop.run_in_executor(self._threads, survey.site_of, self._settings, self._tag)
        await loop.run_in_executor(self._threads, survey.try_out, site)
        self._networks = Networks(site, self._settings.networks_ready)

    def _closed_routes(self) -> list[str]:
        open_ranges = plan.parse_blocks(self._settings.allowed_ranges)
        servers = plan.parse_addresses(self._settings.nameservers)
        closed = plan.closed(open_ranges, servers, survey.own_addresses())
        return [netlink.encoded(netlink.prohibit(block), 1).hex() for block in closed]

    @property
    def ready(self) -> int:
        """How many networks are ready before a sandbox needs one."""
        return self._networks.ready if self._networks is not None else 0

    @property
    def has_names(self) -> bool:
        """Whether anybody is known whom sandboxes can ask for names."""
        return self._networks is None or bool(self._networks.site.nameservers)

    @property
    def resolver(self) -> str:
        """The `resolv.conf` of sandboxes."""
        helper = slirp.RESOLVER if self._routes is not None else ""
        return survey.resolver(self._settings, helper)

    async def before(self, network: Network) -> Prepared | None:
        """Return where a sandbox is to be born; None where it makes a network itself.

        Raises `OSError`.
        """
        if network is not Network.EGRESS:
            return None
        if self._networks is not None:
            return await self._networks.take()
        if self._routes is None:
            raise OSError(NO_WAY)
        return None

    def request(self, network: Network) -> dict[str, Any]:
        """Return what a zygote is told of a sandbox's network."""
        if network is Network.EGRESS and self._networks is None:
            return {"network": Network.NONE.value, "routes": self._routes, "hands_over": True}
        return {"network": network.value, "routes": [], "hands_over": False}

    async def after(self, namespaces: Sequence[int]) -> Slirp:
        """Return what connects a sandbox that has handed *namespaces* over. Raises `OSError`."""
        self._helpers = {each for each in self._helpers if not each.has_ended}
        helper = await Slirp.start(*namespaces)
        self._helpers.add(helper)
        return helper

    async def remove_leftovers(self, facts: Host) -> list[str]:
        """Remove what a crashed predecessor left; return its names. Raises `OSError`."""
        if self._networks is not None:
            return await self._networks.remove_leftovers()
        if not facts.is_root:
            return []
        # It may have been told otherwise than we are.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, bridge.remove_if_there, self._tag)

    async def close(self) -> None:
        """End everything, when the sandboxes are gone. Idempotent."""
        for helper in self._helpers:
            helper.close()
        await asyncio.gather(*(helper.wait_gone() for helper in self._helpers))
        self._helpers.clear()
        if self._networks is not None:
            await self._networks.close()
