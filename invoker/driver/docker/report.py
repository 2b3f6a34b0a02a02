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
) -> DriverReport:
    """Return what is possible with an engine that answers."""
    abilities = set(Ability) - {Ability.EGRESS} - (set() if has_pids_limit else {Ability.PIDS})
    if not is_root:
        abilities -= {Ability.IMAGES}
    return DriverReport(
        driver="docker",
        level=Level.CONTAINER,
        abilities=frozenset(abilities),
        kinds={kind: each.reference for kind, each in images.items()},
        degradations=tuple(_degradations(has_swap_limit, has_pids_limit, has_profile, is_root)),
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
            "images that speak OpenWhisk's HTTP can't be run, and pauses take 10 ms",
            "only root may enter a container's network and write to its freezer",
            "run the platform as root",
        )
