"""MetalLB's pools, as Cilium 1.10 reads and serves them."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.kube.metallb import Allocator, PoolError, Request, parse_config

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


def request(name: str, port: int = 80, **parts: Any) -> Request:
    return Request(f"default/{name}", (("TCP", port),), **parts)


def test_the_first_address_is_zero() -> None:
    pools = allocator()
    got = [str(pools.allocate(request(name))) for name in ("a", "b")]
    assert got == ["172.16.10.0", "172.16.10.1"]
    assert str(pools.allocate(request("a"))) == "172.16.10.0"


def test_buggy_addresses_are_avoided_on_request() -> None:
    text = "address-pools: [{name: d, protocol: bgp, avoid-buggy-ips: true, addresses: [%s]}]"
    pools = allocator(text % "10.0.0.254-10.0.1.1")
    got = [str(pools.allocate(request(name))) for name in ("a", "b")]
    assert got == ["10.0.0.254", "10.0.1.1"]
    with pytest.raises(PoolError, match="no available IPs"):
        pools.allocate(request("c"))


def test_a_pool_without_auto_assign_serves_by_name_only() -> None:
    pools = allocator()
    assert str(pools.allocate(request("a", pool="spare"))) == "172.16.20.5"
    assert str(pools.allocate(request("b"))) == "172.16.10.0"
    with pytest.raises(PoolError, match='unknown pool "none"'):
        pools.allocate(request("c", pool="none"))


def test_a_wanted_address_is_given_or_refused() -> None:
    pools = allocator()
    assert str(pools.allocate(request("a", address="172.16.10.7"))) == "172.16.10.7"
    with pytest.raises(PoolError, match="change sharing key"):
        pools.allocate(request("b", address="172.16.10.7"))
    with pytest.raises(PoolError, match="not allowed in config"):
        pools.allocate(request("b", address="10.9.9.9"))
    assert str(pools.allocate(request("a", address="172.16.10.8"))) == "172.16.10.8"
    assert str(pools.allocate(request("b", address="172.16.10.7"))) == "172.16.10.7"


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
    assert str(pools.allocate(request("b"))) == "172.16.10.0"


def test_a_configuration_that_takes_away_used_addresses_is_refused() -> None:
    pools = allocator()
    pools.assign(request("a"), IPv4Address("172.16.10.9"))
    with pytest.raises(PoolError, match='service "default/a" cannot own'):
        pools.set_pools(parse_config(CONFIG.replace("172.16.10.0/24", "172.16.10.0/29")))
    assert str(pools.allocate(request("b"))) == "172.16.10.0"


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
