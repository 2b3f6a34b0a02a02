"""Make another process do system calls: ptrace, on x86-64.

A `Puppet` is stopped for as long as it lives. It is moved by one system call at a time, which is
chosen here, and stopped again before it executes an instruction more. So it does not matter what
is in its memory: what it would execute has no rights that it could use without a system call, and
before each of those it stops and is looked at. Whatever is not as expected raises `Disobeyed`.

Who traces must have an end of its patience (an alarm that raises): a puppet that was made to run in
circles never stops.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
from collections.abc import Collection

from invoker.driver.process.inside import kernel

CLOSE, MMAP, CLONE, SETNS, CLOSE_RANGE, PIDFD_GETFD = 3, 9, 56, 308, 436, 438

_SEIZE, _INTERRUPT, _SYSCALL, _CONTINUE, _DETACH = 0x4206, 0x4207, 24, 7, 17
_GET_REGISTERS, _SET_REGISTERS, _GET_EVENT, _GET_CALL = 12, 13, 0x4201, 0x420E
_GET_SET, _SET_SET, _EXTENDED_STATE = 0x4204, 0x4205, 0x202
# TRACESYSGOOD, TRACEFORK, TRACECLONE, EXITKILL: children are stopped from the first instruction
# on, and all of them are killed when who traces them ends.
_OPTIONS = 0x1 | 0x2 | 0x8 | 0x100000
_CALL_STOP = signal.SIGTRAP | 0x80
_FORK_EVENT, _CLONE_EVENT, _STOP_EVENT = 1, 3, 128
_ENTRY = 1
_AUDIT_X86_64 = 0xC000003E
_WALL = 0x40000000
_INSTRUCTION_BYTES = 2
"""Of `syscall`, behind which a process stands that has done a system call."""
_STATE_BYTES = 1 << 14

_Registers = ctypes.c_ulonglong * 27
_RBP, _RBX, _R12, _RAX, _ORIG_RAX, _RIP = 4, 5, 3, 10, 15, 16
_ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi, rsi, rdx, r10, r8, r9
_NO_CALL = (1 << 64) - 1
"""In place of a call's number: there is none that the kernel might begin again."""

_ptrace = ctypes.PyDLL(None, use_errno=True).ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Disobeyed(Exception):
    """A process did something else than it was told."""


class Ended(OSError):
    """A process has ended, as by a kill from outside; its pid may be somebody else's by now."""


def is_possible() -> bool:
    """Tell whether this kind of machine is known."""
    return platform.machine() == "x86_64"


class Registers:
    """Where a process stands, to be put elsewhere: all that fork would have copied."""

    def __init__(self, general: ctypes.Array[ctypes.c_ulonglong], extended: bytes) -> None:
        self._general = general
        self.extended = extended

    def answered(self, value: int) -> ctypes.Array[ctypes.c_ulonglong]:
        """Return them as after the system call, if that had returned *value*."""
        general = _Registers(*self._general)
        general[_RAX], general[_ORIG_RAX] = value, _NO_CALL
        return general

    @property
    def call(self) -> tuple[int, int]:
        """The number of the system call that the process is in, and its first argument."""
        return self._general[_ORIG_RAX], self._general[_ARGUMENTS[0]]


class Puppet:
    """One process that is stopped."""

    def __init__(self, pid: int, base: ctypes.Array[ctypes.c_ulonglong]) -> None:
        self.pid = pid
        self._base = base

    @classmethod
    def caught_in_clone(cls, pid: int) -> tuple[Puppet, int]:
        """Wait until the seized *pid* has cloned itself; return it, and its child, which goes on.

        It stays stopped at the end of that system call.
        """
        _expect(pid, event=(_FORK_EVENT, _CLONE_EVENT))
        child = _event_of(pid)
        _expect(child, event=(_STOP_EVENT,))
        _call(_DETACH, child)
        _call(_SYSCALL, pid)
        _expect(pid, signal_number=_CALL_STOP)
        base = _registers_of(pid)
        base[_RIP] -= _INSTRUCTION_BYTES
        return cls(pid, base), child

    def do(self, number: int, *arguments: int) -> int:
        """Have it do a system call; return what that returned. Raises `OSError`."""
        self._enter(number, *arguments)
        _call(_SYSCALL, self.pid)
        _expect(self.pid, signal_number=_CALL_STOP)
        return self._result()

    def fork(self) -> Puppet:
        """Have it make a child beside itself, which has its parent, its rights, and its memory."""
        self._enter(CLONE, kernel.CLONE_PARENT | signal.SIGCHLD)
        _call(_SYSCALL, self.pid)
        if _stop_of(self.pid) == (_CALL_STOP, 0):
            self._result()  # there is no child, and it says why
        child = _event_of(self.pid)
        _call(_SYSCALL, self.pid)
        _expect(self.pid, signal_number=_CALL_STOP)
        self._result()
        _expect(child, event=(_STOP_EVENT,))
        base = _registers_of(child)
        base[_RIP] = self._base[_RIP]
        return Puppet(child, base)

    def run(self, code: int, table: int, count: int) -> None:
        """Have it run the program at *code*, which does *count* calls of *table*, and wait.

        That is memory which nobody else can write to. Raises `OSError` if a call failed.
        """
        registers = _Registers(*self._base)
        registers[_RIP], registers[_RBX], registers[_R12] = code, table, count
        registers[_ORIG_RAX] = _NO_CALL
        _set_registers(self.pid, registers)
        _call(_CONTINUE, self.pid)
        _expect(self.pid, signal_number=signal.SIGTRAP)
        after = _registers_of(self.pid)
        left = after[_R12]
        if left:
            code = -ctypes.c_longlong(after[_RAX]).value
            raise OSError(code, f"step {count - left} of {count}: {os.strerror(code)}")

    def write(self, address: int, data: bytes) -> None:
        """Put *data* into its memory."""
        with open(f"/proc/{self.pid}/mem", "wb", buffering=0) as memory:
            os.pwrite(memory.fileno(), data, address)

    def release(self, registers: Registers, value: int) -> None:
        """Let it go on as one that stood at *registers*, in a system call that returns *value*."""
        _set_state(self.pid, registers.extended)
        _set_registers(self.pid, registers.answered(value))
        _call(_DETACH, self.pid)

    def kill(self) -> None:
        """End it, wherever it stands."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, _WALL)

    def _enter(self, number: int, *arguments: int) -> None:
        """Have it come to the door of a system call, and see that it is that one."""
        registers = _Registers(*self._base)
        wanted = (number, *arguments, *(0,) * (len(_ARGUMENTS) - len(arguments)))
        for at, value in zip((_RAX, *_ARGUMENTS), wanted):  # noqa: B905 - Python 3.9
            registers[at] = value
        registers[_ORIG_RAX] = _NO_CALL
        _set_registers(self.pid, registers)
        _call(_SYSCALL, self.pid)
        _expect(self.pid, signal_number=_CALL_STOP)
        buffer = ctypes.create_string_buffer(88)
        _call(_GET_CALL, self.pid, len(buffer), ctypes.addressof(buffer))
        kind, architecture, *_ = struct.unpack_from("=BxxxI", buffer.raw)
        asked = struct.unpack_from("=7Q", buffer.raw, 24)
        if (kind, architecture, asked) != (_ENTRY, _AUDIT_X86_64, wanted):
            raise Disobeyed(f"process {self.pid} asked for call {asked[0]}, and not for {number}")

    def _result(self) -> int:
        result = ctypes.c_longlong(_registers_of(self.pid)[_RAX]).value
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


def seize(pid: int) -> None:
    """Begin to trace *pid*, which goes on until it makes a child."""
    _call(_SEIZE, pid, 0, _OPTIONS)


def stopped(pid: int, calls: Collection[int], descriptor: int) -> Registers:
    """Stop *pid* for good where it does one of *calls* with *descriptor*; return that place."""
    seize(pid)
    _call(_INTERRUPT, pid)
    _expect(pid, event=(_STOP_EVENT,))
    while True:
        place = Registers(_registers_of(pid), _state_of(pid))
        number, argument = place.call
        if number in calls and argument == descriptor:
            return place
        # It is on its way there: on to the next door of a system call.
        _call(_SYSCALL, pid)
        _expect(pid, signal_number=_CALL_STOP)


def _expect(pid: int, *, event: tuple[int, ...] = (), signal_number: int = signal.SIGTRAP) -> None:
    """Wait for *pid* to stop, and demand that it does so for what it was told to."""
    number, what = _stop_of(pid)
    if number != signal_number or what not in (event or (0,)):
        raise Disobeyed(f"process {pid} was stopped by signal {number}, event {what}")


def _stop_of(pid: int) -> tuple[int, int]:
    """Wait for *pid* to stop; return by which signal, and for which event. Raises `Ended`."""
    _, status = os.waitpid(pid, _WALL)
    if not os.WIFSTOPPED(status):
        raise Ended(3, f"process {pid} has ended")
    return os.WSTOPSIG(status), status >> 16


def _event_of(pid: int) -> int:
    value = ctypes.c_ulong()
    _call(_GET_EVENT, pid, 0, ctypes.addressof(value))
    return value.value


def _registers_of(pid: int) -> ctypes.Array[ctypes.c_ulonglong]:
    registers = _Registers()
    _call(_GET_REGISTERS, pid, 0, ctypes.addressof(registers))
    return registers


def _set_registers(pid: int, registers: ctypes.Array[ctypes.c_ulonglong]) -> None:
    _call(_SET_REGISTERS, pid, 0, ctypes.addressof(registers))


def _state_of(pid: int) -> bytes:
    """Return the registers of floating point and vectors, in the kernel's own form."""
    buffer = ctypes.create_string_buffer(_STATE_BYTES)
    vector = struct.pack("PN", ctypes.addressof(buffer), _STATE_BYTES)
    filled = ctypes.create_string_buffer(vector, len(vector))
    _call(_GET_SET, pid, _EXTENDED_STATE, ctypes.addressof(filled))
    return buffer.raw[: struct.unpack("PN", filled.raw)[1]]


def _set_state(pid: int, state: bytes) -> None:
    buffer = ctypes.create_string_buffer(state, len(state))
    vector = struct.pack("PN", ctypes.addressof(buffer), len(state))
    held = ctypes.create_string_buffer(vector, len(vector))
    _call(_SET_SET, pid, _EXTENDED_STATE, ctypes.addressof(held))


def _call(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _ptrace(request, pid, address, data) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace {request:#x} of {pid}: {os.strerror(code)}")
