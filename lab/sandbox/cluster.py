"""The services of a cluster as the fork server runs them: API server, node agents, port-forward.

Imported by the fork server, so that all they need is in memory when they are forked. Each function
runs in its own process, which stands in its node's namespaces already.
"""

from __future__ import annotations

import lab.agent.main
import lab.kube.main
import lab.sandbox.port_forward
from lab.agent.config import AgentConfig
from lab.bpf.config import DualStack
from lab.kube import bootstrap, hubble_pods
from lab.kube.main import ServerConfig
from lab.sandbox.member import Member
from lab.topology.plan import Cluster, PlannedNode


def api_server(member: Member) -> int:
    """Serve the Kubernetes API; its state is in the run directory."""
    cluster, secrets = member.cluster, member.credentials()
    return lab.kube.main.main(
        ServerConfig(
            address=str(cluster.api_address),
            port=cluster.api_port,
            ca_file=secrets.ca_file,
            key_file=secrets.key_file,
            token=secrets.token,
            state=member.run.path / "api" / "state.db",
            bootstrap=bootstrap.objects(member.plan),
            addons=hubble_pods.objects(),
            service_cidr=cluster.service_cidr,
            service_cidr6=cluster.service_cidr6,
            node_ports=cluster.node_ports,
            profile=cluster.profile,
        )
    )


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
