"""Which system calls a sandbox may make, as a program of classic BPF for `prctl(PR_SET_SECCOMP)`.

A pure assembler: no binding, no library, and the same bytes each time, so that the program is
built once and a test can interpret it over every call. What is not refused is allowed: a list of
what is allowed breaks with every new libc, while the list of what reaches beyond a sandbox is short
and grows slowly. Refusals are errors and not signals, so that code can fall back (glibc turns to
`clone` when `clone3` is not there); only a call in a foreign ABI, which means other numbers, kills.

Jumps of classic BPF lead forward by at most 255 instructions; the whole program is shorter.
"""

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from invoker.driver.process import syscalls

# The fields of `struct seccomp_data`; an argument's low half is its first word (little-endian).
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENT: Final = 16

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
_ERROR: Final = 0x00050000

_X32_BIT: Final = 0x40000000
"""Set in the numbers of x86-64's second ABI, which none of our comparisons would match."""

# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACE_FLAGS: Final = 0x80 | 0x20000 | 0x7E000000
_FAMILIES: Final = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_TYPES: Final = (1, 2)  # SOCK_STREAM, SOCK_DGRAM
_NETLINK: Final = 16  # shows the sandbox its own interfaces
_RAW: Final = 3
_TYPE_MASK: Final = 0xF  # the rest are SOCK_NONBLOCK and SOCK_CLOEXEC
_FILE_TYPE_MASK: Final = 0o170000
_DEVICES: Final = (0o020000, 0o060000)  # character and block; a FIFO is made by `mknod` too
_TERMINAL_INPUT: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into somebody's terminal


@dataclass(frozen=True, slots=True)
class Architecture:
    """One ABI: how the kernel names it, and its numbers."""

    name: str
    audit: int
    numbers: dict[str, int]
    has_x32: bool = False


X86_64: Final = Architecture("x86_64", 0xC000003E, syscalls.X86_64, has_x32=True)
AARCH64: Final = Architecture("aarch64", 0xC00000B7, syscalls.AARCH64)
ARCHITECTURES: Final = {each.name: each for each in (X86_64, AARCH64)}


def of_machine(name: str) -> bytes:
    """Return the filter for the machine that calls itself *name*. Raises `OSError`."""
    if name not in ARCHITECTURES:
        raise OSError(f"there is no system call filter for {name}")
    return program(ARCHITECTURES[name])


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction; a jump names its targets, and an unnamed one is the next instruction."""

    code: int
    operand: int = 0
    then: str = ""
    otherwise: str = ""
    label: str = ""


def error(number: int) -> int:
    """Return the verdict that makes a call fail with the `errno` *number*."""
    return _ERROR | number


def program(architecture: Architecture) -> bytes:
    """Return the filter for *architecture*: an array of `struct sock_filter`."""
    return _assemble([*_entry(architecture), *_plain(architecture), *_by_argument(architecture)])


def _entry(architecture: Architecture) -> list[_Step]:
    steps = [
        _Step(_LOAD, _ARCHITECTURE),
        _Step(_IF_EQUAL, architecture.audit, otherwise="kill"),
        _Step(_LOAD, _NUMBER),
    ]
    if architecture.has_x32:
        steps.append(_Step(_IF_AT_LEAST, _X32_BIT, then="kill"))
    return steps


def _plain(architecture: Architecture) -> list[_Step]:
    """Compare with the numbers that are refused whatever the arguments are."""
    numbers = sorted(
        architecture.numbers[name] for name in syscalls.DENIED if name in architecture.numbers
    )
    return [
        *(_Step(_IF_EQUAL, number, then="refuse") for number in numbers),
        _Step(_IF_EQUAL, architecture.numbers["clone3"], then="absent"),
        *(
            _Step(_IF_EQUAL, architecture.numbers[name], then=name)
            for name in ("clone", "socket", "socketpair", "ioctl", "mknod", "mknodat")
            if name in architecture.numbers
        ),
        _Step(_RETURN, ALLOW),
    ]


def _by_argument(architecture: Architecture) -> list[_Step]:
    return [
        _Step(_LOAD, _argument(0), label="clone"),
        _Step(_IF_ANY_BIT, _NAMESPACE_FLAGS, then="refuse", otherwise="allow"),
        *_socket("socket"),
        *_socket("socketpair"),
        _Step(_LOAD, _argument(1), label="ioctl"),
        *_is_one_of(_TERMINAL_INPUT, then="refuse", otherwise="allow"),
        *(_device("mknod", 1) if "mknod" in architecture.numbers else ()),
        *_device("mknodat", 2),
        _Step(_RETURN, ALLOW, label="allow"),
        _Step(_RETURN, error(errno.EPERM), label="refuse"),
        _Step(_RETURN, error(errno.EAFNOSUPPORT), label="foreign"),
        _Step(_RETURN, error(errno.ENOSYS), label="absent"),
        _Step(_RETURN, KILL, label="kill"),
    ]


def _socket(name: str) -> list[_Step]:
    """Refuse families that are not confined by namespaces, and types that see foreign packets."""
    return [
        _Step(_LOAD, _argument(0), label=name),
        _Step(_IF_EQUAL, _NETLINK, then=f"{name} netlink"),
        *_is_one_of(_FAMILIES, then=f"{name} type", otherwise="foreign"),
        # glibc asks for the addresses of interfaces with a raw netlink socket.
        _Step(_LOAD, _argument(1), label=f"{name} netlink"),
        _Step(_AND, _TYPE_MASK),
        _Step(_IF_EQUAL, _RAW, then="allow"),
        _Step(_LOAD, _argument(1), label=f"{name} type"),
        _Step(_AND, _TYPE_MASK),
        *_is_one_of(_TYPES, then="allow", otherwise="refuse"),
    ]


def _device(name: str, mode_argument: int) -> list[_Step]:
    return [
        _Step(_LOAD, _argument(mode_argument), label=name),
        _Step(_AND, _FILE_TYPE_MASK),
        *_is_one_of(_DEVICES, then="refuse", otherwise="allow"),
    ]


def _is_one_of(values: Sequence[int], *, then: str, otherwise: str) -> list[_Step]:
    return [
        *(_Step(_IF_EQUAL, value, then=then) for value in values[:-1]),
        _Step(_IF_EQUAL, values[-1], then=then, otherwise=otherwise),
    ]


def _argument(index: int) -> int:
    return _ARGUMENT + 8 * index


def _assemble(steps: Sequence[_Step]) -> bytes:
    """Resolve labels to distances; a distance is one byte and only leads forward."""
    places = {step.label: index for index, step in enumerate(steps) if step.label}

    def distance(index: int, label: str) -> int:
        return places[label] - index - 1 if label else 0

    return b"".join(
        struct.pack(
            "=HBBI",
            step.code,
            distance(index, step.then),
            distance(index, step.otherwise),
            step.operand,
        )
        for index, step in enumerate(steps)
    )
