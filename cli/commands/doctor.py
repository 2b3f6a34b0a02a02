"""`doctor`: what this host allows, whether the platform can run, and what mends it.

Every check ends in one line, and under it the remedy where there is one. Some must pass for the
platform to run; the others tell what it would lack, or whether the one that is configured answers.
Only a failure of the former makes the exit code 1.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli import wskprops
from cli.console import marks
from cli.failures import GENERAL, Ended, Failure
from cli.grammar import Command, Words
from cli.output import shown
from cli.session import Session

if TYPE_CHECKING:
    from common.settings import Settings
    from invoker.driver.port import DriverReport

OLDEST_PYTHON: Final = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    is_needed: the platform cannot run unless it passed.
    """

    title: str
    passed: bool
    found: str
    remedy: str = ""
    is_needed: bool = False


@click.command("doctor", cls=Command, words=(0, 0), needs="No arguments are required.")
def doctor(session: Session, words: Words) -> None:
    """Show what this host allows, and what to mend before `serve`."""
    # The settings and the platform are imported here and not above: client commands start faster.
    from common.settings import Settings, UnusableSettings

    try:
        settings = Settings.of_environment()
    except UnusableSettings as error:
        raise Failure(str(error), shows_usage=False) from error
    checks = [
        _interpreter(),
        *_sandbox(settings),
        _data_folder(settings),
        _port(settings),
        *_configured(session),
    ]
    can_run = all(check.passed for check in checks if check.is_needed)
    rows = [
        {"check": one.title, "passed": one.passed, "found": one.found, "remedy": one.remedy}
        for one in checks
    ]
    if not shown(session, {"can_run": can_run, "checks": rows}, is_tabular=True):
        print("\n".join(lines(checks)))
    raise Ended(0 if can_run else GENERAL)


def lines(checks: list[Check]) -> Iterator[str]:
    """Return what to print: a line for each check, and its remedy where it has one."""
    well, ill = marks()
    width = max(len(check.title) for check in checks)
    for check in checks:
        yield f"{well if check.passed else ill} {check.title:<{width}}  {check.found}"
        if check.remedy and not check.passed:
            yield f"  {'':<{width}}  fix: {check.remedy}"


def _interpreter() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Check(
        "interpreter",
        sys.version_info[:2] >= OLDEST_PYTHON,
        f"Python {version}",
        f"install Python {oldest} or newer",
        is_needed=True,
    )


def _sandbox(settings: "Settings") -> Iterator[Check]:
    """Look at what the driver of the embedded platform can do here."""
    from cli.standalone import examine
    from common.errors import BriskError

    try:
        report = examine(settings)
    except (BriskError, OSError) as error:
        yield Check("sandbox", False, str(error), "see the reason", is_needed=True)
        return
    yield from of_report(report, settings.sandbox.allow_unisolated)
    yield of_network(report, settings.sandbox.network)


def of_report(report: "DriverReport", allow_unisolated: bool) -> Iterator[Check]:
    """Return the checks that a driver's *report* answers."""
    level = report.level.name.lower()
    yield Check(
        "sandbox",
        report.level > 0 or allow_unisolated,
        f"{report.driver}, isolation: {level}",
        "BRISK_SANDBOX__ALLOW_UNISOLATED=true, only for code that you trust",
        is_needed=True,
    )
    kinds = ", ".join(sorted(report.kinds))
    install = "install an interpreter, as python3 or node"
    yield Check("kinds", bool(kinds), kinds or "none can run here", install, is_needed=True)
    for lack in report.degradations:
        yield Check("sandbox", False, f"{lack.what}: {lack.why}", lack.remedy)


def of_network(report: "DriverReport", wanted: str) -> Check:
    """Return what functions would reach on this host, where *wanted* is asked for."""
    from invoker.driver.port import Ability

    if wanted == "none":
        return Check("network", True, "none: the platform's API alone")
    if wanted == "host":
        return Check("network", True, "host: all that this host reaches, and its 127.0.0.1")
    if Ability.EGRESS in report.abilities:
        return Check("network", True, "egress: the internet and the API, nothing private")
    found = "this host's while there is one namespace, the API alone when there are more"
    return Check(
        "network", False, found, "what is said above; BRISK_SANDBOX__NETWORK=none closes it"
    )


def _data_folder(settings: "Settings") -> Check:
    from cli.places import default_path

    folder = settings.data or default_path()
    reason = unwritable(folder)
    found = f"{folder}: {reason}" if reason else str(folder)
    remedy = "brisk serve --data DIR, a folder that you may write"
    return Check("data folder", not reason, found, remedy, is_needed=True)


def unwritable(folder: Path) -> str:
    """Return why nothing can be written in *folder*, or made where it would be; empty if it can."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return f"{existing} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _port(settings: "Settings") -> Check:
    host, port = settings.http.host, settings.http.port
    at = f"{host}:{port}"
    reason = unbindable(host, port)
    if reason and _answers(host, port):
        return Check("port", True, f"{at} is served already, by a running platform", is_needed=True)
    found = f"{at}: {reason}" if reason else f"{at} is free"
    return Check("port", not reason, found, "brisk serve --port 0 takes a free one", is_needed=True)


def unbindable(host: str, port: int) -> str:
    """Return why nothing can listen at *host* and *port*; empty if it can."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As a server does: a connection that ended a moment ago does not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _answers(host: str, port: int) -> bool:
    from cli.configuration import Configuration
    from cli.session import client_of

    config = Configuration(api_host=f"http://{host}:{port}")
    try:
        info = client_of(config, is_brisk=True).api_info()
    except Failure:
        return False
    return isinstance(info, dict) and "api_version" in info


def _configured(session: Session) -> Iterator[Check]:
    """Look at the platform that client commands would talk to."""
    config = session.configuration()
    if not config.api_host:
        found = f"none: {wskprops.location() or 'there is no property file'}"
        yield Check("API host", False, found, "brisk serve writes it where it is absent")
        return
    try:
        client = session.client()
        client.api_info()
    except Failure as failure:
        why, fix = failure.remedy.why or failure.text.strip(), failure.remedy.fix
        yield Check("API host", False, f"{config.api_host}: {why}", fix or "brisk serve")
        return
    yield Check("API host", True, f"{config.api_host} answers")
    try:
        names = ", ".join(client.namespaces())
    except Failure as failure:
        fix = failure.remedy.fix or f"brisk property set --auth UUID:KEY{os.linesep}"
        yield Check("key", False, failure.text, fix.strip())
        return
    yield Check("key", True, f"opens {names}")
