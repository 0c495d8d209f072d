"""Cilium's BGP resources of version 2: cluster, peer, advertisement, override. Pure.

A CiliumBGPClusterConfig has instances with peers; each peer names a CiliumBGPPeerConfig, whose
address families select CiliumBGPAdvertisements by their labels. A CiliumBGPNodeConfigOverride of
the node's name changes single values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Any

from lab.agent.bgp.composing import Composer
from lab.agent.bgp.facts import Facts, Json, attributes, host_prefix
from lab.agent.bgp.selection import Labels, selects
from lab.agent.bgp.session import BGP_PORT, checked_timers, listening, unicast
from lab.agent.refused import Refused
from lab.frr.model import Address, Bfd, BgpConfig, Neighbor

KIND = "CiliumBGPClusterConfig"
PEER_CONFIG = "CiliumBGPPeerConfig"


@dataclass(frozen=True)
class Advertised:
    """A CiliumBGPAdvertisement: its labels, by which it is chosen, and its spec."""

    labels: Labels
    spec: Json


@dataclass(frozen=True)
class Resources:
    """The objects of version 2, specs by name."""

    clusters: Mapping[str, Json] = field(default_factory=dict)
    peers: Mapping[str, Json] = field(default_factory=dict)
    advertisements: Mapping[str, Advertised] = field(default_factory=dict)
    overrides: Mapping[str, Json] = field(default_factory=dict)


def compose(resources: Resources, facts: Facts, bfd: Bfd | None) -> BgpConfig | None:
    """The node's BGP by the cluster configuration that selects it; None when none does.

    Refused lists what is wrong with it, or with what it refers to.
    """
    name = selected(resources, facts)
    if name is None:
        return None
    return _compose(name, resources, facts, bfd)


def selected(resources: Resources, facts: Facts) -> str | None:
    """The cluster configuration of the node: of several that select it, the one that came first."""
    found = (name for name, spec in resources.clusters.items() if selects_node(spec, facts.labels))
    return next(found, None)


def selects_node(spec: Json, labels: Labels) -> bool:
    """Whether a cluster configuration is for a node; without a nodeSelector it is for all."""
    selector = spec.get("nodeSelector")
    return selector is None or selects(selector, labels)


def _compose(name: str, resources: Resources, facts: Facts, bfd: Bfd | None) -> BgpConfig:
    instances = overridden(resources, name, facts.node)
    try:
        composer = Composer(instances[0].get("localASN", 0), _router_id(instances[0], facts))
    except ValueError as error:
        raise Refused(KIND, name, [str(error)]) from error
    problems = [
        f"instance {instance['name']} has no localASN"
        for instance in instances
        if not instance.get("localASN")
    ]
    for instance in instances:
        problems += _instance(composer, instance, resources, facts, bfd)
    if problems:
        raise Refused(KIND, name, problems)
    return composer.config()


def _router_id(instance: Json, facts: Facts) -> IPv4Address:
    """Of the node's override, or else its address: FRR has one for all instances."""
    return IPv4Address(instance["routerID"]) if instance.get("routerID") else facts.address


def overridden(resources: Resources, name: str, node: str) -> list[dict[str, Any]]:
    """The instances of a cluster configuration as they are on a node, with its override."""
    override = _by_name(resources.overrides.get(node, {}).get("bgpInstances"))
    return [
        _overridden(instance, override.get(instance["name"], {}))
        for instance in resources.clusters[name]["bgpInstances"]
    ]


def _overridden(instance: Json, changed: Json) -> dict[str, Any]:
    peers = _by_name(changed.get("peers"))
    own = {field: value for field, value in changed.items() if field != "peers"}
    merged = [{**each, **peers.get(each["name"], {})} for each in instance.get("peers") or ()]
    return {**instance, **own, "peers": merged}


def _instance(
    composer: Composer, instance: Json, resources: Resources, facts: Facts, bfd: Bfd | None
) -> Iterator[str]:
    """Add an instance's peers; yields what is wrong with each.

    One whose CiliumBGPPeerConfig does not exist is left out: the cluster configuration's condition
    tells of it.
    """
    for peer in instance["peers"]:
        try:
            listening(instance.get("localPort"))
            config = _config(peer, resources)
            if config is None:
                continue
            neighbor = _neighbor(peer, config, facts, bfd)
            composer.peer(neighbor, instance.get("localASN", 0))
            restart: Json = config.get("gracefulRestart") or {}
            if restart.get("enabled"):
                composer.graceful_restart(restart.get("restartTimeSeconds", 120))
            for family in config.get("families") or ():
                version = int(family["afi"][-1])
                for entry in _entries(family, resources):
                    _tell(composer, entry, neighbor.address, facts, version)
        except (ValueError, KeyError) as error:
            yield f"instance {instance['name']}, peer {peer['name']}: {error}"


def _config(peer: Json, resources: Resources) -> Json | None:
    """The spec of the CiliumBGPPeerConfig that a peer refers to; without a reference, defaults."""
    reference: Json | None = peer.get("peerConfigRef")
    if reference is None:
        return {}
    if reference.get("kind", PEER_CONFIG) != PEER_CONFIG:
        raise ValueError(f"peerConfigRef is of the unknown kind {reference['kind']}")
    return resources.peers.get(reference["name"])


def _neighbor(peer: Json, config: Json, facts: Facts, bfd: Bfd | None) -> Neighbor:
    if not peer.get("peerASN"):
        raise ValueError("FRR needs its peerASN; 0 for any is not supported")
    transport: Json = config.get("transport") or {}
    if transport.get("localPort") or peer.get("localPort"):
        raise ValueError("localPort: FRR lets the kernel choose the port that it dials from")
    timers: Json = config.get("timers") or {}
    keepalive, hold = checked_timers(timers)
    port = transport.get("peerPort", BGP_PORT)
    hops, secret = config.get("ebgpMultihop", 1), config.get("authSecretRef")
    return Neighbor(
        address=_address(peer, facts),
        asn=peer["peerASN"],
        update_source=peer.get("localAddress"),
        # Without its secret a session is tried with an empty password, which is to say none.
        password=facts.passwords.get(secret) if secret else None,
        port=None if port == BGP_PORT else port,
        keepalive=keepalive,
        hold=hold,
        connect_retry=timers.get("connectRetryTimeSeconds", 120),
        ebgp_multihop=hops if hops > 1 else None,
        bfd=bfd,
        graceful_restart=bool((config.get("gracefulRestart") or {}).get("enabled")),
        families=unicast(config.get("families") or ()),
    )


def _address(peer: Json, facts: Facts) -> Address:
    if peer.get("peerAddress"):
        return ip_address(peer["peerAddress"])
    gateway = facts.discovered(peer)
    if gateway is not None:
        return gateway
    raise ValueError("it has no peerAddress, and no default gateway stands in for one")


def _entries(family: Json, resources: Resources) -> Iterator[Json]:
    """What a family announces; without a selector it announces nothing."""
    for advertised in resources.advertisements.values():
        if selects(family.get("advertisements"), advertised.labels):
            yield from advertised.spec["advertisements"]


def _tell(composer: Composer, entry: Json, peer: Address, facts: Facts, version: int) -> None:
    """Announce to a peer what an advertisement says for one IP version."""
    sent = attributes(entry.get("attributes"))
    kind = entry["advertisementType"]
    if kind == "PodCIDR":
        for cidr in facts.pod_cidrs:
            if cidr.version == version:
                composer.tell(cidr, [peer], sent)
    elif kind == "Service":
        service: Json = entry.get("service") or {}
        for each in facts.chosen(entry.get("selector"), service.get("addresses") or ()):
            if each.address.version == version:
                prefix = host_prefix(each, service.get(f"aggregationLengthIPv{version}"))
                composer.tell(prefix, [peer], sent)
    else:
        raise ValueError(f"advertisementType {kind}: the lab has no pools of pod addresses")


def _by_name(items: Sequence[Json] | None) -> dict[str, Json]:
    return {item["name"]: item for item in items or ()}
