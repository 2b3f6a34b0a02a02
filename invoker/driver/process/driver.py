"""The process driver: sandboxes are processes of this host, cloned from a warm interpreter.

A zygote per flavour (a Python version; one for every Node) is started when it is first needed. Each
sandbox is a clone of it in namespaces of its own, in a cgroup where that may be made, without
capabilities, behind a system call filter; it costs a few milliseconds and two megabytes. What the
host does not allow is left out step by step, and `probe` says so with the remedy. Without
namespaces nothing is started unless the operator has said that the code is trusted.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import platform
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import runtimes
from common.log import logger
from common.settings import SandboxSettings
from invoker.driver.channel import Channel
from invoker.driver.port import (
    CannotStart,
    DriverReport,
    Network,
    NoImages,
    OwnImage,
    SandboxSpec,
)
from invoker.driver.process import (
    host,
    hostview,
    interpreters,
    records,
    relay,
    report,
    seccomp,
    startup,
    template,
    wires,
)
from invoker.driver.process.cgroup import Allowance
from invoker.driver.process.interpreters import Interpreter
from invoker.driver.process.lease import Lease, Slots, end_signal
from invoker.driver.process.outside import Outside
from invoker.driver.process.relay import Relay, Target
from invoker.driver.process.sandbox import DESTROY_S, ProcessSandbox
from invoker.driver.process.template import ProcessTemplate
from invoker.driver.process.zygote import Clone, Zygote, ZygoteFailed

_T = TypeVar("_T")
_log: Final = logger(__name__)

CUT_OFF_TRIES: Final = 3
"""How often a sandbox is begun that is killed from outside while it is being made."""
START_S: Final = 10.0
"""How long a runtime may take to say that it is up: a Node on a busy host needs 0.3 s."""
CLOSE_S: Final = 4.0
NO_IMAGES_WHY: Final = (
    "Functions are processes here. Images need an invoker with BRISK_INVOKER__DRIVER=docker; code "
    "of a kind that the platform lists runs without."
)
API_HOST: Final = "__OW_API_HOST"
"""The variable that tells functions where the API is."""
_THREADS: Final = 4
_TMP_INODES: Final = 16_384
_OWN_USER: Final = 0
"""The platform's user, as its zygotes see it."""
_RUNTIMES: Final = Path(next(iter(runtimes.__path__))).resolve()


class ProcessDriver:
    """Makes sandboxes out of processes; see `port.SandboxDriver` for what is promised.

    kinds: those of the manifest; which of them run here is in the report.
    state_dir: a folder of this installation, held by one platform at a time.
    natives: images of actions for which there is a kind here that does the same: OpenWhisk's
        `dockerskeleton`. Whatever their tag, their programs are run without a container.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        kinds: Sequence[str],
        state_dir: Path,
        natives: Collection[str] = (),
    ) -> None:
        self._settings = settings
        self._kinds = tuple(kinds)
        self._natives = frozenset(map(startup.repository, natives))
        self._state_dir = state_dir
        self._host: host.Host | None = None
        self._interpreters: Mapping[str, Interpreter] = {}
        self._zygotes: dict[str, Zygote] = {}
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._leases: set[Lease] = set()
        self._slots = Slots(host.MOST_SLOTS)
        self._threads = ThreadPoolExecutor(_THREADS, "brisk-cgroup")
        self._outside = Outside(settings, self._tag, self._threads)
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<ProcessDriver {self._slots!r} zygotes={sorted(self._zygotes)}>"

    async def probe(self) -> DriverReport:
        """Find out what this host allows."""
        no_egress, self._interpreters = await asyncio.gather(
            self._examine(), interpreters.find(self._kinds)
        )
        return report.describe(
            self._examined,
            self._interpreters,
            self._settings,
            no_egress,
            has_names=self._outside.has_names,
        )

    async def _examine(self) -> str | None:
        self._host = await host.examine(self._group_name, self._threads)
        return await self._outside.find(self._host)

    @property
    def networks_ready(self) -> int:
        """How many networks are ready before a sandbox needs one."""
        return self._outside.ready

    async def reconcile(self) -> list[str]:
        """Remove what a crashed predecessor with the same state folder left."""
        removed = await self._in_thread(self._reconcile)
        return removed + await self._outside.remove_leftovers(self._examined)

    async def warm(self, kind: str) -> None:
        """Start what sandboxes of *kind* are cloned from, before the first is asked for."""
        try:
            await self._zygote_for(self._interpreter(kind))
        except (ZygoteFailed, OSError) as error:
            raise CannotStart from error

    async def prepare(self, image: OwnImage) -> None:
        """Raise `NoImages`: processes have none, but what stands for a kind is that kind."""
        if not self._is_native(image):
            raise NoImages(image.reference, NO_IMAGES_WHY)

    async def create(self, spec: SandboxSpec) -> ProcessSandbox:
        """Return a blank sandbox. Raises `CannotStart`."""
        if spec.image is not None:
            await self.prepare(spec.image)
        for _ in range(CUT_OFF_TRIES - 1):
            with contextlib.suppress(StartCutOff):
                return await self._made(spec)
        return await self._made(spec)

    async def cast(self, spec: SandboxSpec, payload: bytes, *, timeout_s: float) -> ProcessTemplate:
        """Return a template that has loaded what *payload* carries; see the port."""
        template.demand_possible(self._examined, spec)
        sandbox = await self._made(spec, "cast")
        try:
            return await template.hardened(sandbox, payload, timeout_s=timeout_s)
        except BaseException:
            await sandbox.destroy()
            raise

    async def _made(self, spec: SandboxSpec, do: str = "spawn") -> ProcessSandbox:
        """Make a sandbox. Raises `CannotStart`; `StartCutOff` where another try may do better."""
        try:
            kind = spec.kind if spec.image is None else interpreters.SKELETON
            interpreter = self._interpreter(kind)
            self._demand_isolation()
            zygote = await self._zygote_for(interpreter)
            lease = Lease(spec.container_id, self._slots, self._threads)
        except (ZygoteFailed, OSError) as error:
            raise CannotStart from error
        self._leases.add(lease)
        lease.when_gone(self._leases.discard)
        try:
            channel = await self._start(lease, zygote, interpreter, spec, do)
        except BaseException as error:
            was_killed = lease.clone is not None and lease.clone.was_killed
            lease.release(end_signal(self._is_isolated))
            # A second cancellation ends the wait; what was begun goes on.
            await lease.wait_gone(DESTROY_S)
            if isinstance(error, CannotStart) and (was_killed or not zygote.is_alive):
                raise StartCutOff from error.__cause__
            if isinstance(error, OSError):
                raise CannotStart from error
            raise
        return ProcessSandbox(spec.container_id, channel, lease, is_isolated=self._is_isolated)

    async def close(self) -> None:
        """Destroy every sandbox and end the zygotes. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        leases = list(self._leases)
        for lease in leases:
            lease.release(end_signal(self._is_isolated))
        await asyncio.gather(*(lease.wait_gone(CLOSE_S) for lease in leases))
        await asyncio.gather(*(zygote.stop() for zygote in self._zygotes.values()))
        await self._outside.close()
        await self._in_thread(self._remove_own)
        self._threads.shutdown(wait=False)

    # Making one sandbox.

    async def _start(
        self, lease: Lease, zygote: Zygote, interpreter: Interpreter, spec: SandboxSpec, do: str
    ) -> Channel:
        facts = self._examined
        uid = facts.uid_of(lease.slot)
        lease.way = prepared = await self._outside.before(spec.network)
        api = self._api(spec)
        with contextlib.ExitStack() as handed_over:
            cgroup_files: list[int] = []
            if facts.cgroups is not None:
                allowance = Allowance(memory_mb=spec.memory_mb, pids=self._settings.pids)
                cgroup_files = (await lease.make_group(facts.cgroups, allowance)).open()
                for fd in cgroup_files:
                    handed_over.callback(os.close, fd)
            both = handed_over.enter_context(wires.laid(uid))
            channel = await both.connect()
            request = {"do": do, **self._request(interpreter, spec, uid)}
            request["cgroup_files"] = len(cgroup_files)
            network = [prepared.descriptor] if prepared is not None else []
            clone = lease.start(zygote, request, [*both.of_sandbox, *cgroup_files, *network])
        try:
            if api is not None or request["hands_over"]:
                # While it goes on setting itself up.
                await self._connect(lease, clone, api)
            await channel.hello(START_S)
        except BaseException as error:
            channel.close()
            if isinstance(error, CannotStart):
                raise CannotStart from await clone.reason(error)
            raise
        return channel

    async def _connect(self, lease: Lease, clone: Clone, api: Target | None) -> None:
        """Serve the API to *clone*, and lead it outside, by what it hands over."""
        with contextlib.ExitStack() as handed:
            for fd in (descriptors := await clone.take_over(START_S)):
                handed.callback(os.close, fd)
            if descriptors and api is not None:
                listener = socket.socket(fileno=os.dup(descriptors.pop()))
                lease.relay = await Relay.open(listener, api)
            if descriptors:
                lease.way = await self._outside.after(descriptors)

    def _request(
        self, interpreter: Interpreter, spec: SandboxSpec, uid: int | None
    ) -> dict[str, Any]:
        facts = self._examined
        api = self._api(spec)
        reached = {} if api is None else {API_HOST: relay.ADDRESS_INSIDE}
        return {
            "uid": _OWN_USER if uid is None and self._is_isolated else uid,
            **self._outside.request(spec.network),
            "api_port": relay.PORT if api is not None else 0,
            "cgroup": facts.cgroups.version if facts.cgroups is not None else "none",
            "pids": self._settings.pids,
            "data_mb": 0 if facts.cgroups is not None else startup.data_mb(interpreter, spec),
            "tmp_mb": self._settings.tmp_mb,
            "tmp_inodes": _TMP_INODES,
            "env": startup.environment(interpreter, spec) | reached,
            "command": startup.command(interpreter, spec, self._runtimes_inside),
        }

    def _api(self, spec: SandboxSpec) -> Target | None:
        """Return where the API is that a sandbox reaches through us; None if it finds it itself."""
        url = spec.env.get(API_HOST)
        if url is None or spec.network is Network.HOST or not self._is_isolated:
            return None
        return Target.of(url)

    # Zygotes.

    async def _zygote_for(self, interpreter: Interpreter) -> Zygote:
        """Return the zygote that *interpreter* needs; a dead one is replaced."""
        flavour = interpreter.kind if interpreter.language == "python" else interpreter.language
        async with self._starting[flavour]:
            if self._is_closed:
                raise ZygoteFailed("the driver is closed")
            zygote = self._zygotes.get(flavour)
            if zygote is not None and zygote.is_alive:
                return zygote
            if zygote is not None:
                _log.warning("zygote_died", flavour=flavour, pid=zygote.pid)
                await self._bury(flavour)
            launcher = interpreter.executable if interpreter.is_forked else interpreters.OWN_PYTHON
            zygote = await Zygote.start(launcher, self._configuration(interpreter))
            if self._is_closed:  # meanwhile
                await zygote.stop()
                raise ZygoteFailed("the driver is closed")
            self._zygotes[flavour] = zygote
            records.write(self._state_dir, zygote.pid)
            return zygote

    async def _bury(self, flavour: str) -> None:
        zygote = self._zygotes.pop(flavour)
        await zygote.stop()
        records.remove(self._state_dir, zygote.pid)

    def _configuration(self, interpreter: Interpreter) -> dict[str, Any]:
        facts = self._examined
        proxy = f"{self._runtimes_inside}/{interpreter.language}/proxy.py"
        return {
            "isolated": self._is_isolated,
            "rootless": not facts.is_root,
            "filter": base64.b64encode(seccomp.of_machine(platform.machine())).decode(),
            "proxy": proxy if interpreter.is_forked else None,
            "preload": startup.preloaded(interpreter, self._settings.preload),
            "view": self._view(interpreter),
        }

    def _view(self, interpreter: Interpreter) -> dict[str, Any] | None:
        if not self._is_isolated:
            return None
        view = self._state_dir / "view"
        view.mkdir(parents=True, exist_ok=True)
        prefixes = {interpreter.prefix}
        if not interpreter.is_forked:
            nodes = (each for each in self._interpreters.values() if not each.is_forked)
            prefixes = {os.path.realpath(sys.base_prefix), *(each.prefix for each in nodes)}
        resolver = self._outside.resolver
        return hostview.plan(view, prefixes, _RUNTIMES, resolver, own_proc=self._examined.is_root)

    # Facts.

    @property
    def _examined(self) -> host.Host:
        if self._host is None:
            raise RuntimeError("probe has to come first")
        return self._host

    @property
    def _is_isolated(self) -> bool:
        return not self._examined.no_namespaces

    @property
    def _digest(self) -> str:
        """What tells this installation from others: another state folder is another platform."""
        return hashlib.sha256(str(self._state_dir.resolve()).encode()).hexdigest()

    @property
    def _group_name(self) -> str:
        return f"brisk-{self._digest[:12]}"

    @property
    def _tag(self) -> str:
        return self._digest[:8]

    @property
    def _runtimes_inside(self) -> str:
        return hostview.RUNTIMES if self._is_isolated else str(_RUNTIMES)

    def _interpreter(self, kind: str) -> Interpreter:
        try:
            return self._interpreters[kind]
        except KeyError:
            raise ZygoteFailed(f"no interpreter for {kind} was found on this host") from None

    def _is_native(self, image: OwnImage) -> bool:
        is_known = startup.repository(image.reference) in self._natives
        return is_known and interpreters.SKELETON in self._interpreters

    def _demand_isolation(self) -> None:
        if not self._is_isolated and not self._settings.allow_unisolated:
            raise ZygoteFailed(
                f"{self._examined.no_namespaces}; {report.ALLOW_NAMESPACES}; "
                f"or, for code that you trust, set {report.ALLOW_UNISOLATED}"
            )

    # In a thread.

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _reconcile(self) -> list[str]:
        ended = records.end_all(self._state_dir)
        cgroups = self._examined.cgroups
        return ended + (cgroups.reconcile() if cgroups is not None else [])

    def _remove_own(self) -> None:
        for zygote in self._zygotes.values():
            records.remove(self._state_dir, zygote.pid)
        if self._host is not None and self._host.cgroups is not None:
            with contextlib.suppress(OSError):  # what a sandbox could not give back stays
                self._host.cgroups.remove()


class StartCutOff(CannotStart):
    """A sandbox, or its zygote, was killed while it was being made; nothing of a caller's ran."""
