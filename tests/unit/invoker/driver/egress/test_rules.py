"""The rules, read as a firewall reads them: the first that matches decides."""

from ipaddress import IPv4Network, ip_address, ip_network

import pytest

from invoker.driver.egress import rules
from invoker.driver.egress.plan import Site

SITE = Site(
    "1a2b3c4d",
    IPv4Network("10.192.4.0/22"),
    nameservers=(ip_address("10.0.0.53"),),
    allowed=(ip_network("10.0.0.0/8"),),
    has_ipv6=True,
)
STRICT = Site("1a2b3c4d", SITE.block, nameservers=SITE.nameservers)


def verdict(site: Site, chain: str, to: str, *, port: int = 443, own: str = "10.192.4.9") -> str:
    """Return what *chain* says of a TCP packet from *own* to *to*."""
    address, source = ip_address(to), ip_address(own)
    for line in rules.additions(site, address.version).splitlines():
        words = line.split()
        if words[:2] != ["-A", site.chain(chain)]:
            continue
        if _matches(words, address, source, port):
            return words[words.index("-j") + 1]
    raise AssertionError(f"nothing decides over {to}")


def _matches(words: list[str], address: object, source: object, port: int) -> bool:
    if "-p" in words and words[words.index("-p") + 1] != "tcp":
        return False
    if "--dport" in words and int(words[words.index("--dport") + 1]) != port:
        return False
    if "-d" in words and address not in ip_network(words[words.index("-d") + 1]):
        return False
    if "-s" in words:
        at = words.index("-s")
        return (source in ip_network(words[at + 1])) != (words[at - 1] == "!")
    return True


def test_the_internet_is_open() -> None:
    assert verdict(STRICT, rules.FORWARDED, "93.184.216.34") == "ACCEPT"
    inside = str(SITE.address6(9))
    assert verdict(SITE, rules.FORWARDED, "2606:4700::1", own=inside) == "ACCEPT"


@pytest.mark.parametrize("to", ["10.1.1.1", "192.168.0.1", "169.254.169.254", "172.17.0.2"])
def test_private_networks_are_closed(to: str) -> None:
    assert verdict(STRICT, rules.FORWARDED, to) == "REJECT"


def test_a_listed_range_is_open_but_for_the_sandboxes_in_it() -> None:
    assert verdict(SITE, rules.FORWARDED, "10.1.1.1") == "ACCEPT"
    assert verdict(SITE, rules.FORWARDED, "192.168.0.1") == "REJECT"
    assert verdict(SITE, rules.FORWARDED, str(SITE.address(7))) == "REJECT"


def test_a_resolver_is_asked_for_names_and_for_nothing_else() -> None:
    assert verdict(STRICT, rules.FORWARDED, "10.0.0.53", port=53) == "ACCEPT"
    assert verdict(STRICT, rules.FORWARDED, "10.0.0.53", port=80) == "REJECT"


def test_a_foreign_source_is_dropped() -> None:
    assert verdict(SITE, rules.FORWARDED, "1.1.1.1", own="203.0.113.9") == "DROP"


def test_this_host_answers_nothing_but_names() -> None:
    assert verdict(STRICT, rules.OWN, "10.192.4.1", port=22) == "REJECT"
    assert verdict(STRICT, rules.OWN, "10.0.0.53", port=53) == "ACCEPT"
    assert verdict(SITE, rules.OWN, "2001:db8::1", port=22) == "REJECT"


def test_without_ipv6_nothing_of_it_passes() -> None:
    text = rules.additions(STRICT, 6)
    assert verdict(STRICT, rules.FORWARDED, "2606:4700::1") == "DROP"
    assert verdict(STRICT, rules.OWN, "2001:db8::1") == "DROP"
    assert "*nat" not in text


def saved(text: str) -> str:
    """Return what `iptables-save` says once *text* was carried out on a host with rules."""
    lines = []
    for line in text.splitlines():
        lines.append(line.replace("-I ", "-A ", 1) if line.startswith("-I ") else line)
        if line == "*filter":
            lines += [":INPUT ACCEPT [1:2]", ":DOCKER - [0:0]", "-A INPUT -i docker0 -j DOCKER"]
    return "# Generated\n" + "\n".join(lines)


def test_what_was_made_is_removed_and_nothing_else() -> None:
    removals = rules.removals(saved(rules.additions(SITE, 4)), SITE.tag)
    lines = removals.splitlines()
    deleted = [line for line in lines if line.startswith("-D")]
    made = [line for line in rules.additions(SITE, 4).splitlines() if line.startswith("-I ")]
    assert sorted(deleted) == sorted(line.replace("-I ", "-D ", 1) for line in made)
    emptied = [line.split()[1] for line in lines if line.startswith("-X")]
    assert emptied == [SITE.chain(each) for each in (rules.FORWARDED, rules.OWN, rules.LEAVING)]
    assert "DOCKER" not in removals


def test_rules_of_another_installation_stay() -> None:
    assert rules.removals(saved(rules.additions(SITE, 4)), "ffffffff") == ""
