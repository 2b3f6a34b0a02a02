"""Names, addresses and reach of one installation's networks, from plain values. Pure.

Sandboxes sit on a bridge of their installation's own, each in a network namespace with one address.
All names derive from a tag of the installation, so that whoever comes after a crash finds what was
left without any record. Addresses are taken from a block that nothing on this host uses.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Block: TypeAlias = IPv4Network | IPv6Network

PREFIX: Final = 22
"""A bridge of Linux has at most 1023 ports, so a /22 is as much as it can use."""
FIRST, LAST = 2, 1022
"""Numbers of sandboxes; 1 is the bridge."""
DNS_PORT: Final = 53

_REFUSED_4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private
    "100.64.0.0/10",  # carriers' and overlays'
    "127.0.0.0/8",
    "169.254.0.0/16",  # link-local: metadata services
    "192.0.0.0/24",
    "198.18.0.0/15",  # benchmarks of networks
    "224.0.0.0/4", "240.0.0.0/4",  # multicast, reserved, broadcast
)  # fmt: skip
_REFUSED_6: Final = (
    "::/96",  # unspecified, loopback, IPv4 in its oldest disguise
    "::ffff:0:0/96", "64:ff9b:1::/48",  # IPv4 in others, translated on the way
    "2001::/32", "2002::/16",  # Teredo and 6to4 carry any IPv4 address
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip
_TRANSLATED: Final = "64:ff9b::/96"
"""Where a NAT64 shows the IPv4 internet; its private part is refused like the original."""


_BRIDGE: Final = re.compile(r"brk([0-9a-f]{8})")


class NoBlockLeft(ValueError):
    """Every block of addresses is used on this host."""


@dataclass(frozen=True, slots=True)
class Site:
    """The networks of one installation: everything that its links and rules are made from."""

    tag: str
    """Eight hexadecimal digits that are this installation's."""
    block: IPv4Network
    nameservers: tuple[Address, ...] = ()
    """Whom sandboxes may ask for names, wherever they are: on port 53 and no other."""
    allowed: tuple[Block, ...] = ()
    """Private ranges that the operator has listed."""
    has_ipv6: bool = False

    @property
    def bridge(self) -> str:
        """The name of the bridge; Linux has 15 characters for it."""
        return f"brk{self.tag}"

    def chain(self, purpose: str) -> str:
        """Return the name of a chain of rules of ours."""
        return f"BRISK-{self.tag}-{purpose}"

    @property
    def block6(self) -> IPv6Network:
        """A private block (RFC 4193) that is this installation's as `tag` is."""
        return IPv6Network((0xFD << 120 | int(self.tag, 16) << 80, 64))

    def address(self, number: int) -> IPv4Address:
        """Return the address of the sandbox *number*; 1 is the bridge's."""
        return self.block.network_address + number

    def address6(self, number: int) -> IPv6Address:
        """Return the same of IPv6."""
        return self.block6.network_address + number

    def hardware_address(self, number: int) -> bytes:
        """Return the MAC address, the same for the same number: nobody's table grows stale."""
        return b"\x02\xb5" + self.address(number).packed


def tag_of(bridge: str) -> str:
    """Return whose bridge the link of that name is; empty if it is none of ours."""
    match = _BRIDGE.fullmatch(bridge)
    return match.group(1) if match else ""


def refused(version: int) -> tuple[Block, ...]:
    """Return what is not the internet, for IPv4 or IPv6."""
    if version == 4:
        return tuple(map(ip_network, _REFUSED_4))
    embedded = (_embed(IPv4Network(each)) for each in _REFUSED_4)
    return (*map(ip_network, _REFUSED_6), *embedded)


def _embed(block: IPv4Network) -> IPv6Network:
    base = int(IPv6Network(_TRANSLATED).network_address)
    return IPv6Network((base | int(block.network_address), 96 + block.prefixlen))


def choose_block(tag: str, within: IPv4Network, taken: Iterable[Block]) -> IPv4Network:
    """Return the block of *within* that *tag* gets; nothing of *taken* overlaps it.

    Raises `NoBlockLeft`.
    """
    used = [each for each in taken if isinstance(each, IPv4Network) and each.prefixlen]
    blocks = _count(within)
    start = int(tag, 16) % blocks
    for step in range(blocks):
        offset = ((start + step) % blocks) << (32 - PREFIX)
        candidate = IPv4Network((int(within.network_address) + offset, PREFIX))
        if not any(candidate.overlaps(each) for each in used):
            return candidate
    raise NoBlockLeft(f"this host uses all of {within}")


def _count(within: IPv4Network) -> int:
    if within.prefixlen > PREFIX:
        raise NoBlockLeft(f"{within} is smaller than the /{PREFIX} that is needed")
    return 1 << (PREFIX - within.prefixlen)


def parse_routes(table: str, but: str) -> list[IPv4Network]:
    """Return the destinations in *table* (`/proc/net/route`), without those of the link *but*."""
    return [
        IPv4Network((_little_endian(destination), str(IPv4Address(_little_endian(mask)))))
        for link, destination, _, _, _, _, _, mask, *_ in map(str.split, table.splitlines()[1:])
        if link != but
    ]


def _little_endian(hexadecimal: str) -> int:
    return int.from_bytes(bytes.fromhex(hexadecimal), "little")


def has_default_route6(table: str) -> bool:
    """Tell whether *table*, which is `/proc/net/ipv6_route`, leads anywhere but to neighbours."""
    rows = (line.split() for line in table.splitlines())
    return any(row[1] == "00" and int(row[0], 16) == 0 and row[9] != "lo" for row in rows)


def parse_nameservers(configuration: str) -> list[Address]:
    """Return the servers that *configuration*, a `resolv.conf`, names and a sandbox can reach."""
    found = []
    for line in configuration.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and (address := _address(words[1])):
            found.append(address)
    return found


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)  # "fe80::1%eth0" is one, too, and of this host's links
    except ValueError:
        return None
    return None if address.is_loopback or address.is_unspecified or "%" in text else address


def prohibited(site: Site, version: int) -> Iterator[Block]:
    """Yield what a sandbox has no route to: others, and what is refused and not listed."""
    yield site.block if version == 4 else site.block6
    for block in refused(version):
        if not any(_covers(each, block) for each in site.allowed):
            yield block


def reached(site: Site, version: int) -> list[Block]:
    """Return what a sandbox has a route to although it lies in what is refused, each once."""
    blocks = (*site.allowed, *map(ip_network, site.nameservers))
    return [each for each in dict.fromkeys(blocks) if each.version == version and each.prefixlen]


def closed(
    allowed: Iterable[Block], nameservers: Iterable[Address], own: Iterable[Address]
) -> list[IPv4Network]:
    """Return what a sandbox has no route to, where nothing but routes keeps it from there.

    That is what is refused, but for what is listed and those who know names; and *own* addresses of
    this host, whatever is listed.
    """
    holes = [each for each in (*allowed, *map(ip_network, nameservers)) if each.version == 4]
    blocks = [each for each in refused(4) if isinstance(each, IPv4Network)]
    for hole in holes:
        blocks = [part for each in blocks for part in _without(each, hole)]
    mine = [each for each in map(ip_network, own) if isinstance(each, IPv4Network)]
    return sorted(
        {*blocks, *(one for one in mine if not any(one.subnet_of(each) for each in blocks))}
    )


def _without(block: IPv4Network, hole: Block) -> Iterable[IPv4Network]:
    if not isinstance(hole, IPv4Network) or not block.overlaps(hole):
        return [block]
    return () if block.subnet_of(hole) else block.address_exclude(hole)


def parse_own_addresses(table: str) -> list[Address]:
    """Return this host's addresses, by *table*, which is `/proc/net/fib_trie`."""
    lines = [line.split() for line in table.splitlines()]
    found = {
        ip_address(leaf[-1]) for leaf, kind in pairwise(lines) if kind == ["/32", "host", "LOCAL"]
    }
    return sorted(each for each in found if isinstance(each, IPv4Address) and not each.is_loopback)


def _covers(outer: Block, inner: Block) -> bool:
    if isinstance(outer, IPv4Network) and isinstance(inner, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, IPv6Network) and isinstance(inner, IPv6Network):
        return inner.subnet_of(outer)
    return False


def parse_blocks(listed: str) -> tuple[Block, ...]:
    """Return the blocks of *listed*, which have commas between. Raises `ValueError`."""
    return tuple(ip_network(each.strip()) for each in listed.split(",") if each.strip())


def parse_addresses(listed: str) -> tuple[Address, ...]:
    """Return the addresses of *listed*, which have commas between. Raises `ValueError`."""
    return tuple(ip_address(each.strip()) for each in listed.split(",") if each.strip())


def resolver(nameservers: Sequence[Address], configuration: str) -> str:
    """Return the `resolv.conf` of sandboxes: *nameservers*, and how *configuration* asks them.

    Where there are none that a sandbox could reach, this host's own are named.
    """
    wanted = ("search", "options") if nameservers else ("search", "options", "nameserver")
    kept = [line for line in configuration.splitlines() if line.startswith(wanted)]
    return "\n".join([*(f"nameserver {each}" for each in nameservers), *kept, ""])
