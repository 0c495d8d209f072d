"""The API server and its controllers as the fork server runs them.

Imported by the fork server, so that all it needs is in memory when it is forked. The function runs
in a process of its own, which stands in the master's namespaces already.
"""

from __future__ import annotations

import lab.kube.main
from lab.controllers import bootstrap, kubernetes, loop
from lab.kube.api import Api
from lab.kube.main import ServerConfig
from lab.operator import controllers, hubble_pods, installation
from lab.sandbox.member import Member


def api_server(member: Member) -> int:
    """Serve the Kubernetes API; its state is in the run directory."""
    cluster, secrets = member.cluster, member.credentials()

    def start_controllers(api: Api) -> None:
        ciliums = controllers.controllers(api, cluster.profile, hubble_pods.objects())
        loop.run(api, [*kubernetes.controllers(api), *ciliums])

    return lab.kube.main.main(
        ServerConfig(
            address=str(cluster.api_address),
            port=cluster.api_port,
            ca_file=secrets.ca_file,
            key_file=secrets.key_file,
            token=secrets.token,
            state=member.run.path / "api" / "state.db",
            bootstrap=[*bootstrap.objects(member.plan), *installation.objects(member.plan)],
            beside=start_controllers,
            service_cidr=cluster.service_cidr,
            service_cidr6=cluster.service_cidr6,
            node_ports=cluster.node_ports,
        )
    )
