"""The program by which a copy of a template becomes the runtime of a blank sandbox. Pure.

It is a list of system calls, and a few machine instructions that do one after the other. They are
put into memory of the copy that nobody but who traces it can reach, so it can run them by itself.
The order is that of `confine`, and for the same reasons; what is mounted there was mounted when the
sandbox was made, and limits are set from outside.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from invoker.driver.process.inside import kernel

BLANK_FD, KEEPER_FD = 0, 1000
"""Where a copy begins with descriptors of the blank runtime and of who traces it."""
WIRES = 4
"""/dev/null, the two pipes and the channel."""

_WRITE, _PRCTL, _SETRESUID, _SETRESGID, _CAPSET = 1, 157, 117, 119, 126
_DUP3, _SETNS, _CLOSE_RANGE, _PIDFD_GETFD = 292, 308, 436, 438
_PDEATHSIG, _DUMPABLE, _SECCOMP, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 22, 24, 38, 47
_FILTER_MODE, _AMBIENT_CLEAR = 2, 4
_CAPABILITIES = struct.pack("Ii", 0x20080522, 0) + bytes(24)
_SIGKILL = 9
_NAMESPACES = (
    kernel.NEW_USER | kernel.NEW_MOUNT | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS
)  # fmt: skip
_CALL = struct.Struct("=7Q")

# rbx is the table, r12 how many calls of it are left; r12 is 0 at the end, or a call has failed.
_CODE = bytes.fromhex(
    "488b03"    # next: mov rax, [rbx]      number
    "488b7b08"  #       mov rdi, [rbx+8]    arguments
    "488b7310"  #       mov rsi, [rbx+16]
    "488b5318"  #       mov rdx, [rbx+24]
    "4c8b5320"  #       mov r10, [rbx+32]
    "4c8b4328"  #       mov r8, [rbx+40]
    "4c8b4b30"  #       mov r9, [rbx+48]
    "0f05"      #       syscall
    "4885c0"    #       test rax, rax
    "7809"      #       js end
    "4883c338"  #       add rbx, 56
    "49ffcc"    #       dec r12
    "75d5"      #       jnz next
    "cc"        # end:  int3
)  # fmt: skip


class Program(NamedTuple):
    """What is put into memory at *address*, and what of it is run."""

    image: bytes
    code: int
    table: int
    calls: int


def size_bytes(filter_bytes: int) -> int:
    """Return how much memory a program takes at most, in whole pages."""
    calls = kernel.LAST_CAPABILITY + 64
    return (len(_CODE) + _CALL.size * calls + filter_bytes + 4096) // 4096 * 4096


def program(
    address: int, user: int, groups: int, taken_from: list[int], system_calls: bytes
) -> Program:
    """Return the program for memory at *address*.

    user: whose ids it takes. groups: how many cgroups it enters. system_calls: the filter.
    taken_from: descriptors of who traces: the doors of those cgroups, then the `WIRES`.
    """
    data = b"0" + bytes(7) + _CAPABILITIES + system_calls
    held = (len(data) + 15) // 16 * 16
    zero, capabilities, instructions = address, address + 8, address + 8 + len(_CAPABILITIES)
    array = struct.pack("=HxxxxxxQ", len(system_calls) // 8, instructions)
    calls = [
        *((_PIDFD_GETFD, KEEPER_FD, fd, 0) for fd in taken_from),
        *((_WRITE, BLANK_FD + 1 + at, zero, 1) for at in range(groups)),
        (_SETNS, BLANK_FD, _NAMESPACES),
        (_SETRESGID, user, user, user),
        (_SETRESUID, user, user, user),
        *((_PRCTL, _CAPBSET_DROP, each) for each in range(kernel.LAST_CAPABILITY + 1)),
        (_PRCTL, _AMBIENT, _AMBIENT_CLEAR),
        (_CAPSET, capabilities, capabilities + 8),
        (_PRCTL, _NO_NEW_PRIVS, 1),
        (_PRCTL, _DUMPABLE, 1),
        (_PRCTL, _PDEATHSIG, _SIGKILL),
        *((_DUP3, BLANK_FD + 1 + groups + at, at, 0) for at in range(WIRES)),
        (_CLOSE_RANGE, WIRES, 0xFFFFFFFF, 0),
        (_PRCTL, _SECCOMP, _FILTER_MODE, address + held),
    ]
    table = b"".join(_CALL.pack(*each, *(0,) * (7 - len(each))) for each in calls)
    image = data.ljust(held, b"\0") + array + table + _CODE
    begin = address + held + len(array)
    return Program(image, begin + len(table), begin, len(calls))
