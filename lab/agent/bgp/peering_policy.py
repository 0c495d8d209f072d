"""CiliumBGPPeeringPolicy (v2alpha1), Cilium's first BGP resource. Pure.

One policy configures a node; a second one that selects it is an error, and neither counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, ip_interface

from lab.agent.bgp.composing import Attributes, Composer
from lab.agent.bgp.facts import Facts, Json, attributes, host_prefix
from lab.agent.bgp.selection import selects
from lab.agent.bgp.session import checked_timers, listening, unicast
from lab.agent.refused import Refused
from lab.frr.model import Address, Bfd, BgpConfig, Neighbor

KIND = "CiliumBGPPeeringPolicy"
DEFAULT_ADDRESSES = ("LoadBalancerIP",)

ANNOTATION = "cilium.io/bgp-virtual-router."
"""With an AS number behind it: a node's own values for the virtual router of that AS."""


def compose(policies: Mapping[str, Json], facts: Facts, bfd: Bfd | None) -> BgpConfig | None:
    """The node's BGP by the policy that selects it; None when none does.

    `policies`: specs by name. Refused says what is wrong with which policy.
    """
    found = {name: spec for name, spec in policies.items() if _selects(spec, facts)}
    if not found:
        return None
    name, spec = next(iter(found.items()))
    if len(found) > 1:
        both = " and ".join(sorted(found))
        raise Refused(
            KIND, name, [f"{both} both select {facts.node}; make their nodeSelectors disjoint"]
        )
    try:
        return _compose(spec, facts, bfd)
    except (ValueError, KeyError) as error:
        raise Refused(KIND, name, [str(error)]) from error


def _selects(spec: Json, facts: Facts) -> bool:
    """A policy without a nodeSelector is for all nodes."""
    selector = spec.get("nodeSelector")
    return selector is None or selects(selector, facts.labels)


def _compose(spec: Json, facts: Facts, bfd: Bfd | None) -> BgpConfig:
    routers: Sequence[Json] = spec["virtualRouters"]
    router_ids = [_router_id(router, facts) for router in routers]
    composer = Composer(routers[0]["localASN"], router_ids[0])
    for router in routers:
        if router.get("podIPPoolSelector") is not None:
            raise ValueError("podIPPoolSelector: the lab has no pools of pod addresses")
        for written in router["neighbors"]:
            neighbor = _neighbor(written, facts, bfd)
            composer.peer(neighbor, router["localASN"])
            restart: Json = written.get("gracefulRestart") or {}
            if restart.get("enabled"):
                composer.graceful_restart(restart.get("restartTimeSeconds", 120))
            _tell(composer, router, written, neighbor.address, facts)
    return composer.config()


def _router_id(router: Json, facts: Facts) -> IPv4Address:
    """The one of the node's annotation (`router-id=10.0.0.1,local-port=179`), or its address."""
    written = facts.annotations.get(f"{ANNOTATION}{router['localASN']}", "")
    pairs = (each.partition("=") for each in written.split(",") if each)
    values = {name.strip(): value.strip() for name, _, value in pairs}
    unknown = values.keys() - {"router-id", "local-port"}
    if unknown:
        raise ValueError(f"annotation {ANNOTATION}{router['localASN']}: {unknown.pop()!r}?")
    if values.get("local-port", "-1") != "-1":
        listening(int(values["local-port"]))
    return IPv4Address(values["router-id"]) if "router-id" in values else facts.address


def _neighbor(written: Json, facts: Facts, bfd: Bfd | None) -> Neighbor:
    address = ip_interface(written["peerAddress"])
    port, hops = written.get("peerPort", 179), written.get("eBGPMultihopTTL", 1)
    secret = written.get("authSecretRef")
    keepalive, hold = checked_timers(written)
    return Neighbor(
        address=address.ip,
        asn=written["peerASN"],
        # Without its secret a session is tried with an empty password, which is to say none.
        password=facts.passwords.get(secret) if secret else None,
        port=None if port == 179 else port,
        keepalive=keepalive,
        hold=hold,
        connect_retry=written.get("connectRetryTimeSeconds", 120),
        ebgp_multihop=hops if hops > 1 else None,
        bfd=bfd,
        graceful_restart=bool((written.get("gracefulRestart") or {}).get("enabled")),
        families=unicast(written.get("families") or ()),
    )


def _tell(composer: Composer, router: Json, written: Json, peer: Address, facts: Facts) -> None:
    rules: Sequence[Json] = written.get("advertisedPathAttributes") or ()
    if any(rule["selectorType"] == "CiliumPodIPPool" for rule in rules):
        raise ValueError("selectorType CiliumPodIPPool: the lab has no pools of pod addresses")
    if router.get("exportPodCIDR"):
        by_labels = [rule for rule in rules if rule["selectorType"] == "PodCIDR"]
        wanted = [r for r in by_labels if selects(r.get("selector", {}), facts.labels)]
        for cidr in facts.pod_cidrs:
            composer.tell(cidr, [peer], _all(wanted))
    kinds = router.get("serviceAdvertisements") or DEFAULT_ADDRESSES
    for each in facts.chosen(router.get("serviceSelector"), kinds):
        wanted = [
            rule
            for rule in rules
            if rule["selectorType"] == "CiliumLoadBalancerIPPool"
            and facts.in_pools(each.address, rule.get("selector", {}))
        ]
        composer.tell(host_prefix(each, None), [peer], _all(wanted))


def _all(rules: Sequence[Json]) -> Attributes:
    found = Attributes()
    for rule in rules:
        found = found.merged(attributes(rule))
    return found
