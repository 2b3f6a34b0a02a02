"""What the pool expects of a driver, and what a driver promises of its sandboxes.

A sandbox is one isolated place that runs the code of one action of one namespace. It begins blank
(a stem cell: the runtime is up, no code is loaded), is initialised once, and then runs activations
one at a time, or several where its code can. A driver *declares* what it can do on this host and
reports every degradation with its remedy; nobody ever asks which driver it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple, Protocol, TypeAlias

from common.errors import BriskError
from common.ids import ContainerId, Namespace

Operation: TypeAlias = Literal["init", "run"]


class Level(IntEnum):
    """How strongly a sandbox is isolated; a higher level includes the lower ones."""

    NONE = 0
    """Another process of the same user: for code that the operator trusts."""
    PROCESS = 1
    """Resource limits, no new privileges, seccomp; the host's files and processes can be seen."""
    NAMESPACES = 2
    """Its own users, processes, files, network, and dropped capabilities."""
    CONTAINER = 3


class Network(StrEnum):
    """What a sandbox may reach."""

    NONE = "none"
    """The platform's API."""
    EGRESS = "egress"
    """The internet and names as well; nothing of this host, of other sandboxes, or private."""
    HOST = "host"


class Ability(StrEnum):
    """What a driver may or may not be able to do on this host."""

    MEMORY = "memory"
    """The limit is enforced on all processes of a sandbox together."""
    CPU = "cpu"
    PIDS = "pids"
    FREEZE = "freeze"
    """`pause` stops every process of the sandbox."""
    OOM_REPORT = "oom_report"
    """A death by lack of memory is told apart from others."""
    EXACT_LOGS = "exact_logs"
    NETWORK_NONE = "network_none"
    EGRESS = "egress"
    IMAGES = "images"
    """Actions may bring a container image of their own."""
    TEMPLATES = "templates"
    """A blank sandbox can become a copy of one that has loaded its code already."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """Something this host does not allow: for the operator, said once at start."""

    what: str
    """What is missing, in one clause."""
    why: str
    remedy: str
    """What to do about it: a command or a setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverReport:
    """What a driver found on this host."""

    driver: str
    level: Level
    abilities: frozenset[Ability]
    kinds: Mapping[str, str]
    """Kinds of the manifest that run here, each with what runs them: a path, an image."""
    degradations: tuple[Degradation, ...] = ()


class OwnImage(NamedTuple):
    """A container image that an action brings."""

    reference: str
    """As the action names it; without a tag it is `latest`."""
    namespace: Namespace
    """Whose action it is, and so whose right to use the image counts."""


class Login(Protocol):
    """Who pulls."""

    @property
    def username(self) -> str:
        """As the registry knows them."""
        ...

    @property
    def password(self) -> str:
        """Never logged."""
        ...


class Logins(Protocol):
    """What namespaces show registries of images."""

    async def login(self, namespace: Namespace, host: str) -> Login | None:
        """Return what *namespace* shows *host*; None if it has nothing. Raises `BriskError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What sandbox to make."""

    container_id: ContainerId
    kind: str
    memory_mb: int
    image: OwnImage | None = None
    """Of an action that brings one; None is what the driver has for the kind."""
    network: Network = Network.NONE
    env: Mapping[str, str] = field(default_factory=dict)
    """Of the container, before any code is loaded: `__OW_API_HOST` and the like."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The runtime answered.

    status: as in HTTP; 200 is success.
    body: at most the limit that was asked for; *size* is what it would have been, in bytes.
    memory_exhausted: the runtime says that the code ran out of memory.
    shares: the runtime says, of an init that allowed it, that calls may come beside others.
    extra_ns: how long the log was waited for after the answer had come; nobody pays for that.
    """

    status: int
    body: bytes
    size: int
    memory_exhausted: bool = False
    shares: bool = False
    extra_ns: int = field(default=0, compare=False)

    @property
    def is_truncated(self) -> bool:
        """Whether *body* is only the head of the answer."""
        return len(self.body) < self.size


@dataclass(frozen=True, slots=True)
class Expired:
    """No answer came in time. The sandbox may still be busy: it is only good for `destroy`."""


@dataclass(frozen=True, slots=True)
class Died:
    """The sandbox ended, or broke the protocol, before it answered.

    how: for the operator's log: `exit 1`, `signal 9`, `broken frame`.
    lost_with: what held the sandbox and went away under it, in words for the caller; None where it
        ended by itself. Of what is lost neither its code nor its caller is to blame.
    extra_ns: how long it took to find that out; nobody pays for that.
    """

    how: str
    memory_exhausted: bool = False
    lost_with: str | None = None
    extra_ns: int = field(default=0, compare=False)

    @property
    def is_lost(self) -> bool:
        """Whether it went with what held it."""
        return self.lost_with is not None


Reply: TypeAlias = Answer | Expired | Died


class Stream(IntEnum):
    """Where a line was written to; the numbers are the descriptors."""

    STDOUT = 1
    STDERR = 2


class LogSink(Protocol):
    """Takes what a sandbox prints during one call."""

    def write(self, stream: Stream, time_ns: int, text: bytes) -> None:
        """Take one piece of output, as it was written; *time_ns* is Unix time."""
        ...


class CannotStart(BriskError):
    """Failed to provision resources to run the action."""


class ImageUnusable(CannotStart):
    """The image of the action can't be used.

    The developer's own image is at fault: the text is for the caller, with the status of a
    developer error.
    """

    def __init__(self, image: str, why: str = "") -> None:
        """Say so of *image*. *why*: more for its developer, beside OpenWhisk's words."""
        super().__init__(self.words(image=image))
        self.why = why


class ImageNotPulled(ImageUnusable):
    """Failed to pull container image '{image}'."""


class ImageNotExecutable(ImageUnusable):
    """executable file not found in image {image}"""  # noqa: D415  OpenWhisk's words


class ImageNotRun(ImageUnusable):
    """Failed to run container with image '{image}'."""


class NoImages(ImageUnusable):
    """This platform runs no container images, so '{image}' can't be run."""


class Sandbox(Protocol):
    """One sandbox. `destroy` is allowed at any moment.

    `call` is never entered twice at a time, unless the answer to `init` said that it `shares`.
    """

    @property
    def container_id(self) -> ContainerId:
        """The id that was asked for in the specification."""
        ...

    async def call(
        self,
        operation: Operation,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Send the body of `/init` or `/run` and return what came of it; never raises for it.

        When it returns, everything the activation and its children had written before the answer
        has reached *logs*. After `Expired` or `Died` only `destroy` may follow. When cancelled,
        likewise.
        """
        ...

    async def wait_death(self) -> Died:
        """Return when the sandbox has ended by itself; for a sandbox that is idle."""
        ...

    async def pause(self) -> None:
        """Stop all its processes. A no-op where the driver cannot `Ability.FREEZE`."""
        ...

    async def resume(self) -> None:
        """Let them go on."""
        ...

    async def destroy(self) -> None:
        """End all its processes and remove what it left; within 5 s. Idempotent, never raises."""
        ...


class CannotCast(BriskError):
    """No template can be made; the text says why: it is for the operator, and for the developer."""


class NotCopied(BriskError):
    """A sandbox did not become a copy of a template; only `destroy` may follow."""


class Template(Protocol):
    """A sandbox that has loaded the code of an action, and is copied instead of called."""

    @property
    def container_id(self) -> ContainerId:
        """The id that was asked for in the specification."""
        ...

    async def copy_into(
        self,
        sandbox: Sandbox,
        payload: bytes,
        *,
        timeout_s: float,
        answer_limit_bytes: int,
        logs: LogSink,
    ) -> Reply:
        """Have *sandbox* take over what was loaded, in place of an `init`; reply as that would.

        sandbox: a blank one of the same driver, made to the same specification.
        payload: the body of `/init` without the code. Raises `NotCopied`.
        """
        ...

    async def wait_death(self) -> Died:
        """Return when it has ended by itself."""
        ...

    async def destroy(self) -> None:
        """End it; its copies live on. Idempotent, never raises."""
        ...


class SandboxDriver(Protocol):
    """Makes sandboxes. `probe` comes first, once; after `close` nothing of it is left."""

    async def probe(self) -> DriverReport:
        """Find out what this host allows; start nothing that stays."""
        ...

    async def reconcile(self) -> list[str]:
        """Remove what a crashed predecessor with the same state folder left; return its names."""
        ...

    async def prepare(self, image: OwnImage) -> None:
        """Have *image* at hand for `create`, as of now. It may take long, and starts nothing.

        Raises `ImageUnusable`, and `CannotStart` when the platform is at fault.
        """
        ...

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Return a blank sandbox whose runtime is up and whose limits are in force.

        Raises `CannotStart` with the reason as its cause, `ImageUnusable` among them. When
        cancelled, leaves nothing behind.
        """
        ...

    async def cast(self, spec: SandboxSpec, payload: bytes, *, timeout_s: float) -> Template:
        """Return a template to that specification, which has loaded what *payload* carries.

        payload: the body of `/init`. timeout_s: how long the code may take to be loaded.
        Raises `CannotStart`, and `CannotCast` where this code, or this driver, has none. When
        cancelled, leaves nothing behind.
        """
        ...

    async def close(self) -> None:
        """Destroy every sandbox. Idempotent."""
        ...
