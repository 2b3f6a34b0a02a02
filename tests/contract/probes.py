"""Attempts to get out of a sandbox or to harm its host, as the source of one action.

`main` runs the attempts named in `only` (all, by default) and returns for each whether it was
contained and what was seen. Every bomb is bounded, so that a sandbox without limits, and the host
of it, survive; the route to the metadata service is looked up without sending a packet. This file
is sent to the runtime as it is, so it uses nothing but the standard library of Python 3.9.

What the attempts look for comes as arguments, made by the test on the host: `pid` and `marker` of a
process, `port` of a listener on every address of the host, `addresses` of it, `closed` addresses to
which there must be no route, `abstract` name of a socket, `secret_file`, `secret` the
name and value of a variable of the platform, `neighbour` a path in another sandbox's /tmp.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
import time

ATTEMPTS = []
_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {
    "x86_64": {
        "mount": 165, "ptrace": 101, "add_key": 248, "unshare": 272, "bpf": 321, "perf": 298,
        "uffd": 323, "clock": 227, "chroot": 161, "setns": 308, "pivot": 155, "readv": 310,
        "handle": 304, "kexec": 246, "module": 175,
    },
    "aarch64": {
        "mount": 40, "ptrace": 117, "add_key": 217, "unshare": 97, "bpf": 280, "perf": 241,
        "uffd": 282, "clock": 112, "chroot": 51, "setns": 268, "pivot": 41, "readv": 270,
        "handle": 265, "kexec": 104, "module": 105,
    },
}[platform.machine()]  # fmt: skip
_IO_URING_SETUP = 425
_OWN = ("socket:", "pipe:", "/memfd:", "/dev/null", "/proc/", "anon_inode:", "/tmp/", "/run/")


def attempt(function):
    ATTEMPTS.append(function)
    return function


def call(name, *arguments):
    """Return what a system call gave: 0 or more, or the name of its error."""
    number = _NUMBERS[name] if isinstance(name, str) else name
    result = _libc.syscall(number, *arguments)
    return result if result >= 0 else errno.errorcode.get(ctypes.get_errno(), "?")


def refused(*results):
    return all(isinstance(each, str) for each in results), str(results)


def outcome(function, *arguments):
    """Return the name of the error that *function* raises, or what it returns."""
    try:
        return function(*arguments)
    except ValueError as error:
        return str(error)
    except OSError as error:
        return errno.errorcode.get(error.errno, "?")


def in_child(function):
    """Return the wait status of a child that runs *function* and leaves with what it returns."""
    pid = os.fork()
    if pid == 0:
        code = 77
        with contextlib.suppress(BaseException):
            code = int(function())
        os._exit(code)
    return os.waitpid(pid, 0)[1]


@attempt
def read_secret_files(host):
    seen = [path for path in (host["secret_file"], "/etc/shadow", "/root/.ssh") if _readable(path)]
    return not seen, str(seen)


def _readable(path):
    return os.path.exists(path) and os.access(path, os.R_OK)


@attempt
def see_processes(host):
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    lines = b"".join(_read(f"/proc/{pid}/cmdline") for pid in pids)
    return host["marker"].encode() not in lines and len(pids) < 8, f"{len(pids)} processes"


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


@attempt
def signal_host_process(host):
    return refused(outcome(os.kill, host["pid"], 0))


@attempt
def mount(host):
    return refused(call("mount", b"none", b"/tmp", b"tmpfs", 0, None))


@attempt
def trace_processes(host):
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        return refused(*(call("ptrace", 16, each, 0, 0) for each in (pid, 1, host["pid"])))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@attempt
def read_foreign_memory(host):
    return refused(call("readv", 1, None, 0, None, 0, 0), outcome(open, "/proc/1/mem", "r+b"))


@attempt
def raw_sockets(host):
    packet, vsock, alg = 17, 40, 38
    kinds = ((packet, 3, 0), (socket.AF_INET, 3, 1), (vsock, 1, 0), (alg, 5, 0))
    return refused(*(outcome(socket.socket, *kind) for kind in kinds))


@attempt
def fork_bomb(host):
    children, limit, stopped = [], 400, ""
    gate, gate_end = os.pipe()
    try:
        while len(children) < limit:
            pid = os.fork()
            if pid == 0:
                os.close(gate_end)
                os.read(gate, 1)
                os._exit(0)
            children.append(pid)
    except OSError as error:
        stopped = errno.errorcode[error.errno]
    os.close(gate)
    os.close(gate_end)
    for pid in children:
        os.waitpid(pid, 0)
    return len(children) < limit, f"{len(children)} children {stopped}"


@attempt
def memory_bomb(host):
    def fill():
        blocks = []
        try:
            for _ in range(60):
                blocks += [bytearray(b"\1" * (10 << 20))]
        except MemoryError:
            return 3
        return 0

    status = in_child(fill)
    return status != 0, f"600 MB: status {status}"


@attempt
def fill_disk(host):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    unlimited = []
    for folder in ("/tmp", "/", "/var/tmp", "/dev/shm", "/dev", "/run", "/usr", "/opt"):
        path, written, block = os.path.join(folder, ".fill"), 0, b"\1" * (1 << 20)
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
            with contextlib.suppress(OSError):
                while written < 150:
                    written += os.write(fd, block) / len(block)
                unlimited.append(folder)
            os.close(fd)
            os.unlink(path)
    return not unlimited, str(unlimited)


@attempt
def fill_inodes(host):
    made = 0
    with contextlib.suppress(OSError):
        for made in range(30000):
            os.close(os.open(f"/tmp/.i{made}", os.O_CREAT | os.O_WRONLY))
    for each in range(made + 1):
        with contextlib.suppress(OSError):
            os.unlink(f"/tmp/.i{each}")
    return made < 29999, f"{made} files"


@attempt
def hog_processors(host):
    def spin():
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            pass
        return 0

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pids = [os.fork() or os._exit(spin()) for _ in range(3)]
    for pid in pids:
        os.waitpid(pid, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / 0.8 < 1.2, f"{used / 0.8:.2f} processors"


@attempt
def change_kernel_settings(host):
    paths = (
        *("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches"),
        *("/proc/sys/kernel/hostname", "/sys/kernel/uevent_helper", "/sys/power/state"),
        *("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cgroup.procs"),
    )
    writable = [path for path in paths if not isinstance(outcome(_open, path, os.O_WRONLY), str)]
    return not writable and not _read("/proc/kcore")[:1], str(writable)


def _open(path, flags):
    os.close(os.open(path, flags))


@attempt
def use_kernel_keys(host):
    return refused(call("add_key", b"user", b"x", b"y", 1, -2))


@attempt
def reach_host_loopback(host):
    results = _connect(socket.SOCK_STREAM, ("127.0.0.1", *host["addresses"]), host["port"])
    return None not in results, str(results)


def _connect(kind, addresses, port):
    results = []
    for address in addresses:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as client:
            client.settimeout(1)
            results.append(outcome(client.connect, (address, port)))
    return results


@attempt
def reach_abstract_socket(host):
    with socket.socket(socket.AF_UNIX) as client:
        return refused(outcome(client.connect, "\0" + host["abstract"]))


@attempt
def reach_metadata_service(host):
    return refused(*_connect(socket.SOCK_DGRAM, host["closed"], 80))


@attempt
def read_neighbours_files(host):
    return not os.path.exists(host["neighbour"]), host["neighbour"]


@attempt
def find_secrets_in_environment(host):
    secret = host["secret"].encode()
    places = [f"/proc/{name}/environ" for name in os.listdir("/proc") if name.isdigit()]
    seen = [place for place in (*places, "/proc/self/environ") if secret in _read(place)]
    return not seen and os.getenv(host["secret"]) is None, str(seen)


@attempt
def find_open_descriptors(host):
    """What the runtime itself has open lies in the sandbox: its socket, pipes, files in memory."""
    foreign = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink("/proc/self/fd/" + name)
            if not target.startswith(_OWN):
                foreign.append(target)
    return not foreign, str(foreign)


@attempt
def become_root(host):
    lines = _read("/proc/self/status").decode().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    bare = all(int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"))
    held = bare and status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    return held and isinstance(outcome(os.setuid, 0), str) and os.getuid() != 0, str(bare)


@attempt
def make_namespaces(host):
    flags = (0x10000000, 0x10020000, 0x50000000, 0x00020000)
    results = [in_child(lambda each=flag: call("unshare", each) == 0) for flag in flags]
    entered = outcome(_enter_namespace)
    return not any(os.WEXITSTATUS(each) for each in results) and isinstance(entered, str), str(
        results
    )


def _enter_namespace():
    fd = os.open("/proc/1/ns/user", os.O_RDONLY)
    result = call("setns", fd, 0)
    os.close(fd)
    return result


@attempt
def use_wide_kernel_interfaces(host):
    attributes = ctypes.create_string_buffer(struct.pack("4I", 1, 4, 4, 1) + bytes(112))
    return refused(
        *(call("bpf", 0, attributes, 128), call("perf", attributes, 0, -1, -1, 0), call("uffd", 0)),
        *(call("handle", -100, attributes, 0), call("kexec", 0, 0, None, 0)),
        call("module", None, 0, b""),
    )


@attempt
def use_io_uring(host):
    return refused(call(_IO_URING_SETUP, 8, ctypes.create_string_buffer(256)))


@attempt
def leave_zombies(host):
    for _ in range(60):
        in_child(lambda: os.fork() and 0)
    deadline = time.monotonic() + 2
    while (left := _zombies()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left < 5, f"{left} zombies of 60 orphans"


def _zombies():
    names = [name for name in os.listdir("/proc") if name.isdigit()]
    return sum(b") Z" in _read(f"/proc/{name}/stat") for name in names)


@attempt
def set_clock(host):
    now = ctypes.create_string_buffer(struct.pack("qq", *divmod(time.time_ns(), 10**9)))
    return refused(call("clock", 0, now), outcome(socket.sethostname, "taken"))


@attempt
def make_and_open_devices(host):
    made = outcome(os.mknod, "/tmp/.device", 0o60600, os.makedev(254, 0))
    names = ("kvm", "vda", "sda", "nvme0n1", "fuse", "net/tun", "mem", "kmsg", "tty", "ptmx")
    opened = [
        name for name in names if not isinstance(outcome(_open, f"/dev/{name}", os.O_RDWR), str)
    ]
    return isinstance(made, str) and not opened, f"{made} {opened}"


@attempt
def escape_root(host):
    same = outcome(os.stat, "/proc/1/root")
    stays = isinstance(same, str) or os.path.samestat(same, os.stat("/"))
    results = (outcome(os.chroot, "/tmp"), call("pivot", b"/tmp", b"/tmp"))
    return stays and refused(*results)[0], str(results)


@attempt
def exceed_limits(host):
    files, core = (
        resource.getrlimit(each)[1] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)
    )
    raised = outcome(resource.setrlimit, resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))
    return files <= 65536 and core == 0, f"files {files} core {core} {raised}"


@attempt
def rewrite_runtime(host):
    paths = (os.__file__, "/etc/passwd", "/usr/bin/env", "/opt/brisk/runtimes/python/proxy.py")
    writable = [path for path in paths if not isinstance(outcome(_open, path, os.O_WRONLY), str)]
    created = outcome(_open, "/usr/bin/.x", os.O_WRONLY | os.O_CREAT)
    return not writable and isinstance(created, str), str(writable)


def main(args):
    host, only = args["host"], args.get("only")
    verdicts = {}
    for each in ATTEMPTS:
        if only is None or each.__name__ in only:
            try:
                contained, seen = each(host)
            except BaseException as error:
                contained, seen = None, f"{type(error).__name__}: {error}"
            verdicts[each.__name__] = {"contained": contained, "seen": seen}
    return verdicts
