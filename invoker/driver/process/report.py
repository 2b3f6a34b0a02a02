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

_NO_NAMES = Degradation(
    "functions find nothing by name",
    "the resolver of this host listens on its loopback, and no other is known",
    "name one that sandboxes reach: BRISK_SANDBOX__NAMESERVERS=1.1.1.1",
)


def describe(
    host: Host,
    interpreters: Mapping[str, Interpreter],
    settings: SandboxSettings,
    no_egress: str | None,
    *,
    has_names: bool = True,
) -> DriverReport:
    """Return what is possible here, and what is not and why.

    no_egress: why sandboxes cannot be led outside; empty if they can, None if nobody wants it.
    has_names: whether anybody is known whom sandboxes can ask for names.
    """
    return DriverReport(
        driver="process",
        level=Level.PROCESS if host.no_namespaces else Level.NAMESPACES,
        abilities=frozenset(_abilities(host, no_egress)),
        kinds={kind: each.executable for kind, each in interpreters.items()},
        degradations=(
            *_degradations(host, settings),
            *_of_network(host, no_egress),
            *(() if has_names else (_NO_NAMES,)),
        ),
    )


def _abilities(host: Host, no_egress: str | None) -> Iterator[Ability]:
    yield Ability.EXACT_LOGS
    if no_egress == "":
        yield Ability.EGRESS
    if not host.no_namespaces:
        yield from (Ability.NETWORK_NONE, Ability.PIDS, Ability.FREEZE)
    if not host.no_templates:
        yield Ability.TEMPLATES
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
    elif host.no_templates:
        yield Degradation(
            "code that takes long to load is loaded anew by each sandbox",
            host.no_templates,
            "let the platform trace its own processes: in a container it needs CAP_SYS_PTRACE, and "
            "kernel.yama.ptrace_scope has to be 0 or 1",
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


def _of_network(host: Host, no_egress: str | None) -> Iterator[Degradation]:
    if no_egress and not host.no_namespaces:
        yield Degradation(
            "sandboxes have no networks of their own that lead outside",
            no_egress,
            "install iptables, and let the platform change this host's network: in a container it "
            "needs CAP_NET_ADMIN"
            if host.is_root
            else "install slirp4netns, let users open /dev/net/tun, or run the platform as root",
        )
