"""Which entries of the flow tables a flood has left there."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from lab.bpf.flood import STRANGERS, strangers
from lab.bpf.structs import ct_entry, ipv4_ct_tuple, ipv4_nat_entry
from lab.bpf.tables import CT_TCP, SNAT

POD, CLIENT, STRANGER = 0x0A000205, int(IPv4Address("192.168.10.11")), int(STRANGERS[9])


def flow(opener: int) -> bytes:
    return bytes(ipv4_ct_tuple(daddr=opener, saddr=POD, dport=80, sport=40000, nexthdr=6))


def test_a_strangers_flows_are_known_by_every_address_they_have() -> None:
    assert strangers(CT_TCP, [(flow(STRANGER), bytes(ct_entry()))]) == [flow(STRANGER)]
    for key, target in ((flow(STRANGER), CLIENT), (flow(CLIENT), STRANGER)):
        assert strangers(SNAT, [(key, bytes(ipv4_nat_entry(to_addr=target)))]) == [key]


@pytest.mark.parametrize("second", [0x12C6, 0x13C6])
def test_a_connections_lifetime_is_no_address(second: int) -> None:
    """It stands where a translation has its address: 198.18 or 198.19, read as one."""
    assert strangers(CT_TCP, [(flow(CLIENT), bytes(ct_entry(lifetime=second)))]) == []
