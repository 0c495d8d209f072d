"""`status`, `endpoint list`, `identity list` and `node list`: the agent's own words as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from lab.agent.cilium.columns import Rows

Json = Mapping[str, Any]

WIDTH = 24
DETAIL = 26


def status(said: Json, *, verbose: bool) -> list[str]:
    """The agent's state, one line a part; with `verbose` how it balances."""
    lines = [f"{name + ':':<{WIDTH}}{text}" for name, text in _parts(said)]
    return [*lines, *_balancing(said)] if verbose else lines


def _parts(said: Json) -> Iterator[tuple[str, str]]:
    config = said["config"]
    hubble = said["hubble"]
    api = "Ok" if said["kubernetes"]["ok"] else "Failure"
    share = 100 * hubble["flows"] / hubble["capacity"]
    yield "KVStore", "Ok   Disabled"
    yield "Kubernetes", f"{api}   {said['kubernetes']['version']} [linux]"
    yield "KubeProxyReplacement", f"Strict   [{config['uplink']} {_of_both(config, 'node_ip')}]"
    yield "Cilium", f"Ok   profile {config['profile']}"
    yield "NodeMonitor", "Listening for events on the ring buffer cilium_events"
    yield "IPAM", ", ".join(_pools(said))
    yield "Host Routing", "BPF"
    yield "Attach Mode", "TCX" if said["balancing"]["tcx"] else "Legacy TC"
    yield "Masquerading", f"BPF   [{config['uplink']}]   {_of_both(config, 'cluster_cidr')}"
    yield (
        "Hubble",
        f"Ok   Current/Max Flows: {hubble['flows']}/{hubble['capacity']} ({share:.2f}%), "
        f"Flows/s: {hubble['rate']:.2f}",
    )
    yield "Encryption", "Disabled"
    yield "Cluster", f"{len(said['nodes'])} nodes, {said['services']} services"


def _of_both(config: Json, name: str) -> str:
    """A value of the node's configuration for each address family that it has."""
    side: Json = config.get("ipv6") or {}
    return " ".join(str(each[name]) for each in (config, side) if name in each)


def _pools(said: Json) -> Iterator[str]:
    config, used = said["config"], said["ipam"]["used"]
    yield f"IPv4: {used}/{said['ipam']['size']} allocated from {config['pod_cidr']}"
    if config.get("ipv6"):
        network = ip_network(config["ipv6"]["pod_cidr"])
        yield f"IPv6: {used}/{network.num_addresses - 2} allocated from {network}"


def _balancing(said: Json) -> Iterator[str]:
    how = said["balancing"]
    tunnel = "vxlan" if how["tunnel"] else "disabled"
    details = (
        ("Status", "Strict"),
        ("Protocols", "TCP, UDP"),
        ("Devices", f"{said['config']['uplink']} {_of_both(said['config'], 'node_ip')}"),
        ("Mode", how["mode"]),
        ("Tunnel", tunnel),
        ("Backend Selection", how["selection"]),
        ("Session Affinity", "Enabled"),
        ("Graceful Termination", "Enabled" if how["graceful"] else "Disabled"),
        ("XDP Acceleration", how["acceleration"]),
    )
    yield "KubeProxyReplacement Details:"
    for name, text in details:
        yield f"  {name + ':':<{DETAIL - 2}}{text}"
    yield "  Services:"
    for name in ("ClusterIP", "NodePort", "LoadBalancer", "externalIPs"):
        yield f"  - {name + ':':<{DETAIL - 4}}Enabled"


def endpoint_list(said: Json) -> Rows:
    """The pods of the node with their identities."""
    six = bool(said["config"].get("ipv6"))
    families = ("IPv6", "IPv4") if six else ("IPv4",)
    header = ("ENDPOINT", "IDENTITY", "LABELS (source:key[=value])", *families, "POD", "STATUS")
    rows: Rows = [header]
    for each in said["endpoints"]:
        first, *rest = each["labels"] or [""]
        name = f"{each['namespace']}/{each['name']}"
        identity, number = str(each["identity"]), str(each["id"])
        addresses = (each["address6"], each["address"]) if six else (each["address"],)
        rows.append((number, identity, first, *addresses, name, "ready"))
        rows += [("", "", label) for label in rest]
    return rows


def identity_list(said: Json) -> Rows:
    """Security identities, one label a line."""
    rows: Rows = [("ID", "LABELS")]
    for each in said["identities"]:
        first, *rest = each["labels"] or [""]
        rows += [(str(each["id"]), first), *(("", label) for label in rest)]
    return rows


def node_list(said: Json) -> Rows:
    """The nodes of the cluster with their addresses and the networks of their pods."""
    header = ("Name", "IPv4 Address", "Endpoint CIDR", "IPv6 Address", "Endpoint CIDR")
    fields = ("name", "address", "pod_cidr", "address6", "pod_cidr6")
    return [header, *(tuple(each[field] for field in fields) for each in said["nodes"])]
