"""Bridges and namespaces: made, and gone with their last descriptor.

A namespace here has no name and no mount: it lives as long as somebody holds its descriptor or a
process is in it, and its cable goes with it. A killed platform leaves nothing of them behind.
Everything here blocks. What enters another namespace does so with its own thread only, and comes
back before it returns.
"""

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from invoker.driver.egress import netlink, plan
from invoker.driver.egress.plan import Site

INSIDE: Final = "eth0"
"""The name of a sandbox's own end."""
_OWN: Final = "/proc/thread-self/ns/net"
_NEW_NETWORK: Final = 0x40000000
_ANYWHERE: Final = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def new_namespace() -> Iterator[int]:
    """Be in a new network namespace with this thread; yield a descriptor of it for as long."""
    with _coming_back():
        _check(_libc.unshare(_NEW_NETWORK))
        own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield own
        finally:
            os.close(own)


@contextlib.contextmanager
def _coming_back() -> Iterator[None]:
    """Have this thread in its namespace of now at the end."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(home)


def enter(namespace: int) -> None:
    """Move this thread into *namespace*. Raises `OSError`."""
    _check(_libc.setns(namespace, _NEW_NETWORK))


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def make_bridge(site: Site) -> None:
    """Make the bridge of *site*, with its addresses. Raises `OSError`."""
    with netlink.Netlink() as kernel:
        kernel.do([netlink.new_bridge(site.bridge, site.hardware_address(1))])
        index = kernel.index(site.bridge)
        _set_ipv6(site.bridge, site.has_ipv6)
        kernel.do([netlink.new_address(index, site.address(1), site.block.prefixlen)])
        if site.has_ipv6:
            kernel.do([netlink.new_address(index, site.address6(1), site.block6.prefixlen)])


def idle_bridges() -> list[str]:
    """Return the tags of installations whose bridge has nothing plugged in. Raises `OSError`."""
    found = []
    with netlink.Netlink() as kernel:
        for _, name in socket.if_nameindex():
            if (tag := plan.tag_of(name)) and not kernel.has_carrier(name):
                found.append(tag)
    return found


def claim(tag: str) -> socket.socket | None:
    """Return what shows others that the installation *tag* is alive; None if another holds it.

    A name of this host's network that goes with the process, however it ends.
    """
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0brisk-network-{tag}")
    except OSError:
        held.close()
        return None
    return held


def is_there(name: str) -> bool:
    """Tell whether this host has a link *name*."""
    return name in (each for _, each in socket.if_nameindex())


def remove_bridge(name: str) -> bool:
    """Remove the bridge *name*, and tell whether there was one."""
    with netlink.Netlink() as kernel:
        try:
            _delete(kernel, name)
        except FileNotFoundError:
            return False
    return True


def _delete(kernel: netlink.Netlink, name: str) -> None:
    """Remove the link *name*. Raises `OSError`, and `FileNotFoundError` where there is none."""
    try:
        kernel.do([netlink.delete_link(kernel.index(name))])
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise FileNotFoundError(f"there is no link {name}") from error
        raise


def make_namespace(site: Site, number: int) -> int:
    """Return a descriptor of a new namespace, its cable plugged in. Raises `OSError`."""
    with made_namespace(site, number) as namespace:
        return os.dup(namespace)


@contextlib.contextmanager
def made_namespace(site: Site, number: int) -> Iterator[int]:
    """Be with this thread in such a namespace, which ends with its last descriptor."""
    with netlink.Netlink() as outside, new_namespace() as namespace:
        _furnish(site, number, outside, namespace)
        yield namespace


def plug(site: Site, number: int, namespace: int) -> None:
    """Lead *namespace*, which is somebody else's and has nothing but a loopback, outside.

    Raises `OSError`. `unplug` removes what is there by then, too.
    """
    with netlink.Netlink() as outside, _coming_back():
        enter(namespace)
        _furnish(site, number, outside, namespace)


def unplug(site: Site, number: int) -> None:
    """Remove the cable *number*, if there is one. Raises `OSError`."""
    with netlink.Netlink() as kernel, contextlib.suppress(FileNotFoundError):
        _delete(kernel, _port(site, number))


def _furnish(site: Site, number: int, outside: netlink.Netlink, namespace: int) -> None:
    """Give *namespace*, which this thread is in, its cable, addresses and routes."""
    with netlink.Netlink() as inside:
        _prepare_settings(site)
        inside.do([netlink.raise_link(inside.index("lo"))])
        _plug_in(site, number, outside, namespace)
        inside.do(_configuration(site, number, inside.index(INSIDE)))


def _plug_in(site: Site, number: int, outside: netlink.Netlink, namespace: int) -> None:
    name = _port(site, number)
    bridge = outside.index(site.bridge)
    address = site.hardware_address(number)
    outside.do([netlink.new_pair(name, bridge, INSIDE, namespace, address)])
    outside.do([netlink.isolate(outside.index(name))])


def _port(site: Site, number: int) -> str:
    """Return the name of the end of a cable that is on this host."""
    return f"bk{site.tag}{number:x}"


def _prepare_settings(site: Site) -> None:
    if not Path("/proc/sys/net/ipv6").exists():
        return
    if site.has_ipv6:
        _set_ipv6("all", True)  # an engine makes namespaces without
    else:
        _set_ipv6("default", False)
    # No link-local address: nobody needs one, and it would be one more way to the host.
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv6/conf/default/addr_gen_mode").write_text("1")


def _set_ipv6(link: str, enabled: bool) -> None:
    setting = Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6")
    if setting.exists():
        setting.write_text("0" if enabled else "1")


def _configuration(site: Site, number: int, index: int) -> Iterator[netlink.Message]:
    """Yield what a namespace needs; the order matters.

    What is prohibited comes first, for there may be somebody in it already; and a gateway has to be
    reachable before it is one.
    """
    versions = (4, 6) if site.has_ipv6 else (4,)
    for version in versions:
        for block in plan.prohibited(site, version):
            yield netlink.prohibit(block)
    yield netlink.raise_link(index)
    for version in versions:
        own, gateway = (
            (site.address(number), site.address(1))
            if version == 4
            else (site.address6(number), site.address6(1))
        )
        yield netlink.new_address(index, own, own.max_prefixlen)
        yield netlink.new_route(ip_network(gateway), index)
        yield netlink.new_route(_ANYWHERE[version], index, gateway)
        for block in plan.reached(site, version):
            yield netlink.new_route(block, index, gateway)
