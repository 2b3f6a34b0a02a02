"""Whether this host can give sandboxes networks of their own: found out by doing it.

The attempt is made in a network namespace that nobody else sees and that is gone at its end, rules,
bridge and all. Everything here blocks.
"""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from common.settings import SandboxSettings
from invoker.driver.egress import firewall, links, plan
from invoker.driver.egress.plan import Site

_FORWARDING6: Final = Path("/proc/sys/net/ipv6/conf/all/forwarding")
_RESOLVERS: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The second is what systemd's own resolver, which only this host reaches, asks in turn."""


def site_of(settings: SandboxSettings, tag: str) -> Site:
    """Return what the networks of the installation *tag* would be. Raises `OSError`."""
    allowed = plan.parse_blocks(settings.allowed_ranges)
    bridge = Site(tag, IPv4Network(0)).bridge
    taken = [*plan.parse_routes(_read(Path("/proc/net/route")), but=bridge), *allowed]
    try:
        block = plan.choose_block(tag, IPv4Network(settings.subnets), taken)
    except plan.NoBlockLeft as error:
        raise OSError(
            f"{error}; BRISK_SANDBOX__SUBNETS has to name a range that is free"
        ) from error
    return Site(
        tag,
        block,
        nameservers(settings),
        allowed,
        _read(_FORWARDING6).strip() == "1"
        and plan.has_default_route6(_read(Path("/proc/net/ipv6_route"))),
    )


def nameservers(settings: SandboxSettings) -> tuple[plan.Address, ...]:
    """Return whom sandboxes ask for names: whom the operator says, or whom this host asks."""
    if settings.nameservers:
        return plan.parse_addresses(settings.nameservers)
    for path in _RESOLVERS:
        if found := plan.parse_nameservers(_read(path)):
            return tuple(found)
    return ()


def resolver(settings: SandboxSettings, helper: str = "") -> str:
    """Return the `resolv.conf` of sandboxes. *helper* is who answers for this host's resolver."""
    servers = nameservers(settings)
    if helper and not settings.nameservers:
        servers = plan.parse_addresses(helper)
    return plan.resolver(servers, _read(_RESOLVERS[0]))


def own_addresses() -> list[plan.Address]:
    """Return the addresses of this host."""
    return plan.parse_own_addresses(_read(Path("/proc/net/fib_trie")))


def try_out(site: Site) -> None:
    """Do once all that sandboxes with *site* need. Raises `OSError`, and leaves nothing."""
    with links.new_namespace():
        firewall.install(site)
        links.make_bridge(site)
        with links.made_namespace(site, plan.FIRST):
            pass


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
