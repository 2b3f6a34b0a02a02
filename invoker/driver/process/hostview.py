"""What a sandbox sees of this host's files: a plan, carried out by `inside.rootview`.

The choice: bind what the host has already, read-only, instead of unpacking an image. It costs
nothing to install, starts in two milliseconds, and certificates, zones and libraries stay those
that the host's owner keeps up to date. The price is that functions see which programs are
installed; they see no home, no `/var`, no `/run`, and of `/etc` only what is listed here.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

RUNTIMES: Final = "/opt/brisk/runtimes"
"""Where sandboxes see the runtimes of this platform."""

_USER: Final = 1000
_MERGED: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_FOLDERS: Final = ("/proc", "/tmp", "/dev/shm", "/etc", "/opt")
_LINKS: Final = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)
# /etc/ssl/private and its like are not here, so not /etc/ssl as a whole.
_OF_ETC: Final = (
    *("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/tls/openssl.cnf"),
    *("pki/ca-trust/extracted", "crypto-policies", "ca-certificates.conf"),
    *("localtime", "timezone", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"),
    *("nsswitch.conf", "host.conf", "gai.conf", "services", "protocols", "mime.types"),
    *("os-release", "debian_version"),
)


def plan(
    at: Path, prefixes: Iterable[str], runtimes: Path, resolver: str, *, own_proc: bool
) -> dict[str, Any]:
    """Return the plan of a view.

    at: an empty folder of the host, over which the view is mounted.
    prefixes: folders of interpreters; they are seen at their own paths.
    resolver: the text of its `resolv.conf`.
    own_proc: whether the zygote may mount a /proc of its own.
    """
    binds, links = ["/usr"], list(_LINKS)
    for path in _existing(f"/{name}" for name in _MERGED):
        (links.append((os.readlink(path), path)) if os.path.islink(path) else binds.append(path))
    binds.extend(outermost(prefix for prefix in prefixes if not _is_below(prefix, "/usr")))
    for path in _existing(f"/etc/{name}" for name in _OF_ETC):
        (links.append((os.readlink(path), path)) if os.path.islink(path) else binds.append(path))
    return {
        "at": str(at),
        "binds": binds,
        "moved": [(str(runtimes), RUNTIMES)],
        "devices": list(_existing(f"/dev/{name}" for name in _DEVICES)),
        "links": links,
        "folders": list(_FOLDERS),
        "files": _files(resolver),
        "own_proc": own_proc,
    }


def outermost(folders: Iterable[str]) -> list[str]:
    """Return *folders* without those that lie in others of them, sorted."""
    chosen: list[str] = []
    for folder in sorted(set(folders)):
        if not any(_is_below(folder, other) for other in chosen):
            chosen.append(folder)
    return chosen


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _existing(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if os.path.lexists(path))


def _files(resolver: str) -> list[tuple[str, str]]:
    return [
        ("/etc/passwd", f"root:x:0:0::/:/bin/false\naction:x:{_USER}:{_USER}::/tmp:/bin/sh\n"),
        ("/etc/group", f"root:x:0:\naction:x:{_USER}:\n"),
        ("/etc/hostname", "action\n"),
        ("/etc/hosts", "127.0.0.1 localhost action\n::1 localhost ip6-localhost ip6-loopback\n"),
        ("/etc/resolv.conf", resolver),
    ]
