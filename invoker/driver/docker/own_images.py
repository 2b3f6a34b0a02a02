"""Images that actions bring: had when they are needed, and by whom they may be used.

A pull takes as long as a registry likes. So it is waited for where nothing else is held up: each
namespace has a few pulls at a time, and one that hangs delays nobody but its own namespace. What
the engine has is used under its id from then on, so that a name that changes meanwhile changes
nothing.

An image that is pulled with the credentials of a namespace is that namespace's affair: the registry
is asked whether they may have it, also where the engine has it already, and it is pulled by its
digest, so that the engine never knows it under the name that others could use.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from common.codec import encode
from common.ids import Namespace
from common.log import logger
from common.settings import DockerSettings
from common.store.port import StoreError
from invoker.driver.docker import references
from invoker.driver.docker.engine import (
    Engine,
    EngineFailed,
    EngineRefused,
    EngineUnreachable,
    NoSuchImage,
)
from invoker.driver.docker.flags import Image
from invoker.driver.docker.references import Reference
from invoker.driver.port import CannotStart, ImageNotPulled, Login, Logins, OwnImage

PULLS_AT_A_TIME: Final = 2
"""Of one namespace."""
REMEMBERED: Final = 4096
_SLOW: Final = (
    "The image was not here after {wait_s:g} s. It is still being pulled: try again later."
)
_NOT_THERE: Final = "The registry does not have it, or not for everybody."
_NOT_PULLED: Final = "The image is not here, and this platform pulls none from where it would be."
_AN_ID: Final = "An image is named, not picked by its id."
_FAILED: Final = "The registry did not hand it out."

_log: Final = logger(__name__)

Credentials = Callable[[Reference], Awaitable[str]]
"""Returns what the engine shows the registry of an image; empty for nothing."""


class OwnImages:
    """Finds and pulls the images of actions; owned by the driver until `close`."""

    def __init__(
        self,
        engine: Engine,
        settings: DockerSettings,
        credentials: Credentials,
        logins: Logins | None = None,
        natives: Collection[str] = (),
    ) -> None:
        """Use *engine*.

        credentials: the operator's, which count for every namespace.
        logins: what namespaces have of their own.
        natives: images that are used as they are here, also where they may have changed.
        """
        self._natives = frozenset(str(references.parse(each)) for each in natives)
        self._engine = engine
        self._logins = logins
        self._settings = settings
        self._registries = frozenset(filter(None, settings.registries.replace(" ", "").split(",")))
        self._credentials = credentials
        self._ids: OrderedDict[OwnImage, str] = OrderedDict()
        self._fetches: dict[OwnImage, asyncio.Task[None]] = {}
        self._pulls: dict[Namespace, asyncio.Semaphore] = {}
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<OwnImages {len(self._ids)} known, {len(self._fetches)} being fetched>"

    @property
    def waiting(self) -> int:
        """Images that are being looked for or pulled."""
        return len(self._fetches)

    async def prepare(self, image: OwnImage) -> None:
        """Have *image* here, as of now. Raises `ImageNotPulled`, `CannotStart`.

        Who asks while it is being fetched waits for that; who leaves does not end it.
        """
        if self._is_closed:
            raise CannotStart("the driver is closed")
        fetch = self._fetches.get(image)
        if fetch is None:
            fetch = asyncio.get_running_loop().create_task(self._fetch(image))
            self._fetches[image] = fetch
            fetch.add_done_callback(lambda ended: self._forget(image, ended))
        done, _ = await asyncio.wait({fetch}, timeout=self._settings.pull_wait_s)
        if not done:
            why = _SLOW.format(wait_s=self._settings.pull_wait_s)
            raise ImageNotPulled(image.reference, why)
        if fetch.cancelled():
            raise CannotStart("the driver is closed")
        fetch.result()

    def is_native(self, image: OwnImage) -> bool:
        """Tell whether *image* counts as a runtime of ours, which marks the ends of its logs."""
        return str(references.parse(image.reference)) in self._natives

    def at_hand(self, image: OwnImage) -> Image | None:
        """Return *image* as it was last prepared; None if it was not, or long ago."""
        found = self._ids.get(image)
        # A stranger may carry our labels; what they unlock is for images of kinds only.
        return None if found is None else Image(reference=found)

    async def close(self) -> None:
        """End what is being fetched. Idempotent."""
        self._is_closed = True
        fetches = list(self._fetches.values())
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)

    def _forget(self, image: OwnImage, ended: asyncio.Task[Any]) -> None:
        self._fetches.pop(image, None)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            # Here for the operator: who asked is told less, or has left.
            _log.warning("image_not_fetched", image=image.reference, namespace=image.namespace,
                         why=str(error.__cause__ or error))  # fmt: skip

    async def _fetch(self, image: OwnImage) -> None:
        try:
            async with asyncio.timeout(self._settings.pull_s):
                found = await self._found(image, references.parse(image.reference))
        except NoSuchImage as error:
            raise ImageNotPulled(image.reference, _NOT_THERE) from error
        except (EngineUnreachable, StoreError) as error:  # no mistake of the developer
            raise CannotStart from error
        except (EngineFailed, TimeoutError) as error:
            raise ImageNotPulled(image.reference, _FAILED) from error
        self._ids[image] = found
        self._ids.move_to_end(image)
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    async def _found(self, image: OwnImage, reference: Reference) -> str:
        """Return the id of the image, pulled if the policy says so."""
        # An action must not fetch what would then be taken for the image of a kind.
        if reference.is_id:
            raise ImageNotPulled(image.reference, _AN_ID)
        is_ours = reference.repository.startswith(f"{self._settings.images}/")
        may_pull = self._settings.pull != "never" and not is_ours
        if self._registries and reference.registry not in self._registries:
            may_pull = False
        if self._logins is not None and may_pull:
            login = await self._logins.login(image.namespace, reference.registry)
            if login is not None:
                return await self._private(image.namespace, reference, _shown(login))
        is_kept = str(reference) in self._natives
        if may_pull and self._settings.pull == "auto" and reference.may_change and not is_kept:
            await self._pull(image.namespace, reference)
            may_pull = False
        try:
            return await self._engine.image_id(str(reference))
        except NoSuchImage as error:
            if not may_pull:
                raise ImageNotPulled(image.reference, _NOT_PULLED) from error
        await self._pull(image.namespace, reference)
        return await self._engine.image_id(str(reference))

    async def _private(self, namespace: Namespace, reference: Reference, shown: str) -> str:
        """Return the id of an image that the registry lets who shows *shown* have, now."""
        digest = await self._engine.digest(str(reference), shown)
        exact = f"{reference.repository}@{digest}"
        try:
            return await self._engine.image_id(exact)
        except NoSuchImage:
            await self._pull(namespace, Reference(reference.repository, digest), shown)
        return await self._engine.image_id(exact)

    async def _pull(
        self, namespace: Namespace, reference: Reference, shown: str | None = None
    ) -> None:
        """Pull an image. *shown*: to the registry; None is what the operator has for it."""
        pulls = self._pulls.setdefault(namespace, asyncio.Semaphore(PULLS_AT_A_TIME))
        async with pulls:
            if shown is None:
                shown = await self._credentials(reference)
            _log.info("image_is_pulled", image=str(reference), namespace=namespace)
            try:
                await self._engine.pull(reference.repository, reference.tag, shown)
            except EngineRefused as error:
                if error.is_missing:
                    raise NoSuchImage(error.message) from error
                raise


def _shown(login: Login) -> str:
    """Return *login* in the form that an engine takes it."""
    told = {"username": login.username, "password": login.password}
    return urlsafe_b64encode(encode(told)).decode()
