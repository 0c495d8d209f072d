"""Cilium's BGP resources of version 2: cluster, peer, advertisement, override. Pure.

A CiliumBGPClusterConfig has instances with peers; each peer names a CiliumBGPPeerConfig, whose
address families select CiliumBGPAdvertisements by their labels. A CiliumBGPNodeConfigOverride of
the node's name changes single values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address

from lab.agent.bgp.composing import Composer
from lab.agent.bgp.facts import Facts, Json, attributes, host_prefix
from lab.agent.bgp.selection import Labels, selects
from lab.errors import InputError
from lab.frr.model import Address, Bfd, BgpConfig, Neighbor


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

    InputError says which field of which object is wrong.
    """
    found = selected(resources, facts)
    if not found:
        return None
    if len(found) > 1:
        raise InputError(
            f"CiliumBGPClusterConfig {' and '.join(found)} both select {facts.node}; "
            "make their nodeSelectors disjoint"
        )
    try:
        return _compose(resources.clusters[found[0]], resources, facts, bfd)
    except (ValueError, KeyError) as error:
        raise InputError(f"CiliumBGPClusterConfig {found[0]}: {error}") from error


def selected(resources: Resources, facts: Facts) -> list[str]:
    """The cluster configurations that select the node: more than one is a mistake."""
    return sorted(name for name, spec in resources.clusters.items() if _selects(spec, facts))


def _selects(spec: Json, facts: Facts) -> bool:
    """Without a nodeSelector it is for all nodes."""
    selector = spec.get("nodeSelector")
    return selector is None or selects(selector, facts.labels)


def _compose(spec: Json, resources: Resources, facts: Facts, bfd: Bfd | None) -> BgpConfig:
    override = _by_name(resources.overrides.get(facts.node, {}).get("bgpInstances"))
    instances: Sequence[Json] = spec["bgpInstances"]
    first = {**instances[0], **override.get(instances[0]["name"], {})}
    router_id = IPv4Address(first["routerID"]) if first.get("routerID") else facts.address
    composer = Composer(_asn(first), router_id)
    for instance in instances:
        changed = override.get(instance["name"], {})
        asn = _asn({**instance, **changed})
        peers = _by_name(changed.get("peers"))
        for written in instance.get("peers") or ():
            peer = {**written, **peers.get(written["name"], {})}
            _peer(composer, peer, asn, resources, facts, bfd)
    return composer.config()


def _asn(instance: Json) -> int:
    if not instance.get("localASN"):
        raise ValueError(f"instance {instance['name']} has no localASN")
    return int(instance["localASN"])


def _peer(
    composer: Composer, peer: Json, asn: int, resources: Resources, facts: Facts, bfd: Bfd | None
) -> None:
    reference = (peer.get("peerConfigRef") or {}).get("name")
    config: Json = {}
    if reference is not None:
        if reference not in resources.peers:
            raise ValueError(
                f"peer {peer['name']} refers to CiliumBGPPeerConfig {reference!r}, "
                "which does not exist"
            )
        config = resources.peers[reference]
    neighbor = _neighbor(peer, config, facts, bfd)
    composer.peer(neighbor, asn)
    restart: Json = config.get("gracefulRestart") or {}
    if restart.get("enabled"):
        composer.graceful_restart(restart.get("restartTimeSeconds", 120))
    for family in config.get("families") or ():
        for entry in _entries(family, resources):
            _tell(composer, entry, neighbor.address, facts)


def _neighbor(peer: Json, config: Json, facts: Facts, bfd: Bfd | None) -> Neighbor:
    if not peer.get("peerASN"):
        raise ValueError(f"peer {peer['name']}: FRR needs its peerASN; 0 for any is not supported")
    timers: Json = config.get("timers") or {}
    port = (config.get("transport") or {}).get("peerPort", 179)
    hops, secret = config.get("ebgpMultihop", 1), config.get("authSecretRef")
    families = [each["afi"] for each in config.get("families") or ()] or ["ipv4", "ipv6"]
    return Neighbor(
        address=_address(peer, facts),
        asn=peer["peerASN"],
        update_source=peer.get("localAddress"),
        password=facts.passwords.get(secret) if secret else None,
        port=None if port == 179 else port,
        keepalive=timers.get("keepAliveTimeSeconds", 30),
        hold=timers.get("holdTimeSeconds", 90),
        connect_retry=timers.get("connectRetryTimeSeconds", 120),
        ebgp_multihop=hops if hops > 1 else None,
        bfd=bfd,
        graceful_restart=bool((config.get("gracefulRestart") or {}).get("enabled")),
        families=tuple(sorted({int(f[-1]) for f in families if f in ("ipv4", "ipv6")})),
    )


def _address(peer: Json, facts: Facts) -> Address:
    if peer.get("peerAddress"):
        return ip_address(peer["peerAddress"])
    if peer.get("autoDiscovery") and facts.gateway is not None:
        return facts.gateway
    raise ValueError(f"peer {peer['name']} has no peerAddress, and no gateway stands in for it")


def _entries(family: Json, resources: Resources) -> Iterator[Json]:
    """What a family announces; without a selector it announces nothing."""
    if family["safi"] != "unicast" or family["afi"] != "ipv4":
        return
    for advertised in resources.advertisements.values():
        if selects(family.get("advertisements"), advertised.labels):
            yield from advertised.spec["advertisements"]


def _tell(composer: Composer, entry: Json, peer: Address, facts: Facts) -> None:
    sent = attributes(entry.get("attributes"))
    kind = entry["advertisementType"]
    if kind == "PodCIDR":
        composer.tell(facts.pod_cidr, [peer], sent)
    elif kind == "Service":
        service: Json = entry.get("service") or {}
        for each in facts.chosen(entry.get("selector"), service.get("addresses") or ()):
            prefix = host_prefix(each, service.get("aggregationLengthIPv4"))
            composer.tell(prefix, [peer], sent)
    else:
        raise ValueError(f"advertisementType {kind}: the lab has no pools of pod addresses")


def _by_name(items: Sequence[Json] | None) -> dict[str, Json]:
    return {item["name"]: item for item in items or ()}
