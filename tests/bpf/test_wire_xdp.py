"""Native XDP on real links: whole connections through it, put on and taken off under them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab import shell
from lab.bpf.config import NodeConfig
from lab.emulation.offloads import serve_xdp

from .echo import DATA, connect, echo, round_trip
from .wire import LOCAL_VIP, LOCAL_VIP_6, REMOTE_VIP, REMOTE_VIP_6, Wire, default_config


def native_config(number: int) -> NodeConfig:
    return replace(default_config(number), native_xdp=True)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(native_config)
    try:
        for number in (1, 2):
            wire.router.run(lambda n=number: serve_xdp(f"node{n}"))  # type: ignore[misc]
        with echo(wire.pods[0]), echo(wire.pods[1]):
            yield wire
    finally:
        wire.close()


def turned_around(wire: Wire) -> int:
    """Packets that the ingress node's uplink sent back out of its driver."""
    shown = wire.nodes[0].run(lambda: shell.run(["ethtool", "-S", "eth0"]).out)
    return sum(map(int, re.findall(r"rx_queue_\d+_xdp_redirect: (\d+)", shown)))


@pytest.mark.parametrize("vips", [(REMOTE_VIP, LOCAL_VIP), (REMOTE_VIP_6, LOCAL_VIP_6)])
def test_large_transfers_are_intact(wire: Wire, vips: tuple[str, str]) -> None:
    for vip in vips:
        assert round_trip(wire.client, vip, DATA) == hashlib.sha256(DATA).hexdigest()
    # Both directions; the first packets went by tc, which found out the neighbours' addresses.
    assert turned_around(wire) > len(DATA) // 1500


def test_on_and_off_under_a_connection(wire: Wire) -> None:
    def echoes() -> bool:
        connection.sendall(b"word")
        return connection.recv(4) == b"word"

    with connect(wire.client, REMOTE_VIP) as connection:
        seen = []
        for config in (default_config, native_config, native_config, default_config):
            assert echoes()
            wire.config = config
            wire.install(1)
            before = turned_around(wire)
            assert all(echoes() for _ in range(5))
            seen.append(turned_around(wire) > before)
    assert seen == [False, True, True, False]
