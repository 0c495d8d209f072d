"""What has to happen until a lab is up, as a table of phases; imported in the supervisor only."""

from __future__ import annotations

from collections.abc import Sequence

from lab.bpf.build import compiled
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
    network = Phase("network", lambda: _build(site))
    routing = Phase("routing", lambda: _route(site), after=("network",))
    if site.plan.cluster is None:
        return network, routing
    return (
        Phase("code", site.services.wait_loaded, aside=True),
        Phase("credentials", lambda: _make_credentials(site), aside=True),
        Phase("programs", _compile, aside=True),
        network,
        Phase(
            "api server",
            lambda: _start_api(site),
            after=("code", "credentials", "network"),
            aside=True,
        ),
        Phase("agents", lambda: _start_agents(site), after=("api server", "programs"), aside=True),
        routing,
        Phase("nodes ready", lambda: _wait_nodes(site), after=("agents", "routing")),
    )


def _build(site: Site) -> None:
    write_commands(site.run)
    site.network = build(site.plan, site.run.path, note)


def _route(site: Site) -> None:
    daemons.start(site.plan, site.network, site.run.path)


def _make_credentials(site: Site) -> None:
    master(site.run, site.plan).credentials()


def _compile() -> None:
    """Once, before six agents find at the same time that the programs are not compiled yet."""
    compiled()


def _start_api(site: Site) -> None:
    member = master(site.run, site.plan)
    site.services.start(member.api_server(site.network[member.node.name]))


def _start_agents(site: Site) -> None:
    for node in site.plan.nodes:
        for service in Member(site.run, site.plan, node).agents(site.network[node.name]):
            site.services.start(service)


def _wait_nodes(site: Site) -> None:
    member = master(site.run, site.plan)
    reader = ApiReader(member.cluster, member.credentials(), site.network[member.node.name])
    wait_ready(reader, [node.name for node in site.plan.kube_nodes])
