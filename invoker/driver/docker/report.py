"""What the docker driver says of its engine: facts in, report out. Pure."""

from collections.abc import Iterator

from invoker.driver.docker.flags import Image
from invoker.driver.port import Ability, Degradation, DriverReport, Level

START = "start one (in a clone: make services) or name its socket in BRISK_DOCKER__SOCKET"


def unreachable(why: str) -> DriverReport:
    """Return the report of a host without an engine."""
    return DriverReport(
        driver="docker",
        level=Level.NONE,
        abilities=frozenset(),
        kinds={},
        degradations=(
            Degradation("no function can run, because there is no container engine", why, START),
        ),
    )


def describe(
    *,
    images: dict[str, Image],
    has_swap_limit: bool,
    has_pids_limit: bool,
    has_profile: bool,
    is_root: bool,
    no_entry: str = "",
    no_egress: str | None = None,
    has_names: bool = True,
) -> DriverReport:
    """Return what is possible with an engine that answers.

    no_entry: why networks of containers cannot be entered; empty if they can.
    no_egress: why containers cannot be led outside; empty if they can, None if nobody wants it.
    has_names: whether anybody is known whom containers can ask for names.
    """
    abilities = set(Ability) - {Ability.TEMPLATES}
    if not has_pids_limit:
        abilities -= {Ability.PIDS}
    if no_egress != "":
        abilities -= {Ability.EGRESS}
    if no_entry:
        abilities -= {Ability.IMAGES}
    return DriverReport(
        driver="docker",
        level=Level.CONTAINER,
        abilities=frozenset(abilities),
        kinds={kind: each.reference for kind, each in images.items()},
        degradations=(
            *_degradations(has_swap_limit, has_pids_limit, has_profile, is_root),
            *_of_networks(no_entry, no_egress, has_names),
        ),
    )


def _degradations(
    has_swap_limit: bool, has_pids_limit: bool, has_profile: bool, is_root: bool
) -> Iterator[Degradation]:
    if not has_swap_limit:
        yield Degradation(
            "what exceeds the memory limit of a container may go to swap",
            "the engine can't limit swap on this kernel",
            "boot with swapaccount=1, or without swap",
        )
    if not has_pids_limit:
        yield Degradation(
            "the number of processes of a container is not limited",
            "the engine has no pids cgroup",
            "mount the pids controller and start the engine again",
        )
    if not has_profile:
        yield Degradation(
            "containers have the engine's own filter of system calls, or none",
            "the engine has no seccomp, or this processor has no table of system calls",
            "use an engine and a kernel with seccomp on x86-64 or aarch64",
        )
    if not is_root:
        yield Degradation(
            "pauses of containers take 10 ms",
            "only root may write to a container's freezer",
            "run the platform as root",
        )


def _of_networks(no_entry: str, no_egress: str | None, has_names: bool) -> Iterator[Degradation]:
    if no_entry:
        yield Degradation(
            "images that speak OpenWhisk's HTTP can't be run, and functions do not reach the API",
            no_entry,
            "run the platform as root, where it sees the engine's processes: in a container with "
            "the host's numbers of processes (--pid=host) and CAP_SYS_ADMIN",
        )
    elif no_egress:
        yield Degradation(
            "containers have no networks that lead outside",
            no_egress,
            "install iptables, and let the platform change this host's network: in a container it "
            "needs CAP_NET_ADMIN and the host's network",
        )
    if not has_names:
        yield Degradation(
            "functions find nothing by name",
            "the resolver of this host listens on its loopback, and no other is known",
            "name one that containers reach: BRISK_SANDBOX__NAMESERVERS=1.1.1.1",
        )
