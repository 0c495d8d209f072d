"""The services of the comparison with netfilter: their addresses, ports and backends."""

from __future__ import annotations

from ipaddress import IPv4Address

from lab.bench.paths.bare_path import POD

TCP, UDP = 6, 17
WEB, IPERF = 80, 5201
PORTS = ((TCP, WEB), (TCP, IPERF), (UDP, IPERF))
"""Of the last service, which is the one that is measured, with nginx and iperf3."""
FIRST = IPv4Address("172.16.0.0")


def vip(count: int) -> str:
    """The address of the last of `count` services."""
    return str(FIRST + count - 1)


def ports(number: int, count: int) -> tuple[tuple[int, int], ...]:
    """Protocols and ports of a service; all but the last have one."""
    return PORTS if number == count - 1 else PORTS[:1]


def backend(number: int, count: int) -> str:
    """Of the last service the pod, of every other an address that nobody asks for."""
    return POD if number == count - 1 else str(IPv4Address("10.0.1.10") + number % 240)
