"""A plan as a picture: lines of text for a terminal, DOT for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from ipaddress import IPv4Network, IPv6Network

from lab.topology.plan import Interface, Network, NodeKind, Plan, PlannedNode

_FILL = {
    NodeKind.HOST: "#e8f0fe",
    NodeKind.ROUTER: "#fde7c8",
    NodeKind.CONTROL: "#eee6f8",
    NodeKind.MASTER: "#cfead6",
    NodeKind.WORKER: "#e3f4e7",
}
_ROLE = {
    NodeKind.HOST: "",
    NodeKind.ROUTER: "router",
    NodeKind.CONTROL: "kubectl, hubble",
    NodeKind.MASTER: "API server",
    NodeKind.WORKER: "",
}


def text(plan: Plan) -> str:
    """A column for each network, a line for each node, a dot where it has a leg."""
    names = max((len(node.name) for node in plan.nodes), default=0)
    widths = [_width(plan, network) for network in plan.networks]
    head = [" " * (names + 2) + _row(words, widths) for words in _heads(plan)]
    bars = " " * (names + 2) + _row(["│"] * len(widths), widths)
    lines = [f"{node.name:<{names}}  {_legs(plan, node, widths)}" for node in plan.nodes]
    return "\n".join(line.rstrip() for line in [*head, bars, *lines, bars, *_facts(plan)]) + "\n"


def dot(plan: Plan) -> str:
    """A graph for `dot -Tsvg`: clients at the left, Kubernetes nodes at the right."""
    lines = [
        f'graph "{plan.name}" {{',
        "  graph [rankdir=LR, nodesep=0.18, ranksep=1.1, splines=true, bgcolor=white,",
        '         fontname="Helvetica", fontsize=11, labelloc=b];',
        '  node  [fontname="Helvetica", fontsize=11, penwidth=0.8, color="#5f6368"];',
        '  edge  [fontname="Helvetica", fontsize=9, fontcolor="#5f6368", color="#9aa0a6"];',
        f"  label=<{'<br/>'.join(escape(fact) for fact in _facts(plan)) or escape(plan.name)}>;",
    ]
    lines += [_dot_network(network) for network in plan.networks]
    lines += [_dot_node(node) for node in plan.nodes]
    lines += [_dot_edge(plan, node, leg) for node in plan.nodes for leg in node.interfaces]
    return "\n".join([*lines, "}"]) + "\n"


def _heads(plan: Plan) -> list[list[str]]:
    """The lines above the columns: names, subnets, and IPv6 subnets where there are any."""
    heads = [[n.name for n in plan.networks], [str(n.subnet) for n in plan.networks]]
    if any(network.subnet6 for network in plan.networks):
        heads.append([str(network.subnet6 or "") for network in plan.networks])
    return heads


def _row(cells: list[str], widths: list[int]) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))


def _width(plan: Plan, network: Network) -> int:
    legs = [leg for node in plan.nodes for leg in node.interfaces if leg.network == network.name]
    longest = max((len(_leg(network, leg)) for leg in legs), default=0)
    return max(longest, len(network.name), *(len(str(s)) for s in _subnets(network))) + 3


def _subnets(network: Network) -> list[IPv4Network | IPv6Network]:
    return [network.subnet, network.subnet6] if network.subnet6 else [network.subnet]


def _leg(network: Network, leg: Interface) -> str:
    """A leg as ` name .host`, the address without what the whole network has in common."""
    whole_bytes = network.subnet.prefixlen // 8
    host = ".".join(str(leg.address.ip).split(".")[whole_bytes:])
    return f"● {leg.name} .{host}"


def _legs(plan: Plan, node: PlannedNode, widths: list[int]) -> str:
    """The node's line: its legs joined by a line, the networks it passes by crossed."""
    legs = {leg.network: leg for leg in node.interfaces}
    places = [number for number, network in enumerate(plan.networks) if network.name in legs]
    line = ""
    for number, (network, width) in enumerate(zip(plan.networks, widths, strict=True)):
        inside = bool(places) and places[0] <= number < places[-1]
        fill = "─" if inside else " "
        if network.name in legs:
            cell = _leg(network, legs[network.name]) + " "
        else:
            cell = "┼" if inside else "│"
        line += cell + fill * (width - len(cell) - inside) + " " * inside
    return line


def _facts(plan: Plan) -> Iterator[str]:
    cluster = plan.cluster
    if cluster is not None:
        yield (
            f"LoadBalancer pool {cluster.vip_pool}, announced by BGP in AS {cluster.asn}; "
            f"pods {cluster.cluster_cidr}, services {cluster.service_cidr}"
        )


def _dot_network(network: Network) -> str:
    subnets = "<br/>".join(map(str, _subnets(network)))
    label = f"<b>{escape(network.name)}</b><br/>{subnets}"
    return (
        f'  "net {network.name}" [label=<{label}>, shape=box, style="filled", '
        'fillcolor="#f1f3f4", penwidth=0, height=1.4];'
    )


def _dot_node(node: PlannedNode) -> str:
    role = _ROLE[node.kind] or (f"pods {node.pod_cidr}" if node.pod_cidr else "")
    small = f'<br/><font point-size="9" color="#5f6368">{escape(role)}</font>' if role else ""
    return (
        f'  "{node.name}" [label=<{escape(node.name)}{small}>, shape=box, '
        f'style="rounded,filled", fillcolor="{_FILL[node.kind]}"];'
    )


def _dot_edge(plan: Plan, node: PlannedNode, leg: Interface) -> str:
    """An edge from left to right: towards the network for hosts, away from it for the others."""
    network, name = f'"net {leg.network}"', f'"{node.name}"'
    label = f"{leg.name}\\n{leg.address.ip}"
    if _is_left_of(plan, node, leg):
        return f'  {name} -- {network} [label="{label}"];'
    return f'  {network} -- {name} [label="{label}"];'


def _is_left_of(plan: Plan, node: PlannedNode, leg: Interface) -> bool:
    if node.is_kube:
        return False
    if node.kind is NodeKind.HOST:
        return True
    of_nodes = {kube.interfaces[0].network for kube in plan.kube_nodes}
    return leg.network in of_nodes
