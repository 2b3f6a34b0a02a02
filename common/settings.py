"""The settings of Brisk: one frozen tree, and the only reader of the environment.

`BRISK_POOL__MEMORY_MB=4096` sets `pool.memory_mb`, and so does `memory_mb = 4096` below `[pool]` in
the file that `BRISK_SETTINGS` names. A flag of a command beats the environment, the environment
beats the file, the file beats the default. The sentence under each field is what
`docs/reference/settings.md` says of it.
"""

import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from common.errors import BriskError
from common.settings_services import CouchdbSettings as CouchdbSettings
from common.settings_services import EventsSettings as EventsSettings
from common.settings_services import GatewaySettings as GatewaySettings
from common.settings_services import Group
from common.settings_services import KafkaSettings as KafkaSettings
from common.settings_services import PriceSettings as PriceSettings
from common.settings_services import RetentionSettings as RetentionSettings
from common.settings_services import StoreSettings as StoreSettings
from common.settings_telemetry import MetricSettings as MetricSettings
from common.settings_telemetry import StreamSettings as StreamSettings
from common.settings_telemetry import TracingSettings as TracingSettings
from common.settings_telemetry import UserEventSettings as UserEventSettings

_PREFIX: Final = "BRISK_"
_DELIMITER: Final = "__"
_OF_THE_MANIFEST: Final = "manifest"
_STEM_SHAPE: Final = re.compile(r"(?P<kind>[^@=]+)@(?P<mb>[0-9]{1,6})=(?P<number>[0-9]{1,4})")


class UnusableSettings(BriskError):
    """A variable of the environment, or a key of the file of settings, is not what it should be."""


class HttpSettings(Group):
    """Where the API is served."""

    host: str = "127.0.0.1"
    """The address to listen on. `0.0.0.0` is every network of this machine."""
    port: int = Field(default=3233, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    drain_s: float = Field(default=10.0, ge=0)
    """How long a stopping platform waits for requests and activations that are under way."""


class LimitSettings(Group):
    """Bounds of what an action may ask for. Source: OpenWhisk `reference.conf`."""

    min_timeout_ms: int = Field(default=100, ge=1)
    """The shortest time limit of an action."""
    max_timeout_ms: int = Field(default=300_000, ge=1)
    """The longest time limit of an action."""
    min_memory_mb: int = Field(default=128, ge=1)
    """The smallest memory limit of an action."""
    max_memory_mb: int = Field(default=512, ge=1, le=2048)
    """The largest memory limit of an action."""
    min_logs_mb: int = Field(default=0, ge=0)
    """The smallest log limit of an action."""
    max_logs_mb: int = Field(default=10, ge=0)
    """The largest log limit of an action."""
    min_concurrency: int = Field(default=1, ge=1)
    """The smallest number of activations that share a sandbox."""
    max_concurrency: int = Field(default=1, ge=1, le=500)
    """The largest number of activations that share a sandbox."""
    allowed_kinds: str = ""
    """Kinds that actions may be of, with commas between; `blackbox` and `sequence` are such, too.
    Empty is all. A namespace may be allowed more: `brisk admin limits set`."""
    max_code_bytes: int = Field(default=48 << 20, ge=1)
    """The largest code of an action, as it is sent (an archive counts in base64)."""
    max_parameters_bytes: int = Field(default=1 << 20, ge=1)
    """The largest sum of an action's parameters, and of its annotations."""
    max_payload_bytes: int = Field(default=1 << 20, ge=1)
    """The largest body of an invocation, and the largest result."""
    max_request_bytes: int = Field(default=50 << 20, ge=1)
    """The largest body of any request."""
    sequence_length: int = Field(default=50, ge=1)
    """How many actions a sequence may have."""
    blocking_wait_ms: int = Field(default=60_000, ge=1)
    """How long a blocking invocation waits before it is answered with 202."""


class ThrottleSettings(Group):
    """How much one namespace may ask for, unless its own limits say otherwise."""

    invocations_per_minute: int = Field(default=10_000, ge=0)
    """Invocations in any 60 seconds."""
    firings_per_minute: int = Field(default=10_000, ge=0)
    """Trigger firings in any 60 seconds."""
    concurrent_invocations: int = Field(default=1_000, ge=0)
    """Invocations under way at the same time."""


class PoolSettings(Group):
    """How much of this host the sandboxes may use, and how long they stay."""

    memory_mb: int = Field(default=2048, ge=128)
    """Sum of the memory limits of all sandboxes, busy and idle."""
    max_waiting: int = Field(default=2_000, ge=1)
    """Activations that may wait for a sandbox; beyond that nothing is taken from the bus."""
    idle_timeout_s: float = Field(default=600.0, gt=0)
    """An idle sandbox older than this is removed. Raise it to trade memory for cold starts."""
    pause_grace_s: float = Field(default=10.0, gt=0)
    """A sandbox that has been idle for this long is paused until it is needed."""
    stem_cells: int = Field(default=2, ge=0)
    """Blank sandboxes kept ready for the default kind of this host, with the default memory."""
    stem_shapes: str = ""
    """More of them, such as `nodejs:20@256=1,python:default@512=2`: kind, memory in MB, number. Or
    `manifest`: as the runtimes manifest says. They are made while nothing else needs room."""
    max_starts: int = Field(default=4, ge=1)
    """Sandboxes that are being made at the same time."""
    max_prewarmed: int = Field(default=4, ge=0)
    """Sandboxes made for the next step of a sequence while the one before it runs, that nobody has
    taken yet. They are made of free memory only, and never by the last start that is free."""
    max_templates: int = Field(default=8, ge=0)
    """Actions whose loaded code is kept, where sandboxes can be copied, so that their next cold
    starts begin with it. Each takes the memory of a sandbox; 0 keeps none."""
    template_memory_mb: int = Field(default=1024, ge=0)
    """Memory that they may hold together, of `memory_mb`. Whoever needs it gets it first."""
    template_init_ms: int = Field(default=100, ge=1)
    """How long code has to take to be loaded, so that it is kept."""
    template_idle_timeout_s: float = Field(default=3600.0, gt=0)
    """What was kept so, and made use of by nobody for this long, is removed."""

    @field_validator("stem_shapes")
    @classmethod
    def _names_shapes(cls, text: str) -> str:
        for each in filter(None, map(str.strip, text.split(","))):
            if text.strip() != _OF_THE_MANIFEST and _STEM_SHAPE.fullmatch(each) is None:
                raise ValueError(f"'{each}' is not of the form KIND@MB=NUMBER")
        return text

    @property
    def listed_shapes(self) -> tuple[tuple[str, int, int], ...] | Literal["manifest"]:
        """Kind, memory in MB and number of each entry of `stem_shapes`; or whose they are."""
        if self.stem_shapes.strip() == _OF_THE_MANIFEST:
            return "manifest"
        found = map(_STEM_SHAPE.fullmatch, map(str.strip, self.stem_shapes.split(",")))
        return tuple((each["kind"], int(each["mb"]), int(each["number"])) for each in found if each)


class SandboxSettings(Group):
    """How code is kept apart from this host and from others."""

    network: Literal["egress", "none", "host"] = "egress"
    """What functions may reach, beside the platform's API. `egress`: the internet, and names, but
    nothing of this host, of other sandboxes, or of private networks."""
    allowed_ranges: str = ""
    """Private ranges that `egress` leads to as well, with commas between: `10.1.0.0/16`."""
    nameservers: str = ""
    """Whom sandboxes ask for names, with commas between. Empty is whom this host asks."""
    subnets: str = "10.192.0.0/10"
    """Where networks of sandboxes take their addresses from: a /22 that this host does not use."""
    networks_ready: int = Field(default=4, ge=0, le=500)
    """Networks for sandboxes that are made before they are needed."""
    allow_unisolated: bool = False
    """Run code although this host allows no namespaces. Only for code that you trust."""
    pids: int = Field(default=128, ge=8)
    """Processes and threads of one sandbox."""
    tmp_mb: int = Field(default=64, ge=1)
    """Size of a sandbox's `/tmp`; it counts against the memory of the sandbox."""
    preload: str = ""
    """Modules of Python's library that are imported before there is a sandbox, with commas between:
    `sqlite3,multiprocessing`. A function's import of them is then a look-up."""

    @field_validator("allowed_ranges", "nameservers", "subnets")
    @classmethod
    def _holds_addresses(cls, listed: str, field: ValidationInfo) -> str:
        parse = ip_address if field.field_name == "nameservers" else ip_network
        for each in filter(None, map(str.strip, listed.split(","))):
            parse(each)
        return listed


class DockerSettings(Group):
    """The container engine, where sandboxes are containers."""

    socket: Path = Path("/var/run/docker.sock")
    """Where the engine listens. It has to run on this host."""
    images: str = "brisk"
    """Where images of kinds are looked for, by their label; none below it is ever pulled."""
    network: str = "bridge"
    """The engine's network that containers join where functions may reach all that this host does
    (`BRISK_SANDBOX__NETWORK=host`)."""
    pull: Literal["auto", "missing", "never"] = "auto"
    """When the image of an action is pulled. `auto`: `latest` each time, others where missing."""
    registries: str = ""
    """Where images of actions may be pulled from: hosts with commas between, `default` for names
    without one. Empty is everywhere."""
    config: Path | None = None
    """The `config.json` with the credentials of registries; None is that of the user."""
    pull_s: float = Field(default=600.0, gt=0)
    """How long a pull may take."""
    pull_wait_s: float = Field(default=45.0, gt=0)
    """How long an activation waits for the image of its action. The pull goes on, for the next."""
    answer_s: float = Field(default=60.0, gt=0)
    """How long the engine may take to make, start or remove a container."""
    away_s: float = Field(default=30.0, ge=0)
    """How long an activation without a sandbox waits for an engine that is away."""


class ControllerSettings(Group):
    """Which controller of a cluster this process is."""

    id: int = Field(default=0, ge=0)
    """Its number; no two controllers may have the same."""
    count: int = Field(default=1, ge=1)
    """How many controllers there are: each uses its share of an invoker's memory, and hands out its
    share of what a namespace may do in a minute, and at the same time."""
    max_compositions: int = Field(default=1_000, ge=1)
    """How many sequences and compositions it carries out at a time. Beyond that, one that somebody
    waits for is refused, and one that nobody waits for waits."""
    guest_auth: SecretStr | None = None
    """The key, `uuid:key`, of a namespace `guest` that is made if it isn't there. For trials."""


class InvokerSettings(Group):
    """Which invoker of a cluster this process is."""

    id: int = Field(default=0, ge=0)
    """Its number; no two invokers may have the same."""
    driver: Literal["process", "docker"] = "process"
    """What its sandboxes are made of."""
    api_host: str = "http://127.0.0.1:3233"
    """Where functions reach the API: their `__OW_API_HOST`."""
    fetch_wait_s: float = Field(default=30.0, ge=0)
    """How long an accepted activation waits for a store that is away, to read its action."""


class SettingsPlace(BaseSettings):
    """Where more settings are."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    settings: Path | None = None
    """A file in TOML with settings: `memory_mb = 4096` below `[pool]` is what
    `BRISK_POOL__MEMORY_MB=4096` is. The environment beats it."""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_DELIMITER,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    data: Path | None = None
    """The folder that holds all state of a process. None is `~/.local/share/brisk` for `brisk
    serve`; a controller or an invoker of a cluster has to be given one."""
    secret_file: Path | None = None
    """The file with the installation's secret, 64 hexadecimal digits, where all controllers are
    given one. None is `secret` in the folder, which is made if need be."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is written to the log, and everything graver."""
    check_invariants: bool = False
    """Verify the pool's sums after every step. Costs time that grows with the pool."""
    http: HttpSettings = HttpSettings()
    limits: LimitSettings = LimitSettings()
    throttle: ThrottleSettings = ThrottleSettings()
    pool: PoolSettings = PoolSettings()
    sandbox: SandboxSettings = SandboxSettings()
    docker: DockerSettings = DockerSettings()
    gateway: GatewaySettings = GatewaySettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()
    price: PriceSettings = PriceSettings()
    stream: StreamSettings = StreamSettings()
    metrics: MetricSettings = MetricSettings()
    tracing: TracingSettings = TracingSettings()
    user_events: UserEventSettings = UserEventSettings()
    kafka: KafkaSettings = KafkaSettings()
    couchdb: CouchdbSettings = CouchdbSettings()
    controller: ControllerSettings = ControllerSettings()
    invoker: InvokerSettings = InvokerSettings()
    events: EventsSettings = EventsSettings()

    @classmethod
    def of_environment(cls) -> "Settings":
        """Read the environment, and the file that `BRISK_SETTINGS` names.

        Raises `UnusableSettings`, which names each variable or key that is wrong, and why.
        """
        try:
            place = SettingsPlace().settings
            in_file = {} if place is None else _read(place)
            in_environment = EnvSettingsSource(cls)()
            return cls(**_merged(in_file, in_environment))
        except ValidationError as error:
            wrong = [
                _complaint(dict(each), None if _holds(in_environment, each["loc"]) else place)
                for each in error.errors(include_url=False)
            ]
            raise UnusableSettings("\n".join(wrong)) from error
        except SettingsError as error:
            raise UnusableSettings(f"{error}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableSettings(
            f"{path}, which BRISK_SETTINGS names, cannot be read: {error.strerror}."
        ) from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise UnusableSettings(f"{path} is not TOML: {error}.") from error


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        there = both.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            both[key] = _merged(there, value)
        else:
            both[key] = value
    return both


def _holds(values: Any, place: tuple[str | int, ...]) -> bool:
    for key in place:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _complaint(error: dict[str, Any], file: Path | None) -> str:
    """Return in words what is wrong with one variable; of *file*, with one key."""
    if file is None:
        name, sign = _PREFIX + _DELIMITER.join(map(str, error["loc"])).upper(), "="
    else:
        name, sign = f"{file}: {'.'.join(map(str, error['loc']))}", " = "
    if error["type"] == "extra_forbidden":
        return f"{name} is set, but there is no such setting."
    shown = "" if _is_secret(error["loc"]) else f"{sign}{error['input']}"
    # pydantic's words begin with "Input should", which says nothing about where it came from.
    return f"{name}{shown} cannot be: {error['msg'].replace('Input', 'it', 1)}."


def _is_secret(place: tuple[str | int, ...]) -> bool:
    model: Any = Settings
    for key in place:
        field = getattr(model, "model_fields", {}).get(key)
        if field is None:
            return False
        model = field.annotation
    return SecretStr in (model, *get_args(model))
