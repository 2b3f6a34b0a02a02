"""What is rare of a container engine: is it there, which images of kinds has it, clean up.

Through the engine's own library, which knows where credentials of registries are kept. It blocks,
so it has threads of its own; only this module imports it, and its errors are translated here.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import docker
import docker.auth
import docker.errors
import requests

from invoker.driver.docker import flags
from invoker.driver.docker.engine import EngineFailed, EngineUnreachable, NoSuchImage
from invoker.driver.docker.flags import Image
from invoker.driver.docker.references import Reference

_T = TypeVar("_T")

ASK_S: Final = 10.0
_THREADS: Final = 4
_VERSION: Final = "1.40"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the engine says of itself and of its images."""

    version: str
    has_swap_limit: bool
    has_pids_limit: bool
    has_seccomp: bool
    images: Mapping[str, Image]
    """By kind: ours, which carry its name in a label."""


class Library:
    """The engine's library on its own threads; owned by the driver until `close`."""

    def __init__(self, path: Path, *, config: Path | None) -> None:
        self._socket = path
        self._config = config
        self._threads = ThreadPoolExecutor(_THREADS, "brisk-docker")
        self._clients = threading.local()
        self._opened: list[docker.DockerClient] = []

    async def examine(self, prefix: str) -> Facts:
        """Return what is there; images only below *prefix*. Raises `EngineFailed`.

        A label alone proves nothing: the image of an action may carry the same.
        """
        return await self._run(lambda client: _examined(client, f"{prefix}/"))

    async def find(self, reference: str) -> Image:
        """Return the image *reference*. Raises `NoSuchImage`, `EngineFailed`."""
        return await self._run(lambda client: _known(client.images.get(reference), reference))

    async def credentials(self, reference: Reference) -> str:
        """Return what the operator's `config.json` has for the registry of *reference*.

        In the form that the engine takes; empty for nothing. Raises `EngineFailed`.
        """
        return await self._run(lambda client: _shown(client, reference))

    async def remove_containers(self, owner: str, keep: Collection[str]) -> list[str]:
        """Remove every container labelled with *owner* but those to *keep*; return their names."""
        return await self._run(lambda client: _remove_all(client, owner, keep))

    def close(self) -> None:
        """Let go of the threads. Idempotent."""
        self._threads.shutdown(wait=False)
        for client in self._opened:
            client.close()
        self._opened.clear()

    async def _run(self, work: Callable[[docker.DockerClient], _T]) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._with_client, work)

    def _with_client(self, work: Callable[[docker.DockerClient], _T]) -> _T:
        with _translated():
            client = getattr(self._clients, "client", None)
            if client is None:
                _knock(self._socket)
                client = docker.DockerClient(
                    base_url=f"unix://{self._socket}", version=_VERSION, timeout=ASK_S
                )
                if self._config is not None:
                    client.api.reload_config(str(self._config))
                self._clients.client = client
                self._opened.append(client)
            return work(client)


def _examined(client: docker.DockerClient, prefix: str) -> Facts:
    told = client.info()
    found = client.images.list(filters={"label": flags.KIND_LABEL})
    return Facts(
        version=str(told.get("ServerVersion")),
        has_swap_limit=bool(told.get("SwapLimit")),
        has_pids_limit=bool(told.get("PidsLimit", True)),
        has_seccomp=any("seccomp" in each for each in told.get("SecurityOptions") or ()),
        images={
            image.labels[flags.KIND_LABEL]: _known(image, tag)
            for image in found
            for tag in image.tags
            if tag.startswith(prefix)
        },
    )


def _knock(path: Path) -> None:
    """Raise `OSError` when nobody listens at *path*; the library would lose a socket over it."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ASK_S)
        probe.connect(str(path))


def _known(image: Any, reference: str) -> Image:
    faces = str(image.labels.get(flags.FACES_LABEL, "")).split()
    command = tuple(image.attrs["Config"].get("Cmd") or ())
    return Image(reference=reference, command=command, speaks_frames=flags.FRAMES in faces)


def _shown(client: docker.DockerClient, reference: Reference) -> str:
    registry, _ = docker.auth.resolve_repository_name(reference.repository)
    header = docker.auth.get_config_header(client.api, registry)
    return "" if header is None else header.decode()


def _remove_all(client: docker.DockerClient, owner: str, keep: Collection[str]) -> list[str]:
    label = f"{flags.OWNER_LABEL}={owner}"
    removed = []
    for container in client.containers.list(
        all=True, ignore_removed=True, filters={"label": label}
    ):
        if container.name in keep:
            continue
        with contextlib.suppress(docker.errors.NotFound):  # gone meanwhile
            container.remove(force=True, v=True)
            removed.append(str(container.name))
    return sorted(removed)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (docker.errors.ImageNotFound, docker.errors.NotFound) as error:
        raise NoSuchImage(error.explanation) from error
    except docker.errors.APIError as error:
        raise EngineFailed(f"the engine refused: {error.explanation}") from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise EngineUnreachable(f"the engine can't be reached: {error}") from error
