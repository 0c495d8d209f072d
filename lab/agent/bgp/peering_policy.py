"""CiliumBGPPeeringPolicy (v2alpha1), Cilium's first BGP resource. Pure.

One policy configures a node; a second one that selects it is an error, and neither counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Interface, ip_interface

from lab.agent.bgp.composing import Attributes, Composer
from lab.agent.bgp.facts import Facts, Json, attributes, host_prefix
from lab.agent.bgp.selection import selects
from lab.agent.services.model import Address, Prefix
from lab.errors import InputError
from lab.frr.model import Bfd, BgpConfig, Neighbor

DEFAULT_ADDRESSES = ("LoadBalancerIP",)


def compose(policies: Mapping[str, Json], facts: Facts, bfd: Bfd | None) -> BgpConfig | None:
    """The node's BGP by the policy that selects it; None when none does.

    `policies`: specs by name. InputError says which field of which policy is wrong.
    """
    found = {name: spec for name, spec in policies.items() if _selects(spec, facts)}
    if not found:
        return None
    if len(found) > 1:
        raise InputError(
            f"CiliumBGPPeeringPolicy {' and '.join(sorted(found))} both select {facts.node}; "
            "make their nodeSelectors disjoint"
        )
    ((name, spec),) = found.items()
    try:
        return _compose(spec, facts, bfd)
    except (ValueError, KeyError) as error:
        raise InputError(f"CiliumBGPPeeringPolicy {name}: {error}") from error


def _selects(spec: Json, facts: Facts) -> bool:
    """A policy without a nodeSelector is for all nodes."""
    selector = spec.get("nodeSelector")
    return selector is None or selects(selector, facts.labels)


def _compose(spec: Json, facts: Facts, bfd: Bfd | None) -> BgpConfig:
    routers: Sequence[Json] = spec["virtualRouters"]
    composer = Composer(routers[0]["localASN"], facts.address)
    for router in routers:
        for written in router["neighbors"]:
            neighbor = _neighbor(written, facts, bfd)
            composer.peer(neighbor, router["localASN"])
            restart: Json = written.get("gracefulRestart") or {}
            if restart.get("enabled"):
                composer.graceful_restart(restart.get("restartTimeSeconds", 120))
            _tell(composer, router, written, neighbor.address, facts)
    return composer.config()


def _neighbor(written: Json, facts: Facts, bfd: Bfd | None) -> Neighbor:
    address = ip_interface(written["peerAddress"])
    port, hops = written.get("peerPort", 179), written.get("eBGPMultihopTTL", 1)
    secret = written.get("authSecretRef")
    families = [each["afi"] for each in written.get("families") or ()] or ["ipv4", "ipv6"]
    return Neighbor(
        address=address.ip,
        asn=written["peerASN"],
        # Without its secret a session is tried with an empty password, which is to say none.
        password=facts.passwords.get(secret) if secret else None,
        port=None if port == 179 else port,
        keepalive=written.get("keepAliveTimeSeconds", 30),
        hold=written.get("holdTimeSeconds", 90),
        connect_retry=written.get("connectRetryTimeSeconds", 120),
        ebgp_multihop=hops if hops > 1 else None,
        bfd=bfd if isinstance(address, IPv4Interface) else None,
        graceful_restart=bool((written.get("gracefulRestart") or {}).get("enabled")),
        families=tuple(sorted({int(family[-1]) for family in families})),
    )


def _tell(composer: Composer, router: Json, written: Json, peer: Address, facts: Facts) -> None:
    rules: Sequence[Json] = written.get("advertisedPathAttributes") or ()
    if router.get("exportPodCIDR"):
        by_labels = [rule for rule in rules if rule["selectorType"] == "PodCIDR"]
        wanted = [r for r in by_labels if selects(r.get("selector", {}), facts.labels)]
        composer.tell(facts.pod_cidr, [peer], _all(wanted))
    kinds = router.get("serviceAdvertisements") or DEFAULT_ADDRESSES
    for each in facts.chosen(router.get("serviceSelector"), kinds):
        prefix: Prefix = host_prefix(each, None)
        wanted = [
            rule
            for rule in rules
            if rule["selectorType"] == "CiliumLoadBalancerIPPool"
            and facts.in_pools(each.address, rule.get("selector", {}))
        ]
        composer.tell(prefix, [peer], _all(wanted))


def _all(rules: Sequence[Json]) -> Attributes:
    found = Attributes()
    for rule in rules:
        found = found.merged(attributes(rule))
    return found
