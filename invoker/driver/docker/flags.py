"""What container is asked for: a specification in, the body of the engine's `create` out. Pure.

Every container is without capabilities, without new privileges, without swap, bounded in memory,
processors and processes, and has a first process that reaps what others leave. Our own images also
have a root that can't be written to and a user who is not root. Images of strangers keep their user
and their root, because OpenWhisk's contract lets a runtime unpack code where it likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.codec import encode
from invoker.driver.docker import syscall_profile
from invoker.driver.port import Network, SandboxSpec

OWNER_LABEL: Final = "brisk.owner"
CONTAINER_LABEL: Final = "brisk.container"
KIND_LABEL: Final = "brisk.kind"
FACES_LABEL: Final = "brisk.faces"
FRAMES: Final = "frames"

LANDING: Final = "/run/brisk"
"""Where a container of ours finds its channel and its two streams."""
USER: Final = 65532
"""The user of our images; no user of this host, by convention."""
HTTP_PORT: Final = 8080

_OPEN_FILES: Final = 1024
_TMP_INODES: Final = 16_384
_CPU_NANO: Final = 1_000_000_000  # one core
_SHELL: Final = f'exec "$@" >{LANDING}/stdout 2>{LANDING}/stderr'
# V8 sizes its heap by the host's memory; it has to collect before the limit is reached.
_HEAP: Final = "--max-old-space-size={}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What is known of an image before a container is made of it."""

    reference: str
    command: tuple[str, ...] = ()
    speaks_frames: bool = False
    """Whether it is ours and can be told to connect to a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What holds for every container of one platform."""

    owner: str
    network: str
    pids: int
    tmp_mb: int
    machine: str
    """As `uname -m` says; decides which profile of system calls there is."""


def name_of(owner: str, container_id: str) -> str:
    """Return the container's name for people and for the engine."""
    plain = "".join(each if each.isascii() and each.isalnum() else "-" for each in container_id)
    return f"brisk-{owner}-{plain}"


def create_body(
    spec: SandboxSpec,
    image: Image,
    house: House,
    landing: str | None,
    nameservers: Sequence[str] = (),
) -> bytes:
    """Return what the engine is asked to create.

    landing: the folder of this host that holds the ends of a container of ours.
    nameservers: whom it asks for names, where it is led outside.
    """
    body: dict[str, Any] = {
        "Image": image.reference,
        "Hostname": "action",
        "Env": [f"{key}={value}" for key, value in _environment(spec, image).items()],
        "Labels": {OWNER_LABEL: house.owner, CONTAINER_LABEL: spec.container_id},
        "HostConfig": _limits(spec, image, house),
    }
    if spec.network is Network.EGRESS and nameservers:
        body["HostConfig"]["Dns"] = list(nameservers)
    if image.speaks_frames:
        body["User"] = f"{USER}:{USER}"
        body["Entrypoint"] = ["/bin/sh", "-c", _SHELL, "sh"]
        body["Cmd"] = [*image.command, "--connect", f"{LANDING}/channel"]
        body["HostConfig"]["Mounts"] = [
            {"Type": "bind", "Source": landing, "Target": LANDING, "ReadOnly": True}
        ]
    return encode(body)


def _environment(spec: SandboxSpec, image: Image) -> dict[str, str]:
    if image.speaks_frames and spec.kind.startswith("nodejs:"):
        return {"NODE_OPTIONS": _HEAP.format(spec.memory_mb * 3 // 4), **spec.env}
    return dict(spec.env)


def _limits(spec: SandboxSpec, image: Image, house: House) -> dict[str, Any]:
    memory_bytes = spec.memory_mb << 20
    return {
        "NetworkMode": _network(spec, image, house),
        "Memory": memory_bytes,
        "MemorySwap": memory_bytes,  # memory and swap together: the same leaves no swap
        "NanoCpus": _CPU_NANO,
        "PidsLimit": house.pids + 1,  # the first process is ours
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true", *_seccomp(house.machine)],
        # An image of a stranger brings its own first process, and is told when there is none.
        "Init": image.speaks_frames,
        "IpcMode": "private",
        "ReadonlyRootfs": image.speaks_frames,
        "Tmpfs": {
            "/tmp": f"rw,nosuid,nodev,mode=1777,size={house.tmp_mb}m,nr_inodes={_TMP_INODES}"
        },
        "ShmSize": house.tmp_mb << 20,
        "Ulimits": [
            {"Name": "nofile", "Soft": _OPEN_FILES, "Hard": _OPEN_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        # What is printed comes through pipes or an attached stream, and never touches a disk.
        "LogConfig": {"Type": "none"},
    }


def _network(spec: SandboxSpec, image: Image, house: House) -> str:
    match spec.network:
        case Network.NONE | Network.EGRESS:  # what leads outside is plugged in by the platform
            return "none"
        case Network.HOST if image.speaks_frames:
            return "host"
        case _:  # a server of its own needs an address of its own
            return house.network


def _seccomp(machine: str) -> list[str]:
    found = syscall_profile.of_machine(machine)
    return [] if found is None else ["seccomp=" + encode(found).decode()]
