"""MetalLB's pools, as Cilium 1.10 reads and serves them."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.operator.metallb import Allocator, Request
from lab.operator.metallb_pools import Address, PoolError, parse_config

CONFIG = """
peers:
- {peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512}
address-pools:
- {name: default, protocol: bgp, addresses: [172.16.10.0/24]}
- {name: spare, protocol: bgp, auto-assign: false, addresses: [172.16.20.5-172.16.20.6]}
"""


def allocator(config: str = CONFIG) -> Allocator:
    made = Allocator()
    made.set_pools(parse_config(config))
    return made


def shown(addresses: tuple[Address, ...]) -> str:
    return ",".join(map(str, addresses))


def request(name: str, port: int = 80, **parts: Any) -> Request:
    return Request(f"default/{name}", (("TCP", port),), **parts)


def test_the_first_address_is_zero() -> None:
    pools = allocator()
    got = [shown(pools.allocate(request(name))) for name in ("a", "b")]
    assert got == ["172.16.10.0", "172.16.10.1"]
    assert shown(pools.allocate(request("a"))) == "172.16.10.0"


def test_buggy_addresses_are_avoided_on_request() -> None:
    text = "address-pools: [{name: d, protocol: bgp, avoid-buggy-ips: true, addresses: [%s]}]"
    pools = allocator(text % "10.0.0.254-10.0.1.1")
    got = [shown(pools.allocate(request(name))) for name in ("a", "b")]
    assert got == ["10.0.0.254", "10.0.1.1"]
    with pytest.raises(PoolError, match="no available IPs"):
        pools.allocate(request("c"))


def test_a_pool_without_auto_assign_serves_by_name_only() -> None:
    pools = allocator()
    assert shown(pools.allocate(request("a", pool="spare"))) == "172.16.20.5"
    assert shown(pools.allocate(request("b"))) == "172.16.10.0"
    with pytest.raises(PoolError, match='unknown pool "none"'):
        pools.allocate(request("c", pool="none"))


def test_a_wanted_address_is_given_or_refused() -> None:
    pools = allocator()
    assert shown(pools.allocate(request("a", wanted=("172.16.10.7",)))) == "172.16.10.7"
    with pytest.raises(PoolError, match="change sharing key"):
        pools.allocate(request("b", wanted=("172.16.10.7",)))
    with pytest.raises(PoolError, match="not allowed in config"):
        pools.allocate(request("b", wanted=("10.9.9.9",)))
    assert shown(pools.allocate(request("a", wanted=("172.16.10.8",)))) == "172.16.10.8"
    assert shown(pools.allocate(request("b", wanted=("172.16.10.7",)))) == "172.16.10.7"


@pytest.mark.parametrize(
    ("second", "shares"),
    [
        (request("b", 81, sharing_key="k"), True),
        (request("b", 80, sharing_key="k"), False),
        (request("b", 81, sharing_key="other"), False),
        (request("b", 81), False),
        (request("b", 81, sharing_key="k", backend_key="local"), False),
    ],
    ids=["fits", "same port", "another key", "no key", "another backend"],
)
def test_sharing(second: Request, shares: bool) -> None:
    pools = allocator()
    first = pools.allocate(request("a", 80, sharing_key="k"))
    assert (pools.allocate(second) == first) is shares


def test_released_addresses_are_given_again() -> None:
    pools = allocator()
    pools.allocate(request("a"))
    assert pools.release("default/a")
    assert not pools.release("default/a")
    assert shown(pools.allocate(request("b"))) == "172.16.10.0"


def test_a_configuration_that_takes_away_used_addresses_is_refused() -> None:
    pools = allocator()
    pools.assign(request("a"), IPv4Address("172.16.10.9"))
    with pytest.raises(PoolError, match='service "default/a" cannot own'):
        pools.set_pools(parse_config(CONFIG.replace("172.16.10.0/24", "172.16.10.0/29")))
    assert shown(pools.allocate(request("b"))) == "172.16.10.0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "could not parse config"),
        ("[]", "a mapping is expected"),
        ("address-pools: [{protocol: bgp}]", "missing pool name"),
        ("address-pools: [{name: a, protocol: ospf, addresses: [10.0.0.0/8]}]", "unknown protocol"),
        ("address-pools: [{name: a, protocol: bgp}]", "no prefixes defined"),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/33]}]", "invalid CIDR"),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.9-10.0.0.1]}]", "invalid"),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/8]},"
         " {name: b, protocol: bgp, addresses: [10.1.0.0/16]}]", "overlaps with already defined"),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/8]},"
         " {name: a, protocol: bgp, addresses: [11.0.0.0/8]}]", "duplicate name"),
        ("address-pools: 7", "address-pools"),
        ("address-pools: [{name: a, protocol: bgp, addresses: 7}]", "addresses"),
    ],
)  # fmt: skip
def test_mistakes_in_the_configuration(text: str, words: str) -> None:
    with pytest.raises(PoolError, match=words):
        parse_config(text)


BOTH = CONFIG.replace("172.16.10.0/24", "172.16.10.0/24, '2001:db8:172::/112'")


def test_a_service_of_both_families_gets_an_address_of_each() -> None:
    pools = allocator(BOTH)
    assert shown(pools.allocate(request("a", versions=(4, 6)))) == "172.16.10.0,2001:db8:172::"
    assert shown(pools.allocate(request("b", versions=(6,)))) == "2001:db8:172::1"
    assert shown(pools.allocate(request("c", versions=(6, 4)))) == "2001:db8:172::2,172.16.10.1"


def test_an_address_may_be_wanted_for_each_family() -> None:
    pools = allocator(BOTH)
    wanted = ("2001:db8:172::77", "172.16.10.7")
    assert shown(pools.allocate(request("a", versions=(4, 6), wanted=wanted))) == (
        "172.16.10.7,2001:db8:172::77"
    )
    only_one = request("b", versions=(4, 6), wanted=("2001:db8:172::78",))
    assert shown(pools.allocate(only_one)) == "172.16.10.0,2001:db8:172::78"
    with pytest.raises(PoolError, match="is IPv6, which the service does not have"):
        pools.allocate(request("c", wanted=("2001:db8:172::79",)))


def test_a_family_without_a_pool_is_missed_by_who_needs_it_only() -> None:
    pools = allocator()
    with pytest.raises(PoolError, match="no available IPs"):
        pools.allocate(request("a", versions=(4, 6)))
    assert pools.held("default/a") == ()
    assert shown(pools.allocate(request("b", versions=(4, 6), all_needed=False))) == "172.16.10.0"


def test_a_service_that_gives_up_a_family_gives_back_its_address() -> None:
    pools = allocator(BOTH)
    pools.allocate(request("a", versions=(4, 6)))
    assert shown(pools.allocate(request("a"))) == "172.16.10.0"
    assert shown(pools.allocate(request("b", versions=(6,)))) == "2001:db8:172::"
