from ipaddress import IPv4Network, ip_address, ip_network

import pytest

from invoker.driver.egress import plan
from invoker.driver.egress.plan import Site

TAG = "00000001"
WITHIN = IPv4Network("10.192.0.0/20")  # four blocks
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
brk00000001\t0004C00A\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0
"""
ROUTES6 = (
    "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
)


def test_a_block_is_the_same_each_time_and_another_for_another_installation() -> None:
    assert plan.choose_block(TAG, WITHIN, []) == IPv4Network("10.192.4.0/22")
    assert plan.choose_block("00000002", WITHIN, []) == IPv4Network("10.192.8.0/22")


def test_a_block_that_this_host_uses_is_passed_over() -> None:
    taken = [ip_network("10.192.5.0/24"), ip_network("10.192.8.0/21"), ip_network("0.0.0.0/0")]
    assert plan.choose_block(TAG, WITHIN, taken) == IPv4Network("10.192.0.0/22")


def test_that_no_block_is_left_is_said() -> None:
    with pytest.raises(plan.NoBlockLeft, match=r"10\.192\.0\.0/20"):
        plan.choose_block(TAG, WITHIN, [ip_network("10.0.0.0/8")])
    with pytest.raises(plan.NoBlockLeft, match="smaller"):
        plan.choose_block(TAG, IPv4Network("10.0.0.0/24"), [])


def test_routes_are_read_without_our_own() -> None:
    assert plan.parse_routes(ROUTES, but="brk00000001") == [
        ip_network("0.0.0.0/0"),
        ip_network("172.17.0.0/16"),
    ]
    assert ip_network("10.192.4.0/22") in plan.parse_routes(ROUTES, but="eth0")


def test_a_default_route_of_ipv6_is_one_that_leads_out() -> None:
    assert not plan.has_default_route6(ROUTES6)
    assert plan.has_default_route6(ROUTES6.replace("      lo", "    eth0"))


def test_names_and_addresses_are_unlike_for_sandboxes_and_fit() -> None:
    site = Site("1a2b3c4d", IPv4Network("10.192.4.0/22"))
    assert len(site.bridge) <= 15
    assert len(f"bk{site.tag}{plan.LAST:x}") <= 15
    numbers = range(1, plan.LAST + 1)
    assert len({site.hardware_address(each) for each in numbers}) == plan.LAST
    assert site.address(plan.LAST) in site.block
    assert site.address(plan.LAST) != site.block.broadcast_address
    assert site.address6(plan.LAST) in site.block6
    assert site.block6.is_private


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.100.100.200", "224.0.0.1", "255.255.255.255", "::1", "::ffff:10.0.0.1", "fe80::1"),
        *("fd00:ec2::254", "ff02::1", "64:ff9b::a9fe:a9fe", "2002:a00:1::", "::10.0.0.1"),
    ],
)
def test_what_is_not_the_internet_is_refused(address: str) -> None:
    one = ip_address(address)
    assert any(one in block for block in plan.refused(one.version))


@pytest.mark.parametrize("address", ["1.1.1.1", "172.32.0.1", "2606:4700::1", "64:ff9b::808:808"])
def test_the_internet_is_not_refused(address: str) -> None:
    one = ip_address(address)
    assert not any(one in block for block in plan.refused(one.version))


def test_a_listed_range_that_holds_a_refused_one_opens_it_whole() -> None:
    block = IPv4Network("10.192.4.0/22")
    site = Site(TAG, block, allowed=(ip_network("10.0.0.0/8"), ip_network("192.168.1.0/24")))
    prohibited = set(plan.prohibited(site, 4))
    assert ip_network("10.0.0.0/8") not in prohibited
    assert {ip_network("192.168.0.0/16"), block} <= prohibited
    assert ip_network("192.168.1.0/24") in plan.reached(site, 4)


def test_each_way_is_named_once_and_the_default_is_not_one() -> None:
    resolver = ip_address("10.0.0.53")
    listed = (ip_network("10.0.0.53/32"), ip_network("0.0.0.0/0"))
    site = Site(TAG, IPv4Network("10.192.4.0/22"), (resolver, ip_address("fd00::53")), listed)
    assert plan.reached(site, 4) == [ip_network("10.0.0.53/32")]
    assert plan.reached(site, 6) == [ip_network("fd00::53/128")]


def test_resolvers_that_only_this_host_reaches_are_no_resolvers() -> None:
    said = "nameserver 127.0.0.53\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\nnameserver x\n#"
    assert plan.parse_nameservers(said) == [ip_address("10.0.0.53")]


def test_a_sandbox_asks_as_its_host_does() -> None:
    configuration = "# by hand\nnameserver 127.0.0.53\nsearch example.org\noptions ndots:2\n"
    asked = plan.resolver([ip_address("10.0.0.53")], configuration)
    assert asked == "nameserver 10.0.0.53\nsearch example.org\noptions ndots:2\n"
    assert "nameserver 127.0.0.53" in plan.resolver([], configuration)


FIB = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.1.0.0
        /16 link UNICAST
     |-- 10.1.0.9
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 203.0.113.2
        /32 host LOCAL
"""


def test_addresses_of_this_host_are_read_without_its_loopback() -> None:
    found = [ip_address("10.1.0.9"), ip_address("203.0.113.2")]
    assert plan.parse_own_addresses(FIB) == found


def test_what_is_closed_has_holes_for_what_is_listed_and_none_for_this_host() -> None:
    closed = plan.closed(
        [ip_network("10.1.0.0/16"), ip_network("fd00::/8")],
        [ip_address("192.168.0.53")],
        plan.parse_own_addresses(FIB),
    )

    def is_closed(address: str) -> bool:
        return any(ip_address(address) in block for block in closed)

    assert not is_closed("10.1.2.3") and is_closed("10.2.2.3")
    assert not is_closed("192.168.0.53") and is_closed("192.168.0.54")
    assert is_closed("10.1.0.9") and is_closed("203.0.113.2")
    assert is_closed("169.254.169.254") and not is_closed("1.1.1.1")
    assert ip_network("169.254.0.0/16") in closed


def test_a_range_that_is_listed_whole_is_open_but_for_this_host() -> None:
    closed = plan.closed([ip_network("10.0.0.0/7")], [], [ip_address("10.1.0.9")])
    assert [each for each in closed if str(each).startswith("10.")] == [ip_network("10.1.0.9/32")]


def test_only_our_bridges_are_ours() -> None:
    assert plan.tag_of(Site("1a2b3c4d", IPv4Network("10.192.4.0/22")).bridge) == "1a2b3c4d"
    assert [plan.tag_of(each) for each in ("docker0", "brk1a2b3c4dx", "bk1a2b3c4d2")] == [""] * 3
