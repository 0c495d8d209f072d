"""What runs on the nodes beside the API server, as the fork server runs it: agents, port-forward.

Imported by the fork server, as `control_plane` is: each function runs in a process of its own.
"""

from __future__ import annotations

import lab.agent.main
import lab.sandbox.port_forward
from lab.agent.config import AgentConfig
from lab.bpf.config import DualStack
from lab.operator import hubble_pods
from lab.sandbox.member import Member
from lab.topology.plan import Cluster, PlannedNode


def agent(member: Member) -> int:
    """Be the agent of a node."""
    cluster, node, secrets = member.cluster, member.node, member.credentials()
    assert node.pod_cidr is not None
    assert node.router_ip is not None
    return lab.agent.main.main(
        AgentConfig(
            node=node.name,
            node_ip=node.address,
            pod_cidr=node.pod_cidr,
            router_ip=node.router_ip,
            uplink=node.interfaces[0].name,
            cluster_cidr=cluster.cluster_cidr,
            service_cidr=cluster.service_cidr,
            api_url=secrets.url,
            token=secrets.token,
            ca_file=secrets.ca_file,
            run_dir=member.run.node(node.name),
            profile=cluster.profile,
            options=cluster.options,
            ipv6=_dual_stack(cluster, node),
        )
    )


def _dual_stack(cluster: Cluster, node: PlannedNode) -> DualStack | None:
    """A node's IPv6 side, in a cluster that has one."""
    if not (node.address6 and node.router_ip6 and node.pod_cidr6 and cluster.cluster_cidr6):
        return None
    return DualStack(
        node_ip=node.address6,
        router_ip=node.router_ip6,
        pod_cidr=node.pod_cidr6,
        cluster_cidr=cluster.cluster_cidr6,
        service_cidr=cluster.service_cidr6,
    )


def hubble_port_forward(member: Member) -> int:
    """Offer the relay's pod on the management node, where the hubble command looks for it."""
    nodes = [node.address for node in member.plan.kube_nodes]
    return lab.sandbox.port_forward.main(hubble_pods.RELAY_PORT, nodes, hubble_pods.RELAY_NODE_PORT)
