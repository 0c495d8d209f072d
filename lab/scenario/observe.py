"""Looking at a lab with its own tools; every look is a fresh one and returns typed values."""

from __future__ import annotations

from collections import Counter

from lab.scenario import families
from lab.scenario.reading import balancer, bgp, cluster, flows, netfilter, routes
from lab.scenario.reading.curl import WRITE_OUT, Transfer, transfers
from lab.scenario.stage import Stage


def pods(stage: Stage, selector: str) -> list[cluster.Pod]:
    """Pods of the default namespace with these labels."""
    listed = stage.run(stage.control, f"kubectl get pods -l {selector} -o json")
    return cluster.pods(listed.json())


def ready_pods(stage: Stage, selector: str) -> list[cluster.Pod]:
    """Those that take part in their service."""
    return [pod for pod in pods(stage, selector) if pod.ready and not pod.terminating]


def services(stage: Stage) -> dict[str, cluster.Service]:
    """Services of the default namespace by name."""
    return cluster.services(stage.run(stage.control, "kubectl get services -o json").json())


def neighbors(stage: Stage, node: str) -> dict[str, bgp.Neighbor]:
    """A node's BGP neighbors by address."""
    return bgp.neighbors(stage.run(node, "vtysh -c 'show bgp summary json'").json())


def established(stage: Stage, node: str) -> set[str]:
    """Addresses of the neighbors whose session is up."""
    return {n.address for n in neighbors(stage, node).values() if n.established}


def prefixes_received(stage: Stage, node: str) -> dict[str, int]:
    """Number of prefixes that each neighbor has sent, by its address."""
    return {n.address: n.received for n in neighbors(stage, node).values()}


def counted(stage: Stage, node: str, counter: str) -> int:
    """One of the network counters of a node's kernel, such as TcpExtTCPMD5NotFound."""
    return int(stage.run(node, f"nstat -asz {counter}").out.splitlines()[-1].split()[1])


def routes_from(stage: Stage, node: str, neighbor: str) -> set[str]:
    """Prefixes that a node has accepted from a neighbor."""
    line = f"vtysh -c 'show bgp ipv4 unicast neighbors {neighbor} routes json'"
    return set(stage.run(node, line).json().get("routes", {}))


def next_hops(stage: Stage, node: str, address: str) -> set[str]:
    """Next hops of the host route for an address in a node's kernel; empty without a route."""
    table, length = ("ip -6", 128) if families.is_ipv6(address) else ("ip", 32)
    listed = stage.run(node, f"{table} -j route show {address}/{length}")
    return routes.next_hops(routes.parse(listed.json()))


def routes_by_next_hops(stage: Stage, node: str, pool: str) -> dict[int, int]:
    """How many host routes out of a pool a node's kernel has, by their number of next hops."""
    listed = routes.parse(stage.run(node, f"ip -j route show root {pool}").json())
    return dict(Counter(len(route.next_hops) for route in listed))


def node_addresses(stage: Stage, *, like: str = "") -> set[str]:
    """Addresses of the cluster's nodes as the router's next hops have them, of the same family as
    another address.
    """
    return {families.address_of(node, like) for node in stage.plan.kube_nodes}


def node_at(stage: Stage, address: str) -> str:
    """Name of the cluster node with this address; KeyError when there is none."""
    nodes = stage.plan.kube_nodes
    return {families.address_of(node, address): node.name for node in nodes}[address]


def balancer_list(stage: Stage, node: str) -> str:
    """What `cilium bpf lb list` prints on a node."""
    return stage.run(node, "cilium bpf lb list").out


def balancers(stage: Stage) -> dict[str, dict[str, balancer.Frontend]]:
    """Every node's load balancer map: frontends by address, by node."""
    return {
        node.name: balancer.parse(balancer_list(stage, node.name)) for node in stage.plan.kube_nodes
    }


def backends(stage: Stage, frontend: str) -> dict[str, list[str]]:
    """By node, the addresses behind a frontend; nodes that do not know it are left out."""
    return {
        node: list(table[frontend].backends)
        for node, table in balancers(stage).items()
        if frontend in table
    }


def nodes_that_differ(stage: Stage) -> list[str]:
    """Nodes whose load balancer map is not the first one's.

    A NodePort's entry at the node's own address is each node's own affair, and left out.
    """
    own = {node.name: (f"{node.address}:", f"[{node.address6}]:") for node in stage.plan.kube_nodes}
    tables = {
        name: {at: frontend for at, frontend in table.items() if not at.startswith(own[name])}
        for name, table in balancers(stage).items()
    }
    first, *_ = tables.values()
    return [name for name, table in tables.items() if table != first]


def read_flows(printed: str, port: int) -> list[flows.Flow]:
    """Flows of the connection from or to this port, out of what hubble printed."""
    return flows.with_port(flows.parse(printed), port)


def connection(stage: Stage, node: str, port: int) -> list[flows.Flow]:
    """Flows that one node saw of the connection from or to this port, oldest first."""
    return read_flows(stage.run(node, f"hubble observe --port {port} --last 100").out, port)


def filter_rules(stage: Stage) -> dict[str, list[str]]:
    """By node, netfilter's rules; nodes without any are left out."""
    found = {
        node.name: netfilter.rules(stage.run(node.name, "nft list ruleset").out)
        for node in stage.plan.kube_nodes
    }
    return {node: rules for node, rules in found.items() if rules}


def nodes_running(stage: Stage, program: str) -> set[str]:
    """Names of the cluster's nodes where a process of this name runs."""
    names = (node.name for node in stage.plan.kube_nodes)
    return {name for name in names if program in stage.run(name, "ps -eo comm").out.split()}


def fetch(stage: Stage, node: str, url: str, *, timeout: float = 3) -> Transfer:
    """One HTTP request with a connection of its own; status 0 when no answer came."""
    line = f"curl -s -m {timeout:g} -o /dev/null -w '{WRITE_OUT}' {url}"
    return transfers(stage.probe(node, line).out)[0]
