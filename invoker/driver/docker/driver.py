"""The docker driver: sandboxes are containers of an engine on this host.

Starting a container costs 0.2 s and the engine does one after the other, so no more are started at
once than help; a pool keeps blank ones ready. Images of ours are told to connect to a socket that
only their container sees and speak frames; images of strangers are spoken to as OpenWhisk does.
Every container carries its owner's label, and a successor with the same state folder finds it.
"""

import asyncio
import contextlib
import hashlib
import os
import platform
import shutil
from collections.abc import Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from common.log import logger
from common.settings import DockerSettings, SandboxSettings
from invoker.driver.channel import Channel
from invoker.driver.docker import faults, flags, report, syscall_profile
from invoker.driver.docker.attach import Attachment
from invoker.driver.docker.engine import (
    Engine,
    EngineFailed,
    EngineRefused,
    EngineUnreachable,
    NoSuchImage,
)
from invoker.driver.docker.flags import Image
from invoker.driver.docker.images import Library
from invoker.driver.docker.landing import Landing
from invoker.driver.docker.outside import NO_WAY, Outside
from invoker.driver.docker.own_images import OwnImages
from invoker.driver.docker.presence import Presence
from invoker.driver.docker.sandbox import DockerSandbox
from invoker.driver.docker.voices import FramesVoice, HttpVoice
from invoker.driver.http_channel import HttpChannel
from invoker.driver.port import (
    CannotCast,
    CannotStart,
    DriverReport,
    Logins,
    OwnImage,
    SandboxSpec,
)

_log: Final = logger(__name__)

START_S: Final = 20.0
"""How long a runtime may take to connect and say that it is up, in a container that was started."""
CHECK_S: Final = 1.5
"""An engine that is alive answers in milliseconds."""
STARTS_PER_CORE: Final = 2
_THREADS: Final = 4
_FOLDER: Final = "containers"


class DockerDriver:
    """Makes sandboxes out of containers; see `port.SandboxDriver` for what is promised.

    kinds: those of the manifest, each with the image that it has in OpenWhisk.
    state_dir: a folder of this installation, held by one platform at a time.
    natives: images of actions that mark the ends of their logs, as runtimes of the manifest do.
    logins: of namespaces, for their private images; None where nobody has any.
    """

    def __init__(
        self,
        settings: DockerSettings,
        limits: SandboxSettings,
        kinds: Mapping[str, str],
        state_dir: Path,
        natives: Collection[str] = (),
        logins: Logins | None = None,
    ) -> None:
        self._settings = settings
        self._kinds = dict(kinds)
        self._folder = state_dir / _FOLDER
        digest = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()
        self._house = flags.House(
            owner=digest[:12],
            network=settings.network,
            pids=limits.pids,
            tmp_mb=limits.tmp_mb,
            machine=platform.machine(),
        )
        self._engine = Engine(settings.socket, answer_s=settings.answer_s)
        self._library = Library(settings.socket, config=settings.config)
        self._own_images = OwnImages(
            self._engine, settings, self._library.credentials, logins, natives
        )
        self._threads = ThreadPoolExecutor(_THREADS, "brisk-freezer")
        self._outside = Outside(limits, settings.socket, digest[:8], self._threads)
        self._images: dict[str, Image] = {}
        self._starts = asyncio.Semaphore(STARTS_PER_CORE * (os.cpu_count() or 1))
        self._landings: dict[DockerSandbox, Landing] = {}
        self._sandboxes: set[DockerSandbox] = set()
        self._begun: set[asyncio.Task[Any]] = set()
        self._presence = Presence(settings.away_s, self._sweep)
        self._finding: asyncio.Task[None] | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<DockerDriver {len(self._sandboxes)} containers, {len(self._begun)} under way>"

    def count_waiting_images(self) -> int:
        """Return how many images of actions are being looked for or pulled."""
        return self._own_images.waiting

    async def probe(self) -> DriverReport:
        """Find out what the engine can do and which kinds it has images for."""
        try:
            facts = await self._library.examine(self._settings.images)
            self._images = {
                kind: facts.images[kind] for kind in self._kinds if kind in facts.images
            }
            for kind in self._kinds.keys() - self._images.keys():
                with contextlib.suppress(NoSuchImage):
                    self._images[kind] = await self._library.find(self._kinds[kind])
        except EngineFailed as error:
            return report.unreachable(str(error))
        no_egress = await self._outside.find()
        has_table = syscall_profile.of_machine(self._house.machine) is not None
        return report.describe(
            images=self._images,
            has_swap_limit=facts.has_swap_limit,
            has_pids_limit=facts.has_pids_limit,
            has_profile=facts.has_seccomp and has_table,
            is_root=os.geteuid() == 0,
            no_entry=self._outside.no_entry,
            no_egress=no_egress,
            has_names=self._outside.has_names,
        )

    async def check(self) -> None:
        """Return when the engine serves now. Raises `EngineFailed`.

        To be called now and then: what is known of the engine comes from here.
        """
        try:
            async with asyncio.timeout(CHECK_S):
                await self._engine.check()
        except TimeoutError as error:
            self._presence.silent("the engine does not answer in time")
            raise EngineUnreachable("the engine does not answer in time") from error
        except EngineFailed as error:
            self._presence.lost(str(error))
            raise
        if self._presence.answered():
            if self._finding is None or self._finding.done():
                self._finding = self._begin(self._presence.found())
            raise EngineFailed("it is back, and what it left is being removed")

    async def reconcile(self) -> list[str]:
        """Remove the containers that a crashed predecessor left, and their folders."""
        removed = await self._library.remove_containers(self._house.owner, keep=())
        await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: shutil.rmtree(self._folder, ignore_errors=True)
        )
        # What was plugged into them went with them.
        return removed + await self._outside.remove_leftovers()

    async def prepare(self, image: OwnImage) -> None:
        """Have *image* in the engine. Raises `ImageNotPulled`, `CannotStart`."""
        try:
            await self._presence.through(partial(self._own_images.prepare, image))
        except EngineFailed as error:
            raise CannotStart from error

    async def cast(self, spec: SandboxSpec, payload: bytes, *, timeout_s: float) -> NoReturn:
        """Raise `CannotCast`: an engine copies no processes."""
        raise CannotCast(f"containers are not copied, and neither is {spec.container_id}")

    async def create(self, spec: SandboxSpec) -> DockerSandbox:
        """Return a blank sandbox. Raises `CannotStart`."""
        if self._is_closed:
            raise CannotStart("the driver is closed")
        if not self._outside.leads(spec.network):
            raise CannotStart(NO_WAY)
        try:
            image = await self._image(spec)
            if not image.speaks_frames and self._outside.no_entry:
                raise EngineFailed(self._outside.no_entry)
            async with self._starts:
                # No code of a user has been near what an outage breaks off.
                return await self._presence.through(partial(self._started, spec, image))
        except EngineRefused as error:
            if spec.image and (fault := faults.of_start(spec.image.reference, error.message)):
                raise fault from error
            raise CannotStart from error
        except (EngineFailed, OSError) as error:
            raise CannotStart from error

    async def close(self) -> None:
        """Destroy every sandbox. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        while self._begun or self._sandboxes:
            await asyncio.gather(*(each.destroy() for each in list(self._sandboxes)))
            if self._begun:
                await asyncio.wait(self._begun, return_when=asyncio.FIRST_COMPLETED)
        await self._own_images.close()
        await self._engine.close()
        self._library.close()
        await self._outside.close()
        self._threads.shutdown(wait=False)
        with contextlib.suppress(OSError):  # somebody else's file is in it, or it was never made
            self._folder.rmdir()

    # Images.

    async def _image(self, spec: SandboxSpec) -> Image:
        if spec.image is None:
            try:
                return self._images[spec.kind]
            except KeyError:
                raise EngineFailed(f"the engine has no image for {spec.kind}") from None
        image = self._own_images.at_hand(spec.image)
        if image is None:
            await self._own_images.prepare(spec.image)
            image = self._own_images.at_hand(spec.image)
        if image is None:
            raise EngineFailed("the image was forgotten: too many others are used")
        return image

    # Making one container.

    async def _sweep(self) -> None:
        """Remove the containers that nobody here knows: those given up while it was away."""
        known = {flags.name_of(self._house.owner, each.container_id) for each in self._sandboxes}
        for name in await self._library.remove_containers(self._house.owner, keep=known):
            _log.warning("container_of_an_outage_removed", name=name)

    async def _started(self, spec: SandboxSpec, image: Image) -> DockerSandbox:
        """Make and start the container; the engine can't be interrupted in it."""
        making: asyncio.Task[DockerSandbox] = self._begin(self._make(spec, image))
        try:
            sandbox = await asyncio.shield(making)
        except asyncio.CancelledError:
            discarding = self._begin(self._discard(making))
            await asyncio.wait({discarding})
            raise
        try:
            await self._introduce(sandbox, image)
        except BaseException:
            # A second cancellation ends the wait; what was begun goes on.
            await asyncio.shield(self._begin(sandbox.destroy()))
            raise
        return sandbox

    async def _make(self, spec: SandboxSpec, image: Image) -> DockerSandbox:
        """Return the container, which runs. Raises `EngineFailed`, `OSError`."""
        env = self._outside.environment(spec)
        landing = None
        if image.speaks_frames:
            landing = Landing(self._folder / spec.container_id, flags.USER)
        try:
            where = str(landing.folder.resolve()) if landing else None
            body = flags.create_body(
                replace(spec, env=env), image, self._house, where, self._outside.nameservers
            )
            name = flags.name_of(self._house.owner, spec.container_id)
            container = await self._engine.create(name, body)
        except BaseException:
            if landing is not None:
                landing.close()
            raise
        sandbox = DockerSandbox(
            spec.container_id,
            container,
            self._engine,
            self._threads,
            self._clean_up,
            self._presence,
            is_entered=landing is None or self._outside.enters(spec.network),
        )
        self._sandboxes.add(sandbox)
        if landing is not None:
            self._landings[sandbox] = landing
        try:
            if landing is None:
                await self._listen(sandbox, spec, container)
            await self._engine.start(container)
            await sandbox.begin()
            if sandbox.network >= 0:  # else it ended at once, and its call says how
                await self._outside.open(spec, sandbox.network, sandbox.way)
        except BaseException:
            await sandbox.destroy()
            raise
        return sandbox

    async def _listen(self, sandbox: DockerSandbox, spec: SandboxSpec, container: str) -> None:
        """Take the output of a stranger's container before it starts."""
        output = await Attachment.open(self._settings.socket, container)
        http = HttpChannel(sandbox.dial, spec.container_id, output.ended.done)
        is_sentinelled = spec.image is None or self._own_images.is_native(spec.image)
        sandbox.speak(HttpVoice(http, output, is_sentinelled=is_sentinelled))

    async def _introduce(self, sandbox: DockerSandbox, image: Image) -> None:
        """Wait until a runtime of ours says that it is up. Raises `CannotStart`, `EngineFailed`."""
        if not image.speaks_frames:
            return
        accepting = self._begin(self._accept(sandbox))
        ending = self._begin(self._engine.wait(sandbox.container, START_S))
        try:
            await asyncio.wait(
                {accepting, ending}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            is_here = accepting.done()
            for each in (accepting, ending):
                each.cancel()
            await asyncio.wait({accepting, ending})
        if not is_here:
            died = await sandbox.explain("it said nothing")
            # What went with its engine is made again, also where nobody has missed that yet.
            cause = EngineUnreachable if died.is_lost else EngineFailed
            raise CannotStart from cause(died.how)
        channel = accepting.result()
        await channel.hello(START_S)

    async def _accept(self, sandbox: DockerSandbox) -> Channel:
        """Let the container's runtime connect; from then on the sandbox owns the channel."""
        channel = await self._landings[sandbox].accept()
        sandbox.speak(FramesVoice(channel))
        return channel

    async def _discard(self, making: asyncio.Task[DockerSandbox]) -> None:
        await asyncio.wait({making})
        if not making.cancelled() and making.exception() is None:
            await making.result().destroy()

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start what outlives a cancellation of who asked for it; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._begun.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Who asked for it has it too, unless they have left.
            _log.debug("docker_work_failed", why=str(error))

    def _clean_up(self, sandbox: DockerSandbox) -> None:
        self._sandboxes.discard(sandbox)
        landing = self._landings.pop(sandbox, None)
        if landing is not None:
            landing.close()
