"""What the process driver says of this host: facts in, report out. Pure."""

from collections.abc import Iterator, Mapping

from common.settings import SandboxSettings
from invoker.driver.port import Ability, Degradation, DriverReport, Level
from invoker.driver.process.host import Host
from invoker.driver.process.interpreters import Interpreter

ALLOW_UNISOLATED = "BRISK_SANDBOX__ALLOW_UNISOLATED=true"
ALLOW_NAMESPACES = (
    "allow unprivileged user namespaces (sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
)


def describe(
    host: Host, interpreters: Mapping[str, Interpreter], settings: SandboxSettings
) -> DriverReport:
    """Return what is possible here, and what is not and why."""
    return DriverReport(
        driver="process",
        level=Level.PROCESS if host.no_namespaces else Level.NAMESPACES,
        abilities=frozenset(_abilities(host)),
        kinds={kind: each.executable for kind, each in interpreters.items()},
        degradations=tuple(_degradations(host, settings)),
    )


def _abilities(host: Host) -> Iterator[Ability]:
    yield Ability.EXACT_LOGS
    if not host.no_namespaces:
        yield from (Ability.NETWORK_NONE, Ability.PIDS, Ability.FREEZE)
    if host.cgroups is not None:
        yield from (Ability.MEMORY, Ability.CPU, Ability.PIDS)
        yield from (Ability.FREEZE, Ability.OOM_REPORT)


def _degradations(host: Host, settings: SandboxSettings) -> Iterator[Degradation]:
    if host.no_namespaces:
        yield Degradation(
            "functions are not isolated: they see this host's files, processes and network"
            if settings.allow_unisolated
            else "no function can run, because they could not be isolated",
            host.no_namespaces,
            f"{ALLOW_NAMESPACES}; or, for code that you trust, set {ALLOW_UNISOLATED}",
        )
    if host.cgroups is None:
        yield Degradation(
            "limits hold for each process and not for a sandbox as a whole; CPU is not limited",
            host.no_cgroups,
            "run the platform as root on a host whose cgroups (memory, pids, cpu) are writable",
        )
    if not host.is_root:
        yield Degradation(
            "all sandboxes run as the same user of this host",
            "only root may give each sandbox a user of its own",
            "run the platform as root",
        )
    elif not host.has_uid_range:
        yield Degradation(
            "all sandboxes run as the same user of this host, nobody",
            "the users from 200000 on are not mapped into this container",
            "map more users into the container that the platform runs in",
        )
