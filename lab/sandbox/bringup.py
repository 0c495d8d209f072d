"""What has to happen until a lab is up, as a table of phases; imported in the supervisor only."""

from __future__ import annotations

from collections.abc import Sequence

from lab.bpf.build import datapath
from lab.emulation.build import build
from lab.frr import daemons
from lab.sandbox.environment import write_commands
from lab.sandbox.logs import note
from lab.sandbox.member import Member, master
from lab.sandbox.phases import Phase
from lab.sandbox.readiness import ApiReader, wait_ready
from lab.sandbox.site import Site


def phases(site: Site) -> Sequence[Phase]:
    """The table for a lab: a network with routing, and a cluster on it if its plan has one.

    Those `aside` overlap with what the main thread does: code is imported and secrets are made
    while the network is built; API server and agents come up while FRR does.
    """
    steps = _Steps(site)
    network = Phase("network", steps.network)
    routing = Phase("routing", steps.routing, after=("network",))
    if site.plan.cluster is None:
        return network, routing
    return (
        Phase("code", site.services.wait_loaded, aside=True),
        Phase("credentials", steps.credentials, aside=True),
        Phase("programs", steps.programs, aside=True),
        network,
        Phase("api server", steps.api_server, after=("credentials", "network"), aside=True),
        Phase("agents", steps.agents, after=("api server", "programs"), aside=True),
        routing,
        Phase("nodes ready", steps.nodes_ready, after=("code", "agents", "routing")),
    )


class _Steps:
    """What the phases do; the phase `code` is the fork server's work."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def network(self) -> None:
        """Namespaces, links and addresses of all nodes, and the commands they find."""
        write_commands(self._site.run)
        self._site.network = build(self._site.plan, self._site.run.path, note)

    def routing(self) -> None:
        """FRR on the router and on each Kubernetes node."""
        daemons.start(self._site.plan, self._site.network, self._site.run.path)

    def credentials(self) -> None:
        """The API server's certificate and token, and the kubeconfig."""
        self._master().credentials()

    def programs(self) -> None:
        """The eBPF object, before six agents find at once that it is not compiled yet."""
        for ipv6 in {node.pod_cidr6 is not None for node in self._site.plan.nodes}:
            datapath(ipv6=ipv6)

    def api_server(self) -> None:
        """Ask for it: it is forked when its code is there. Its clients wait for its answers."""
        member = self._master()
        self._site.services.start(member.api_server(self._site.network[member.node.name]))

    def agents(self) -> None:
        """Ask for the node agents, and the way to the relay."""
        for node in self._site.plan.nodes:
            member = Member(self._site.run, self._site.plan, node)
            for service in member.agents(self._site.network[node.name]):
                self._site.services.start(service)

    def nodes_ready(self) -> None:
        """Until the API server says that every node is Ready."""
        member = self._master()
        holder = self._site.network[member.node.name]
        reader = ApiReader(member.cluster, member.credentials(), holder)
        names = [node.name for node in self._site.plan.kube_nodes]
        wait_ready(reader, names, self._site.services.require_lasting)

    def _master(self) -> Member:
        return master(self._site.run, self._site.plan)
