"""Addresses of pods."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

import pytest

from lab.agent.pods.address import PodAddresses
from lab.errors import LabError

ROUTER = IPv4Address("10.0.1.1")


def addresses(tmp_path: Path, network: str = "10.0.1.0/24") -> PodAddresses:
    return PodAddresses(IPv4Network(network), tmp_path / "addresses.json", [ROUTER])


def test_the_first_pod_gets_the_first_address_behind_the_router(tmp_path: Path) -> None:
    assert str(addresses(tmp_path).take("a")) == "10.0.1.2"


def test_a_pod_keeps_its_address_when_the_agent_comes_back(tmp_path: Path) -> None:
    first = addresses(tmp_path)
    first.take("a")
    kept = first.take("b")

    assert addresses(tmp_path).take("b") == kept


def test_a_freed_address_is_the_last_to_be_given_again(tmp_path: Path) -> None:
    pool = addresses(tmp_path, "10.0.1.0/29")
    freed = pool.take("a")
    pool.give_back("a")

    later = [pool.take(f"pod{n}") for n in range(5)]
    assert later[-1] == freed


def test_a_full_network_is_an_error(tmp_path: Path) -> None:
    pool = addresses(tmp_path, "10.0.1.0/30")
    pool.take("a")

    with pytest.raises(LabError, match=r"no address is left .* 10\.0\.1\.0/30"):
        pool.take("b")


def test_an_ipv6_address_reads_like_its_ipv4_counterpart(tmp_path: Path) -> None:
    network6 = IPv6Network("fd00:10:0:1::/64")
    pool = PodAddresses(IPv4Network("10.0.1.0/24"), tmp_path / "a.json", [ROUTER], network6)
    assert str(pool.counterpart(pool.take("a"))) == "fd00:10:0:1::2"
    assert str(pool.counterpart(IPv4Address("10.0.1.150"))) == "fd00:10:0:1::150"
    assert addresses(tmp_path).counterpart(IPv4Address("10.0.1.2")) is None
