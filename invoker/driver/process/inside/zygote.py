"""The zygote: an interpreter that has imported everything once and is cloned for each sandbox.

A start costs a fork instead of an interpreter and its imports. One process, one thread, one loop:
it takes requests from the platform through a SOCK_SEQPACKET socket, clones, and reports how each
child ended. It holds no secret, never runs a user's code, and dies with the platform.

Messages are JSON. Down: first the configuration; then `{"do": "spawn", "child": n, …}` with the
descriptors of the channel, stdout, stderr, perhaps cgroups, and perhaps a network; and `{"do":
"signal", "child": n, "signal": s}`, because only a parent knows that a pid is still its child's.
Up: `{"ready": true}`, `{"child": n, "pid": p}`, `{"child": n, "hands_over": true}` with
descriptors of the child's network, `{"child": n, "exit": status}`, and `"failed": why` with or
without a child. For templates, down: `{"do": "cast", …}` as for `spawn`, `{"do": "fix", "template":
n}`, and `{"do": "graft", "template": n, "child": m}` with the doors of the child's cgroups. Up:
`{"child": n, "fixed": true}`, and `{"child": m}` with `"copy": p` or `"not_copied": why`.
"""

from __future__ import annotations

import array
import base64
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from invoker.driver.process.inside import confine, init, keeper, kernel, preloading, rootview
from invoker.driver.process.inside.casts import Casts

MESSAGE_BYTES = 1 << 16
_MOST_DESCRIPTORS = 16
ALL_NAMESPACES = (
    kernel.NEW_USER | kernel.NEW_PID | kernel.NEW_MOUNT
    | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS
)  # fmt: skip
_CHANNEL = 3
_SETUP_FAILED = 125


class Zygote:
    """The loop and its children."""

    def __init__(self, control: socket.socket, configuration: Mapping[str, Any]) -> None:
        self._control = control
        self._isolated: bool = configuration["isolated"]
        self._rootless: bool = configuration["rootless"]
        self._filter: bytes = base64.b64decode(configuration["filter"])
        self._serve: Callable[[int], object] | None = None
        self.not_preloaded: list[str] = []
        self._pids: dict[int, int] = {}
        self._casts = Casts(self.report, self._pids)
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._wake, wake_end = socket.socketpair()
        self._wake_end = wake_end
        # Becomes readable when this process dies, whoever else has a copy of it.
        self._life = os.pidfd_open(os.getpid())
        for each in (self._wake, wake_end):
            each.setblocking(False)

    def prepare(self, configuration: Mapping[str, Any]) -> None:
        """Take the root that sandboxes see, and import what they need."""
        if self._isolated:
            if self._rootless:
                become_root_of_namespace()
            else:
                kernel.unshare(kernel.NEW_MOUNT)
                os.setgroups([])
            rootview.build(configuration["view"])
        proxy = configuration["proxy"]
        if proxy is not None:
            self._serve = preloading.load(proxy)
            self.not_preloaded = preloading.preload(configuration["preload"])
        else:
            os.chdir("/")
        if len(os.listdir("/proc/self/task")) != 1:
            raise RuntimeError("a module that is preloaded has started a thread")
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_end.fileno())
        gc.collect()
        gc.freeze()

    def run(self) -> None:
        """Serve until the platform hangs up."""
        while True:
            poll = select.poll()
            for fd in (self._control.fileno(), self._wake.fileno(), *self._casts.links()):
                poll.register(fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll()}
            # First: what a keeper says of a copy comes before the end of that copy.
            self._casts.hear_all()
            if self._wake.fileno() in ready:
                self._drain_wakes()
                self._reap()
            if self._control.fileno() in ready and not self._take_request():
                return

    def report(self, *descriptors: int, **message: object) -> None:
        """Send *message* to the platform, or end if there is none."""
        socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake.recv(4096):
                continue

    def _reap(self) -> None:
        by_pid = {pid: child for child, pid in self._pids.items()}
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                # It was heard before it ended, but perhaps not yet by us.
                self._casts.hear_all()
                child = by_pid.get(pid)
                if not self._casts.has_buried(pid, status) and child is not None:
                    status = self._casts.end_of(child, status)
                    del self._pids[child]
                    self.report(child=child, exit=status)

    def _take_request(self) -> bool:
        size = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
        message, ancillary, _, _ = self._control.recvmsg(MESSAGE_BYTES, size)
        if not message:
            return False
        descriptors = array.array("i")
        for _level, _kind, data in ancillary:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        request = json.loads(message)
        try:
            if request["do"] == "spawn":
                self._spawn(request, list(descriptors))
            elif request["do"] == "cast":
                self._cast(request, list(descriptors))
            elif "template" in request:
                self._casts.ask(request, list(descriptors))
            else:
                self._signal(request["child"], request["signal"])
        finally:
            for fd in descriptors:
                os.close(fd)
        return True

    def _signal(self, child: int, number: int) -> None:
        pid = self._pids.get(child)
        if pid is not None:
            os.kill(pid, number)

    def _spawn(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        child = request["child"]
        into_cgroup = descriptors[3] if request["cgroup"] == "v2" else None
        gate, gate_end = os.pipe()
        pid = -1
        problem: OSError | None = None
        try:
            pid = self._clone(request["network"], descriptors[-1], into_cgroup)
            if pid == 0:
                os.close(gate_end)
                self._become(request, descriptors, gate)
            if self._isolated:
                map_ids(pid, request["uid"], self._rootless)
            self._pids[child] = pid
            self.report(child=child, pid=pid)
            os.write(gate_end, b"1")
        except OSError as error:
            problem = error
        finally:
            os.close(gate)
            os.close(gate_end)
        if problem is not None:
            self._tell(child, pid, problem)

    def _cast(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        """Begin the keeper of a template, which makes the template."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = kernel.clone(0)
        if pid == 0:
            ours.close()
            self._keep(request, descriptors, its)
        its.close()
        self._pids[request["child"]] = pid
        self._casts.add(request["child"], pid, ours)

    def _keep(
        self, request: Mapping[str, Any], descriptors: list[int], link: socket.socket
    ) -> NoReturn:
        """Be a keeper; see there."""
        try:
            confine.default_signals()
            self._die_with_zygote()
            into_cgroup = descriptors[3] if request["cgroup"] == "v2" else None

            def map_user(pid: int) -> None:
                map_ids(pid, request["uid"], self._rootless)

            def become_template(gate: int) -> NoReturn:
                self._become_template(request, descriptors, gate)

            kept = keeper.Keeper(link, request, self._filter, map_user)
            kept.run(become_template, into_cgroup)
        except BaseException as error:
            with contextlib.suppress(OSError):
                self.report(child=request["child"], failed=f"{type(error).__name__}: {error}")
        finally:
            os._exit(_SETUP_FAILED)

    def _become_template(
        self, request: Mapping[str, Any], descriptors: list[int], gate: int
    ) -> NoReturn:
        """Turn this process into the twin of a template, and the other one into the template."""
        try:
            confine.default_signals()
            if request["cgroup"] == "v1":
                confine.attach(descriptors[3 : 3 + request["cgroup_files"]])
            keeper.tell_interpreter_before()
            # The twin never returns from here: it is stopped in the middle of it.
            self._clone(request["network"], descriptors[-1], None, keeper.SIBLING)
            if os.read(gate, 1):
                self._confine(request, descriptors)
                kernel.set_dumpable(True)
                keeper.tell_interpreter_after()
                self._run_runtime(request)
        except BaseException as error:
            with contextlib.suppress(OSError):
                self.report(child=request["child"], failed=f"{type(error).__name__}: {error}")
        finally:
            os._exit(_SETUP_FAILED)

    def _tell(self, child: int, pid: int, problem: OSError) -> None:
        """Say why *child* was not made: of one that was killed meanwhile, that it was."""
        # A clone whose gate was closed without a word leaves by itself.
        status = kernel.status_at_end(pid) if pid > 0 else 0
        self._pids.pop(child, None)
        if os.WIFSIGNALED(status):
            self.report(child=child, pid=pid)
            self.report(child=child, exit=status)
        else:
            self.report(child=child, failed=str(problem))

    def _clone(self, network: str, prepared: int, into_cgroup: int | None, flags: int = 0) -> int:
        """Return 0 in the clone, its pid here. *prepared* is the network for `egress`."""
        if not self._isolated:
            return kernel.clone(0, into_cgroup)
        if network == "none":
            return kernel.clone(ALL_NAMESPACES | flags, into_cgroup)
        if network == "host":
            return kernel.clone(ALL_NAMESPACES & ~kernel.NEW_NET | flags, into_cgroup)
        # A clone has no rights over a network that is not its own, so it is born there.
        kernel.enter_network(prepared)
        pid = -1
        try:
            pid = kernel.clone(ALL_NAMESPACES & ~kernel.NEW_NET | flags, into_cgroup)
            return pid
        finally:
            if pid != 0:
                kernel.enter_network(self._home)

    def _become(self, request: Mapping[str, Any], descriptors: list[int], gate: int) -> NoReturn:
        """Turn this clone into the first process of a sandbox; it never returns to the loop."""
        try:
            if os.read(gate, 1):
                self._confine(request, descriptors)
                runtime = os.fork()
                if runtime == 0:
                    self._run_runtime(request)
                init.watch(runtime, owns_namespace=self._isolated)
        except BaseException as error:
            with contextlib.suppress(OSError):
                self.report(child=request["child"], failed=f"{type(error).__name__}: {error}")
        finally:
            os._exit(_SETUP_FAILED)

    def _confine(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        confine.default_signals()
        if request["cgroup"] == "v1":
            confine.attach(descriptors[3 : 3 + request["cgroup_files"]])
        if self._isolated:
            confine.take_user(confine.USER)
            confine.make_private(request)
            self._hand_over(request)
        elif request["uid"] is not None:
            os.setgroups([])
            confine.take_user(request["uid"])
        confine.limit(request)
        confine.give_up_privileges()
        self._die_with_zygote()
        os.chdir("/tmp")
        confine.replace_environment(request["env"])
        confine.arrange_descriptors(*descriptors[:3])
        if not self._isolated:
            init.adopt_orphans()
        kernel.load_filter(self._filter)
        confine.close_the_rest()

    def _hand_over(self, request: Mapping[str, Any]) -> None:
        """Give the platform what it needs of this clone's network: to serve, and to connect it."""
        confine.set_routes(request["routes"])
        with contextlib.ExitStack() as opened:
            handed: list[int] = []
            if request["hands_over"]:
                for name in ("user", "net"):
                    handed.append(os.open(f"/proc/self/ns/{name}", os.O_RDONLY))
                    opened.callback(os.close, handed[-1])
            if request["api_port"]:
                listener = opened.enter_context(confine.listen(request["api_port"]))
                handed.append(listener.fileno())
            if handed:
                self.report(*handed, child=request["child"], hands_over=True)

    def _die_with_zygote(self) -> None:
        kernel.die_with_parent()
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        if poll.poll(0):
            os._exit(_SETUP_FAILED)  # it died before we asked to be told

    def _run_runtime(self, request: Mapping[str, Any]) -> None:
        kernel.die_with_parent()
        kernel.set_dumpable(True)
        command = request["command"]
        if command is not None:
            os.execve(command[0], command, request["env"])
        if self._serve is not None:
            self._serve(_CHANNEL)
        os._exit(0)


def become_root_of_namespace() -> None:
    """Enter a user namespace in which this process, of an ordinary user, may mount."""
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.NEW_USER | kernel.NEW_MOUNT)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {uid} 1")
    _write("/proc/self/gid_map", f"0 {gid} 1")


def map_ids(pid: int, uid: int, rootless: bool) -> None:
    """Make the user of the clone *pid* the user *uid* of this namespace."""
    if rootless:
        _write(f"/proc/{pid}/setgroups", "deny")
    for table in ("uid_map", "gid_map"):
        _write(f"/proc/{pid}/{table}", f"{confine.USER} {uid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def main(control: socket.socket, configuration: Mapping[str, Any]) -> None:
    """Be a zygote until *control* hangs up; *configuration* is its first message."""
    kernel.die_with_parent()
    sys.path.remove(configuration["code"])
    sys.argv = [""]
    zygote = Zygote(control, configuration)
    try:
        zygote.prepare(configuration)
    except Exception as error:
        zygote.report(failed=f"{type(error).__name__}: {error}")
        return
    zygote.report(ready=True, not_preloaded=zygote.not_preloaded)
    zygote.run()
