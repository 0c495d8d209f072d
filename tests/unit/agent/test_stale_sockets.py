"""UDP sockets whose backend went: how ss(8) tells of them, and when the agent looks."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.bpf.stale_sockets import Connected, connected
from tests.unit.agent.objects import endpoint, endpoint_slice
from tests.unit.agent.test_gate import Maps, Node

LISTED = """\
0      0               10.0.1.1:37600          10.0.4.3:8080 ino:67650625 sk:81a97 cgroup:/ <->
0      0      192.168.1.21%eth0:51264   [fd00:10:0:4::3]:53  users:(("a",pid=1,fd=3)) sk:5 <->
0      0           [fd00::1]%eth0:37379   [fd00:10:0:4::3]:53 sk:6 <->
3      0    [::ffff:10.0.1.1]:51843 [::ffff:10.0.4.3]:8080 uid:7 ino:67650624 sk:1f cgroup:/ <->
"""


def test_sockets_are_read_as_ss_lists_them() -> None:
    v4, v6 = ip_address("10.0.4.3"), ip_address("fd00:10:0:4::3")
    assert list(connected(LISTED)) == [
        Connected(0x81A97, "10.0.1.1:37600", "10.0.4.3:8080", v4, 8080),
        Connected(5, "192.168.1.21:51264", "[fd00:10:0:4::3]:53", v6, 53),
        Connected(6, "[fd00::1]:37379", "[fd00:10:0:4::3]:53", v6, 53),
        Connected(0x1F, "[::ffff:10.0.1.1]:51843", "[::ffff:10.0.4.3]:8080", v4, 8080),
    ]


def looks(node: Node, *addresses: str) -> int:
    """How often the agent has looked, with the service's endpoints at these addresses."""
    cluster = node.agent.cluster
    cluster.slices.objects = {"default/x": endpoint_slice(*map(endpoint, addresses))}
    cluster._slice_changed("default/x")
    node.agent._changed(EndpointSlice, "default/web1-lb")
    node.maps_hold_the_services()
    maps: Any = node.agent._maps
    return int(maps.looks)


@pytest.mark.parametrize(("name", "modern"), [("modern", 1), ("cilium-1.10", 0)])
def test_the_agent_looks_when_it_starts_and_when_a_backend_went(
    tmp_path: Path, name: str, modern: int
) -> None:
    """At its start, for the agent before it may have ended between the two."""
    with patch("lab.agent.agent.NodeMaps", Maps):
        node = Node(tmp_path, [], name)
        assert looks(node, "10.0.1.2") == 1 * modern
        assert looks(node, "10.0.1.2", "10.0.1.3") == 1 * modern
        assert looks(node, "10.0.1.3") == 2 * modern
        assert looks(node, "10.0.1.3") == 2 * modern
