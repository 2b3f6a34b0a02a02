"""The host's firewall, by the programs that every distribution has for it. Everything blocks."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from invoker.driver.egress import rules
from invoker.driver.egress.plan import Site

PROGRAMS: Final = {4: "iptables", 6: "ip6tables"}
_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_LOCK_S: Final = 5
"""How long to wait for another program that changes rules."""
_ATTEMPTS: Final = 4
_COMMAND_S: Final = 15.0
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")


def install(site: Site) -> None:
    """Make the rules of *site*, and this host forward packets. Raises `OSError`."""
    for version in PROGRAMS:
        # What has no IPv6 needs no rules for it; where there are some, they are a second lock.
        if version == 4 or site.has_ipv6 or _find(version, "restore"):
            _restore(version, rules.additions(site, version))
    if _FORWARDING.read_text().strip() == "0":
        # Nothing was forwarded so far, and but for sandboxes nothing shall be.
        _run(4, "", "--wait", str(_LOCK_S), "--policy", "FORWARD", "DROP")
        _FORWARDING.write_text("1")


def remove(tag: str) -> bool:
    """Remove the rules of the installation *tag*; tell whether there were any. Raises `OSError`."""
    found = False
    for version in PROGRAMS:
        if _find(version, "save") is None:
            continue
        found = _removed(version, tag) or found
    return found


def _removed(version: int, tag: str) -> bool:
    """Remove the rules for one version of IP; tell whether there were any. Raises `OSError`."""
    problem: OSError | None = None
    for _ in range(_ATTEMPTS):
        text = rules.removals(_run(version, "save"), tag)
        if not text:
            return problem is not None
        try:
            _restore(version, text)
        except OSError as error:
            # Another platform that starts now removes the same: then some of it is gone already.
            problem = error
        else:
            return True
    assert problem is not None, "each attempt failed"
    raise problem


def _restore(version: int, text: str) -> None:
    _run(version, "restore", "--noflush", "--wait", str(_LOCK_S), text=text)


def _find(version: int, verb: str) -> str | None:
    name = PROGRAMS[version] + (f"-{verb}" if verb else "")
    return shutil.which(name, path=_PATH)


def _run(version: int, verb: str, *arguments: str, text: str = "") -> str:
    program = _find(version, verb)
    if program is None:
        raise FileNotFoundError(f"{PROGRAMS[version]} is not installed")
    try:
        done = subprocess.run(
            [program, *arguments], input=text, capture_output=True, text=True, timeout=_COMMAND_S
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{program} took longer than {_COMMAND_S:g} s") from error
    if done.returncode:
        raise OSError(f"{program}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
