"""Container images for tests, made on the engine that is there; no registry takes part."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import docker

from tests.contract import engine

STRANGER: Final = "brisk/python:3.11"
"""An image like any other: spoken to by HTTP because an action names it."""
HANGS: Final = ["python3", "-c", "import time; time.sleep(600)"]
"""A program that runs and serves nothing."""


@contextmanager
def client() -> Iterator[Any]:
    """Yield the engine's own library."""
    library = docker.DockerClient(base_url=f"unix://{engine.socket()}", timeout=30)
    try:
        yield library
    finally:
        library.close()


class Workshop:
    """Makes images that differ from `STRANGER` in what they start; removes them at the end."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._container = library.containers.create(STRANGER)
        self._made: list[str] = []

    def image(
        self,
        command: Sequence[str] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        name: str | None = None,
        **config: Any,
    ) -> str:
        """Return the reference of an image that starts *command*; None starts the runtime."""
        reference = name or f"somebody/test-{os.getpid()}:{len(self._made)}"
        wanted = {"Labels": dict(labels or {}), **config}
        if command is not None:
            wanted["Cmd"] = list(command)
        repository, _, tag = reference.rpartition(":")
        self._container.commit(repository, tag, conf=wanted)
        self._made.append(reference)
        return reference

    def exported(self, reference: str) -> bytes:
        """Return the image as `docker save` writes it, and take it out of the engine."""
        saved = b"".join(self._library.images.get(reference).save(named=True))
        self._library.images.remove(reference, force=True)
        self._made.remove(reference)
        return saved

    def close(self) -> None:
        """Remove everything."""
        self._container.remove(force=True)
        for reference in self._made:
            self._library.images.remove(reference, force=True)


@contextmanager
def workshop() -> Iterator[Workshop]:
    """Yield a place to make images in."""
    with client() as library:
        made = Workshop(library)
        try:
            yield made
        finally:
            made.close()


def containers(owner: str) -> list[str]:
    """Return the names of the containers that carry *owner*, also of those that ended."""
    with client() as library:
        found = library.containers.list(
            all=True, ignore_removed=True, filters={"label": f"brisk.owner={owner}"}
        )
        return [str(each.name) for each in found]


def pulled(library: Any, host: str) -> list[Any]:
    """Return the images that the engine has from the registry at *host*."""
    return [
        each
        for each in library.images.list()
        if any(name.startswith(f"{host}/") for name in each.attrs["RepoDigests"] or ())
    ]


def forget(host: str) -> None:
    """Remove what was pulled from the registry at *host*; nothing may run of it any more."""
    with client() as library:
        for each in pulled(library, host):
            library.images.remove(each.id, force=True)
