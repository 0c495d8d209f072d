"""`reinstall WHICH`, on a node: its programs anew, with other events.

Running flows and all maps stay, as when an agent is replaced. `off` is what the programs make
of it: one event when a connection begins, then none for the length of any measurement.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lab.bpf.codes import Aggregation
from lab.bpf.config import NodeConfig, Timeouts
from lab.bpf.datapath import install
from lab.bpf.sockets import own_cgroup
from lab.sandbox.rundir import RunDir, read_json
from lab.topology.plan import Plan

DAY = 86_400
"""Seconds."""

EVENTS = {
    "off": (Aggregation.MAXIMUM, Timeouts(report=DAY)),
    "medium": (Aggregation.MEDIUM, Timeouts()),
    "low": (Aggregation.LOW, Timeouts()),
    "none": (Aggregation.NONE, Timeouts()),
}
"""Aggregation and timeouts by name. `low`: a packet for a pod of this node makes one event, where
it is delivered; `none`: one more where it arrives."""


def node_config(plan: Plan, name: str, mtu: int, which: str) -> NodeConfig:
    """A node of a lab that was brought up without options, with these events."""
    node, cluster = plan.node(name), plan.cluster
    assert cluster is not None
    assert node.pod_cidr is not None
    assert node.router_ip is not None
    aggregation, timeouts = EVENTS[which]
    return NodeConfig(
        node_ip=node.address,
        router_ip=node.router_ip,
        pod_cidr=node.pod_cidr,
        cluster_cidr=cluster.cluster_cidr,
        service_cidr=cluster.service_cidr,
        uplink=node.interfaces[0].name,
        mtu=mtu,
        aggregation=aggregation,
        timeouts=timeouts,
    )


def main(which: str) -> None:
    plan = Plan.from_json(read_json(RunDir.of(os.environ["LAB"]).plan))
    name = os.environ["LAB_NODE"]
    uplink = plan.node(name).interfaces[0].name
    mtu = int(Path("/sys/class/net", uplink, "mtu").read_text())
    install(node_config(plan, name, mtu, which), cgroup=own_cgroup())


if __name__ == "__main__":
    main(sys.argv[1])
