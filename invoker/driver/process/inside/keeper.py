"""The keeper of a template: makes it, stops it, and has blank sandboxes become copies of it.

A *template* is a sandbox like any other that has loaded the code of an action, and then gets no
call. What it has in memory is what its copies begin with, instead of loading that code again. It
is hostile like every function, so nothing is asked of it: from the moment that it is ready it does
not execute an instruction more.

    zygote ── keeper          this process: it traces the other two, and nobody traces it
              twin ═ template one memory; the twin has the zygote's rights, and never runs

Only who shares a memory can be forked into a copy of it, and only who has rights can send that copy
elsewhere; the template has no rights, so it has a *twin* that does. Hostile code can write to the
twin's memory. Therefore the twin never executes it: it is stopped before the template has loaded
anything, and is moved from outside, by one system call at a time (`tracing`). So is the copy, until
it has given up every right (`grafting`).

The keeper is there for one template alone, so that one which makes it wait holds up nobody else.
When it ends, the kernel kills the twin, the template, and a copy that is not finished. Copies that
are finished are the zygote's children like every sandbox, and live on.

To the zygote: `{"cast": pid, "twin": pid}`, `{"fixed": true}`, `{"child": n, "pid": p}` before a
copy goes on, `{"failed": why}` with or without a child. From it: `{"do": "fix"}`, and
`{"do": "graft", "child": n}` with a descriptor of that sandbox's first process and the doors of its
cgroups. Its end is the end of the template.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from invoker.driver.process.inside import confine, grafting, init, kernel, tracing

MESSAGE_BYTES = 4096
MOST_DESCRIPTORS = 8
PATIENCE_S = 5.0
"""How long a step may take: 3 ms are usual, and a host may be busy."""
SIBLING = kernel.CLONE_VM | kernel.CLONE_PARENT
"""How a template is cloned from its twin: with the same memory, as another child of the zygote."""
_REPEAT_S = 0.02
_CHANNEL = 3
_RECEIVING = (0, 45)
"""The numbers of `read` and `recvfrom`: what a template waits in."""
_PROTECTION, _PRIVATE_PAGES = 1 | 4, 0x02 | 0x20  # readable and executable; nobody else's
_LAST_DESCRIPTOR = 0xFFFFFFFF
_RECEIVED = 1
"""What that call returns in a copy: where the template hears nothing, the copy hears something."""


class Refused(Exception):
    """The template is not one that copies can be made of."""


class Keeper:
    """One template and its twin."""

    def __init__(
        self,
        zygote: socket.socket,
        request: Mapping[str, Any],
        system_calls: bytes,
        map_ids: Callable[[int], None],
    ) -> None:
        self._zygote = zygote
        self._request = request
        self._system_calls = system_calls
        self._map_ids = map_ids
        self._twin: tracing.Puppet | None = None
        self._template = 0
        self._poll = select.poll()
        self._stands_at: tracing.Registers | None = None

    def run(self, become_template: Callable[[int], NoReturn], into_cgroup: int | None) -> None:
        """Make both, and serve the zygote until it hangs up or one of the two is gone.

        become_template: called in the twin, with a gate; makes the template, and never returns.
        """
        signal.signal(signal.SIGALRM, _give_up)
        with _patience():
            self._cast(become_template, into_cgroup)
        self._poll.register(os.pidfd_open(self._its_twin.pid), select.POLLIN)
        self._poll.register(self._zygote, select.POLLIN)
        while all(fd == self._zygote.fileno() for fd, _ in self._poll.poll()):
            if not self._take_request():
                return

    @property
    def _its_twin(self) -> tracing.Puppet:
        if self._twin is None:
            raise Refused("it was not cast yet")
        return self._twin

    def _cast(self, become_template: Callable[[int], NoReturn], into_cgroup: int | None) -> None:
        begin, begin_end = os.pipe()
        gate, gate_end = os.pipe()
        keeper = os.getpid()
        kernel.set_dumpable(True)  # for the two that are ours: nobody else sees us
        twin = kernel.clone(kernel.CLONE_PARENT, into_cgroup)
        if twin == 0:
            os.close(begin_end)
            os.close(gate_end)
            os.dup2(os.pidfd_open(keeper), grafting.KEEPER_FD)
            os.read(begin, 1)
            become_template(gate)
        tracing.seize(twin)
        os.write(begin_end, b"1")
        self._twin, self._template = tracing.Puppet.caught_in_clone(twin)
        self._twin.do(tracing.CLOSE_RANGE, 0, grafting.KEEPER_FD - 1, 0)
        self._twin.do(tracing.CLOSE_RANGE, grafting.KEEPER_FD + 1, _LAST_DESCRIPTOR, 0)
        self._map_ids(self._template)
        self._report(cast=self._template, twin=twin)
        os.write(gate_end, b"1")
        for fd in (begin, begin_end, gate, gate_end):
            os.close(fd)

    def _take_request(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._zygote, MESSAGE_BYTES, MOST_DESCRIPTORS)
        if not message:
            return False
        request = json.loads(message)
        try:
            with _patience():
                if request["do"] == "fix":
                    self._fix()
                else:
                    self._graft(request["child"], *descriptors)
        except OSError as error:
            # A sandbox that is gone, a full cgroup: the next may do better.
            self._report(child=request.get("child", 0), failed=str(error))
        finally:
            for fd in descriptors:
                os.close(fd)
        return True

    def _fix(self) -> None:
        """Stop the template for good, where it waits for what never comes."""
        # While we trace it, the zygote does not hear of its end.
        self._poll.register(os.pidfd_open(self._template), select.POLLIN)
        self._stands_at = tracing.stopped(self._template, _RECEIVING, _CHANNEL)
        _demand_alone(self._template)
        self._report(fixed=True)

    def _graft(self, child: int, sandbox: int, *doors: int) -> None:
        """Have a copy of the template take the place of the blank runtime in *sandbox*."""
        if self._stands_at is None:
            raise Refused("it was not stopped yet")
        blank = _runtime_of(sandbox)
        wires = [kernel.take_descriptor(blank, fd) for fd in range(grafting.WIRES)]
        try:
            copy = self._forked_into(blank)
            try:
                _demand_own_memory(copy.pid)
                self._let_settle(copy, [*doors, *wires], len(doors))
                self._replace(sandbox, blank)
                self._report(child=child, pid=copy.pid)
                copy.release(self._stands_at, _RECEIVED)
            except tracing.Ended:
                raise
            except BaseException:
                copy.kill()
                raise
        finally:
            for fd in (blank, *wires):
                os.close(fd)

    def _forked_into(self, blank: int) -> tracing.Puppet:
        """Return a copy, still with our rights, among the processes of *blank*'s sandbox.

        It goes by that process and not by the sandbox's first, which even we may not look into
        where we are not root.
        """
        twin = self._its_twin
        entrance = twin.do(tracing.PIDFD_GETFD, grafting.KEEPER_FD, blank, 0)
        if entrance != grafting.BLANK_FD:
            raise tracing.Disobeyed(f"the twin has other descriptors than ours: {entrance}")
        try:
            twin.do(tracing.SETNS, entrance, kernel.NEW_PID)
            return twin.fork()
        finally:
            twin.do(tracing.CLOSE, entrance)

    def _let_settle(self, copy: tracing.Puppet, taken_from: list[int], groups: int) -> None:
        """Have *copy* enter the rest of the sandbox, and give up what it does not need there."""
        size = grafting.size_bytes(len(self._system_calls))
        nobody = (1 << 64) - 1
        address = copy.do(tracing.MMAP, 0, size, _PROTECTION, _PRIVATE_PAGES, nobody, 0)
        program = grafting.program(address, confine.USER, groups, taken_from, self._system_calls)
        copy.write(address, program.image)
        copy.run(program.code, program.table, program.calls)
        for which, bound in confine.limits(self._request).items():
            resource.prlimit(copy.pid, which, (bound, bound))

    def _replace(self, sandbox: int, blank: int) -> None:
        """Have the sandbox's first process end its *blank* runtime; return when that is gone."""
        is_gone = False
        while not is_gone:
            signal.pidfd_send_signal(sandbox, init.REPLACE)
            is_gone = bool(select.select([blank], [], [], _REPEAT_S)[0])

    def _report(self, **message: object) -> None:
        self._zygote.send(json.dumps(message).encode())


def tell_interpreter_before() -> None:
    """Do what `os.fork` does before it forks."""
    ctypes.pythonapi.PyOS_BeforeFork()


def tell_interpreter_after() -> None:
    """Do what `os.fork` does in a child."""
    ctypes.pythonapi.PyOS_AfterFork_Child()


class _patience:
    """Within: whoever takes too long is given up, and everything here with it."""

    def __enter__(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _give_up(_number: int, _frame: object) -> NoReturn:
    raise tracing.Disobeyed("it took too long")


def _runtime_of(sandbox: int) -> int:
    """Return a descriptor of the only child of the first process that *sandbox* is open on."""
    pid = _pid_of(sandbox)
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = file.read().split()
    if len(children) != 1:
        raise ProcessLookupError(3, "the sandbox is not blank, or not there any more")
    return os.pidfd_open(int(children[0]))


def _demand_alone(pid: int) -> None:
    """Raise `Refused` if something goes on in the sandbox of *pid*, at nobody's expense.

    Its own list of processes is believed: it can mount nothing else in that place.
    """
    names = os.listdir(f"/proc/{pid}/root/proc")
    if sum(name.isdigit() for name in names) > 1 or len(os.listdir(f"/proc/{pid}/task")) > 1:
        raise Refused("it is not alone in its sandbox")


def _demand_own_memory(pid: int) -> None:
    """Raise `Refused` if the process shares memory with others: its copies would share it, too.

    Files that every sandbox sees, and none can write to, are all that may be shared.
    """
    with open("/proc/self/mountinfo") as file:
        everybodys = {line.split()[2] for line in file}
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            _, rights, _, device, *_ = line.split()
            if rights[3] == "s" and _short(device) not in everybodys:
                raise Refused("it shares memory")


def _short(device: str) -> str:
    """Return a device as `mountinfo` has it: in decimal, without zeros before."""
    return ":".join(str(int(number, 16)) for number in device.split(":"))


def _pid_of(pidfd: int) -> int:
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == "Pid":
                return int(value)
    raise OSError(3, "the process is gone")
