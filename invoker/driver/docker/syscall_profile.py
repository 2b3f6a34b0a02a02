"""Which system calls a container may make, as the profile that an engine takes.

The same calls are refused as in a sandbox of the process driver, which an engine's own profile does
not all refuse: io_uring, and sockets of families that no namespace confines, as AF_VSOCK is one.
Pure. A comparison is of 64 bits, and the kernel reads 32 of most arguments: so what is compared is
masked, or everything above is refused too.
"""

import errno
from typing import Any, Final

from invoker.driver.process import syscalls

_ARCHITECTURES: Final = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACE_FLAGS: Final = (0x80, 0x20000, *(1 << bit for bit in range(25, 31)))
_NETLINK: Final = 16  # shows a container its own interfaces
_FOREIGN_FAMILIES: Final = (0, *range(3, 10), *range(11, 16))  # not AF_UNIX, INET, INET6
_FOREIGN_TYPES: Final = (3, 4, 5, 6, 10)  # neither stream nor datagram; the first is raw
_TYPE_MASK: Final = 0xF
_FILE_TYPE_MASK: Final = 0o170000
_DEVICES: Final = (0o020000, 0o060000)
_COMMAND_MASK: Final = 0xFFFFFFFF
_TERMINAL_INPUT: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

Rule = dict[str, Any]


def of_machine(machine: str) -> dict[str, Any] | None:
    """Return the profile for *machine* (as `uname -m` says), None when there is none for it."""
    architecture = _ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [architecture],
        "syscalls": [
            _refused(list(syscalls.DENIED)),
            _refused(["clone3"], code=errno.ENOSYS),  # libraries fall back to clone
            *(_refused(["clone"], _masked(0, flag, flag)) for flag in _NAMESPACE_FLAGS),
            *_sockets(),
            *(_refused(["ioctl"], _masked(1, _COMMAND_MASK, each)) for each in _TERMINAL_INPUT),
            *(_refused(["mknod"], _masked(1, _FILE_TYPE_MASK, each)) for each in _DEVICES),
            *(_refused(["mknodat"], _masked(2, _FILE_TYPE_MASK, each)) for each in _DEVICES),
        ],
    }


def _sockets() -> list[Rule]:
    names = ["socket", "socketpair"]
    foreign = [_compared(0, "EQ", family) for family in _FOREIGN_FAMILIES]
    foreign.append(_compared(0, "GT", _NETLINK))
    not_netlink = _compared(0, "NE", _NETLINK)
    return [
        *(_refused(names, each, code=errno.EAFNOSUPPORT) for each in foreign),
        *(_refused(names, not_netlink, _masked(1, _TYPE_MASK, each)) for each in _FOREIGN_TYPES),
    ]


def _refused(names: list[str], *arguments: Rule, code: int = errno.EPERM) -> Rule:
    return {
        "names": names,
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": code,
        "args": list(arguments),
    }


def _compared(index: int, how: str, value: int) -> Rule:
    return {"index": index, "value": value, "op": f"SCMP_CMP_{how}"}


def _masked(index: int, mask: int, value: int) -> Rule:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
