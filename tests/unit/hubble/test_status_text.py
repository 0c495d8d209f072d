"""What the command prints of servers and nodes."""

from __future__ import annotations

from lab.hubble.api import observer_pb2, relay_pb2
from lab.hubble.cli import listing, status


def test_status() -> None:
    answer = observer_pb2.ServerStatusResponse(
        num_flows=24570, max_flows=24570, seen_flows=50000, uptime_ns=3661 * 10**9, flows_rate=9.476
    )
    answer.num_connected_nodes.value = 4
    answer.num_unavailable_nodes.value = 2
    answer.unavailable_nodes.extend(["k8s-worker2", "k8s-worker1"])
    assert status.lines(answer, "compact") == [
        "Current/Max Flows: 24,570/24,570 (100.00%)",
        "Flows/s: 9.48",
        "Connected Nodes: 4/6",
        "Unavailable Nodes: 2",
        "  - k8s-worker1",
        "  - k8s-worker2",
    ]
    then, *_ = status.lines(answer, "compact", "0.8")
    assert then == "Current/Max Flows: 24570/24570 (100.00%)"
    assert "             UPTIME: 1h1m1s" in status.lines(answer, "dict")


def test_node_list() -> None:
    up = observer_pb2.Node(
        name="k8s-worker1",
        state=relay_pb2.NODE_CONNECTED,
        uptime_ns=100 * 10**9,
        num_flows=819,
        max_flows=4095,
        seen_flows=950,
        address="192.168.1.21:4244",
        version="v1",
    )
    up.tls.enabled = False
    down = observer_pb2.Node(name="k8s-worker2", state=relay_pb2.NODE_UNAVAILABLE)
    assert listing.node_table([up, down], wide=True).lines() == [
        "NAME          STATUS        AGE     FLOWS/S   CURRENT/MAX-FLOWS    VERSION   ADDRESS             TLS",  # noqa: E501
        "k8s-worker1   Connected     1m40s   9.50      819/4095 ( 20.00%)   v1        192.168.1.21:4244   Disabled",  # noqa: E501
        "k8s-worker2   Unavailable   N/A     N/A       N/A                  N/A                           N/A",  # noqa: E501
    ]
