"""The default gateway, out of the text of /proc/net/route and /proc/net/ipv6_route."""

from __future__ import annotations

from ipaddress import IPv6Address

from lab.agent.bgp.gateway import default_gateway, default_gateway6
from tests.unit.agent.bgp_given import ROUTER


def test_the_default_gateway_of_a_routing_table() -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t0010AC00\t0201A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t00000000\t0301A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
        "eth0\t00000000\t00000000\t0001\t0\t0\t9\t00000000\t0\t0\t0\n"
        "cut off\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    )
    assert default_gateway(table) == ROUTER
    assert default_gateway(table.splitlines()[0]) is None


def test_the_default_gateway_of_an_ipv6_routing_table() -> None:
    via, rest = f"20010db80001{'0' * 19}", "00000400 00000001 00000000"
    table = (
        f"20010db8000100000000000000000000 40 {'0' * 32} 00 {'0' * 32} {rest} 00000001     eth0\n"
        f"20010db8000200000000000000000000 40 {'0' * 32} 00 {via}2 {rest} 00000003     eth0\n"
        f"{'0' * 32} 01 {'0' * 32} 00 {via}3 {rest} 00000003     eth0\n"
        "cut off\n"
        f"{'0' * 32} 00 {'0' * 32} 00 {via}1 {rest} 00000003     eth0\n"
        f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
    )
    assert default_gateway6(table) == IPv6Address("2001:db8:1::1")
    assert default_gateway6(table.splitlines()[-1]) is None
