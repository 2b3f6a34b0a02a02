"""What leads a container outside: a cable to the bridge of the installation, and a way to the API.

The engine gives a container a network of its own with nothing in it. Before any code of a user is
sent to it the platform plugs a cable in, which has the rules that sandboxes of processes have, and
listens on the container's loopback for calls of the API. The engine's own networks lead to more
than the internet, and take no part.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from common.log import logger
from common.settings import SandboxSettings
from invoker.driver.docker import dialing
from invoker.driver.egress import bridge, links, survey
from invoker.driver.egress.bridge import Bridge
from invoker.driver.egress.cables import Cable, Cables
from invoker.driver.port import Network, SandboxSpec
from invoker.driver.process import relay
from invoker.driver.process.relay import Relay, Target

NO_WAY: Final = "this host cannot lead containers outside; the log of the start says why"
API_HOST: Final = "__OW_API_HOST"
"""The variable that tells functions where the API is."""

_T = TypeVar("_T")
_log: Final = logger(__name__)


class Way:
    """What one container holds of it; closed when the container is gone."""

    def __init__(self) -> None:
        self.cable: Cable | None = None
        self.relay: Relay | None = None

    def close(self) -> None:
        """Let go of everything. Idempotent, waits for nothing."""
        if self.relay is not None:
            self.relay.close()
        if self.cable is not None:
            self.cable.close()


class Outside:
    """The ways outside of one driver. `find` comes first."""

    def __init__(
        self, settings: SandboxSettings, engine: Path, tag: str, threads: ThreadPoolExecutor
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._tag = tag
        self._threads = threads
        self._bridge: Bridge | None = None
        self._cables: Cables | None = None
        self.no_entry = "nobody has looked yet"
        """Why networks of containers cannot be entered; empty where they can."""

    def __repr__(self) -> str:
        return f"<Outside {self._cables!r}>"

    async def find(self) -> str | None:
        """Return why containers cannot be led outside; empty if they can, None if none shall be."""
        self.no_entry = await self._in_thread(self._find_entry)
        if self._settings.network != "egress":
            return None
        if self.no_entry:
            return self.no_entry
        try:
            site = await self._in_thread(lambda: survey.site_of(self._settings, self._tag))
            await self._in_thread(lambda: survey.try_out(site))
        except OSError as error:
            return str(error)
        if self._bridge is None:
            self._bridge = Bridge(site)
            self._cables = Cables(self._bridge)
        return ""

    @property
    def has_names(self) -> bool:
        """Whether anybody is known whom containers can ask for names."""
        return self._bridge is None or bool(self._bridge.site.nameservers)

    @property
    def nameservers(self) -> tuple[str, ...]:
        """Whom containers ask for names."""
        return () if self._bridge is None else tuple(map(str, self._bridge.site.nameservers))

    def leads(self, network: Network) -> bool:
        """Tell whether containers can have *network*."""
        return network is not Network.EGRESS or self._cables is not None

    def enters(self, network: Network) -> bool:
        """Tell whether a container with *network* has one of its own that is entered."""
        return not self.no_entry and network is not Network.HOST

    def environment(self, spec: SandboxSpec) -> dict[str, str]:
        """Return what a container finds in its environment."""
        if API_HOST in spec.env and self.enters(spec.network):
            return {**spec.env, API_HOST: relay.ADDRESS_INSIDE}
        return dict(spec.env)

    async def open(self, spec: SandboxSpec, network: int, way: Way) -> None:
        """Fill *way* for the container of *spec*, whose network is *network*. Raises `OSError`."""
        if spec.network is Network.EGRESS:
            if self._cables is None:
                raise OSError(NO_WAY)
            way.cable = await self._cables.plug(network)
        if API_HOST in spec.env and self.enters(spec.network):
            try:
                listener = await dialing.listen(network, relay.PORT)
            except OSError as error:
                # A stranger's image may serve on that port itself; then it calls no API.
                _log.warning("api_not_offered", container=spec.container_id, why=str(error))
            else:
                way.relay = await Relay.open(listener, Target.of(spec.env[API_HOST]))

    async def remove_leftovers(self) -> list[str]:
        """Remove what a crashed predecessor left; return its names. Raises `OSError`."""
        if self._bridge is not None:
            return await self._bridge.remove_leftovers()
        if os.geteuid() != 0:
            return []
        # It may have been told otherwise than we are.
        return await self._in_thread(lambda: bridge.remove_if_there(self._tag))

    async def close(self) -> None:
        """End everything, when the containers are gone. Idempotent."""
        if self._cables is not None:
            await self._cables.close()
        if self._bridge is not None:
            await self._bridge.close()

    def _find_entry(self) -> str:
        if os.geteuid() != 0:
            return "only root may enter the network of a container"
        try:
            if not dialing.sees_processes_of(self._engine):
                return (
                    "the engine's processes are not seen from here: they have numbers of their own"
                )
            with links.new_namespace():
                return ""
        except OSError as error:
            return f"networks of containers cannot be entered: {error.strerror or error}"

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
