"""The services of a cluster as the fork server runs them: the API server and the node agents.

Imported by the fork server, so that all they need is in memory when they are forked. Each function
runs in its own process, which stands in its node's namespaces already.
"""

from __future__ import annotations

import lab.agent.main
import lab.hubble.relay.main
import lab.kube.main
from lab.agent.config import AgentConfig
from lab.kube import bootstrap
from lab.kube.main import ServerConfig
from lab.sandbox.member import Member


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
            service_cidr=cluster.service_cidr,
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
        )
    )


def hubble_relay(member: Member) -> int:
    """Serve the flows of all nodes on the management node, where the hubble command looks."""
    relay = lab.hubble.relay.main
    peers = f"{member.cluster.api_address}:{relay.OBSERVER_PORT}"
    return relay.main(["--listen", f"localhost:{relay.PORT}", "--peer-service", peers])
