"""The host's rules for packets of sandboxes, as text for `iptables-restore`. Pure.

Three chains of an installation's own, one jump to each from the host's. What a sandbox may not
reach is rejected and not dropped: code that tries is told at once. The host itself answers a
sandbox on no port; the platform's API has a way of its own (`invoker/driver/process/relay.py`).

The same ranges are closed once more by routes in the sandbox's own namespace (`links.py`), which a
reload of the host's firewall does not touch; only here can ports and the host's own addresses be
told apart.
"""

from collections.abc import Iterator

from invoker.driver.egress.plan import DNS_PORT, Site, refused

_REJECT = {
    4: "REJECT --reject-with icmp-admin-prohibited",
    6: "REJECT --reject-with adm-prohibited",
}
_NEIGHBOUR_DISCOVERY = (135, 136)
_REPLIES = "-m conntrack --ctstate RELATED,ESTABLISHED"
FORWARDED, OWN, LEAVING = "F", "I", "N"
"""The purposes of the three chains: through this host, to it, and out of it under its address."""


def additions(site: Site, version: int) -> str:
    """Return what makes the rules of *site*, for IPv4 or IPv6."""
    forwarded, own, leaving = (site.chain(each) for each in (FORWARDED, OWN, LEAVING))
    lines = ["*filter", f":{forwarded} - [0:0]", f":{own} - [0:0]"]
    lines += (f"-A {forwarded} {rule}" for rule in _forwarded(site, version))
    lines += (f"-A {own} {rule}" for rule in _own(site, version))
    # The last inserted is the first to be asked.
    lines += [
        f"-I FORWARD -o {site.bridge} -j DROP",
        f"-I FORWARD -o {site.bridge} {_REPLIES} -j ACCEPT",
        f"-I FORWARD -i {site.bridge} -j {forwarded}",
        f"-I INPUT -i {site.bridge} -j {own}",
        "COMMIT",
    ]
    if version == 4 or site.has_ipv6:
        lines += [
            "*nat",
            f":{leaving} - [0:0]",
            f"-A {leaving} -s {_block(site, version)} ! -o {site.bridge} -j MASQUERADE",
            f"-I POSTROUTING -j {leaving}",
            "COMMIT",
        ]
    return "\n".join([*lines, ""])


def _forwarded(site: Site, version: int) -> Iterator[str]:
    if version == 6 and not site.has_ipv6:
        yield "-j DROP"
        return
    yield f"! -s {_block(site, version)} -j DROP"
    # Other sandboxes, before what is listed: a listed range may hold their addresses.
    yield f"-d {_block(site, version)} -j {_REJECT[version]}"
    yield from _names(site, version)
    for block in site.allowed:
        if block.version == version:
            yield f"-d {block} -j ACCEPT"
    for block in refused(version):
        yield f"-d {block} -j {_REJECT[version]}"
    yield "-j ACCEPT"


def _own(site: Site, version: int) -> Iterator[str]:
    if version == 6:
        if not site.has_ipv6:
            yield "-j DROP"
            return
        for kind in _NEIGHBOUR_DISCOVERY:
            yield f"-p ipv6-icmp --icmpv6-type {kind} -j ACCEPT"
    yield from _names(site, version)  # this host may be the one that knows the names
    # The other answer comes while the connecting call holds its socket, which then tries again.
    yield "-p tcp -j REJECT --reject-with tcp-reset"
    yield f"-j {_REJECT[version]}"


def _names(site: Site, version: int) -> Iterator[str]:
    for server in site.nameservers:
        if server.version == version:
            for protocol in ("udp", "tcp"):
                yield f"-d {server} -p {protocol} --dport {DNS_PORT} -j ACCEPT"


def _block(site: Site, version: int) -> str:
    return str(site.block if version == 4 else site.block6)


def removals(saved: str, tag: str) -> str:
    """Return what removes the rules of the installation *tag*; empty if there are none.

    saved: what `iptables-save` says.
    """
    text: list[str] = []
    for table, lines in _tables(saved):
        chains = [words[0][1:] for words in lines if words[0].startswith(f":BRISK-{tag}-")]
        jumps = [
            ["-D", *words[1:]]
            for words in lines
            if words[0] == "-A" and not words[1].startswith(f"BRISK-{tag}-") and _is_of(words, tag)
        ]
        if chains or jumps:
            text.append(f"*{table}")
            text += (" ".join(words) for words in jumps)
            text += (f"-F {chain}" for chain in chains)
            text += (f"-X {chain}" for chain in chains)
            text.append("COMMIT")
    return "\n".join([*text, ""]) if text else ""


def _is_of(words: list[str], tag: str) -> bool:
    return f"brk{tag}" in words or any(word.startswith(f"BRISK-{tag}-") for word in words)


def _tables(saved: str) -> Iterator[tuple[str, list[list[str]]]]:
    table: str = ""
    lines: list[list[str]] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table, lines = line[1:].strip(), []
        elif line.startswith("COMMIT"):
            yield table, lines
        elif line and not line.startswith("#"):
            lines.append(line.split())
