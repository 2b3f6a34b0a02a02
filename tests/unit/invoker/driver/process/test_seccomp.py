"""The filter, run by an interpreter of classic BPF over every call of each architecture."""

import errno
import struct
from typing import Final

import pytest

from invoker.driver.process import seccomp, syscalls
from invoker.driver.process.seccomp import AARCH64, ALLOW, KILL, X86_64, Architecture

BOTH: Final = pytest.mark.parametrize("architecture", [X86_64, AARCH64], ids=lambda each: each.name)
HIGHEST: Final = 600
"""Above every number that any kernel has given so far."""


def verdict(architecture: Architecture, number: int, *arguments: int, audit: int = 0) -> int:
    """Return what the filter says of a call, as the kernel would compute it."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<iIQ6Q", number, audit or architecture.audit, 0, *padded)
    program = list(struct.iter_unpack("=HBBI", seccomp.program(architecture)))
    accumulator, position = 0, 0
    while True:
        code, then, otherwise, operand = program[position]
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                accumulator &= operand
            case 0x15:
                position += then if accumulator == operand else otherwise
            case 0x35:
                position += then if accumulator >= operand else otherwise
            case 0x45:
                position += then if accumulator & operand else otherwise
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(f"instruction {code:#x}")


@BOTH
def test_every_call_is_allowed_but_those_on_the_list(architecture: Architecture) -> None:
    refused = {
        number for number in range(HIGHEST) if verdict(architecture, number, 1, 1, 1) != ALLOW
    }

    numbers = architecture.numbers
    listed = {numbers[name] for name in syscalls.DENIED if name in numbers}
    assert refused == listed | {numbers["clone3"]}


@BOTH
def test_refusals_are_errors_that_code_can_handle(architecture: Architecture) -> None:
    numbers = architecture.numbers

    assert verdict(architecture, numbers["mount"]) == seccomp.error(errno.EPERM)
    # glibc falls back to clone, whose flags can be seen.
    assert verdict(architecture, numbers["clone3"]) == seccomp.error(errno.ENOSYS)


@BOTH
def test_a_call_of_a_foreign_architecture_kills(architecture: Architecture) -> None:
    i386 = 0x40000003
    other = AARCH64 if architecture is X86_64 else X86_64

    assert verdict(architecture, 1, audit=i386) == KILL
    assert verdict(architecture, 1, audit=other.audit) == KILL


def test_the_second_abi_of_x86_64_kills() -> None:
    assert verdict(X86_64, 0x40000000 | X86_64.numbers["ptrace"]) == KILL
    assert verdict(X86_64, 0x40000000) == KILL


@BOTH
@pytest.mark.parametrize(
    "flag",
    [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000],
    ids=hex,
)
def test_no_clone_makes_a_namespace(architecture: Architecture, flag: int) -> None:
    clone = architecture.numbers["clone"]

    assert verdict(architecture, clone, flag | 17) == seccomp.error(errno.EPERM)


@BOTH
def test_threads_and_forks_go_on(architecture: Architecture) -> None:
    clone = architecture.numbers["clone"]
    a_thread, a_fork = 0x3D0F00, 0x1200011  # what glibc passes

    assert verdict(architecture, clone, a_thread) == ALLOW
    assert verdict(architecture, clone, a_fork) == ALLOW


@BOTH
@pytest.mark.parametrize("name", ["socket", "socketpair"])
def test_only_sockets_that_namespaces_confine(architecture: Architecture, name: str) -> None:
    number, cloexec = architecture.numbers[name], 0o2000000
    allowed = {
        (family, kind)
        for family in range(64)
        for kind in range(1, 11)
        if verdict(architecture, number, family, kind | cloexec) == ALLOW
    }

    unix, inet, inet6, netlink = 1, 2, 10, 16
    stream, datagram, raw = 1, 2, 3
    assert allowed == {
        *((family, kind) for family in (unix, inet, inet6, netlink) for kind in (stream, datagram)),
        (netlink, raw),
    }


@BOTH
def test_nothing_is_typed_into_a_terminal(architecture: Architecture) -> None:
    ioctl, tiocsti, tiocgwinsz = architecture.numbers["ioctl"], 0x5412, 0x5413

    assert verdict(architecture, ioctl, 0, tiocsti) == seccomp.error(errno.EPERM)
    assert verdict(architecture, ioctl, 0, tiocgwinsz) == ALLOW


@BOTH
def test_a_fifo_is_made_but_no_device(architecture: Architecture) -> None:
    mknodat = architecture.numbers["mknodat"]
    fifo, file, character, block = 0o010644, 0o100644, 0o020644, 0o060644

    assert [verdict(architecture, mknodat, 0, 0, each) for each in (fifo, file)] == [ALLOW] * 2
    refused = seccomp.error(errno.EPERM)
    assert [verdict(architecture, mknodat, 0, 0, each) for each in (character, block)] == [
        refused
    ] * 2


@BOTH
def test_a_program_is_the_same_each_time_and_fits_the_kernel(architecture: Architecture) -> None:
    program = seccomp.program(architecture)

    assert program == seccomp.program(architecture)
    assert len(program) // 8 <= 4096  # BPF_MAXINSNS
