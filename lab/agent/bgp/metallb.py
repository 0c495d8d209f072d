"""MetalLB's ConfigMap, as the agent of Cilium 1.10 reads it (kube-system/bgp-config).

Grammar: MetalLB 0.9.6, internal/config. The address pools' addresses are the allocator's; the
node takes the peers, and how each pool's addresses are announced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_network, summarize_address_range
from typing import Any

import yaml

from lab.agent.announce import Announced
from lab.agent.bgp.composing import Attributes, Composer
from lab.agent.bgp.selection import Labels, selects
from lab.agent.services.model import Kind
from lab.errors import InputError
from lab.frr.model import Bfd, BgpConfig, Neighbor

DEFAULT_HOLD = 90
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_COMMUNITY = re.compile(r"\d{1,5}:\d{1,5}")


@dataclass(frozen=True)
class Peer:
    """A router that nodes with certain labels peer with."""

    my_asn: int
    asn: int
    address: IPv4Address
    port: int
    hold: int
    router_id: IPv4Address | None
    password: str | None
    node_selectors: tuple[Mapping[str, Any], ...]

    def is_for(self, labels: Labels) -> bool:
        """Any selector suffices; none at all means every node."""
        return not self.node_selectors or any(selects(s, labels) for s in self.node_selectors)


@dataclass(frozen=True)
class Manner:
    """One way to announce a pool's addresses."""

    aggregation_length: int = 32
    local_preference: int | None = None
    communities: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pool:
    """Addresses, and the manners in which each is announced."""

    name: str
    networks: tuple[IPv4Network, ...]
    manners: tuple[Manner, ...]


@dataclass(frozen=True)
class Settings:
    """The whole ConfigMap, checked."""

    peers: tuple[Peer, ...] = ()
    pools: tuple[Pool, ...] = ()

    def manners(self, address: IPv4Address) -> tuple[Manner, ...]:
        """How to announce an address; nothing for one that is in no pool."""
        for pool in self.pools:
            if any(address in network for network in pool.networks):
                return pool.manners
        return ()


def compose(
    settings: Settings,
    vips: Iterable[Announced],
    *,
    node_ip: IPv4Address,
    labels: Labels,
    bfd: Bfd | None,
) -> BgpConfig:
    """A node's BGP as the ConfigMap wants it; without peers none."""
    peers = [peer for peer in settings.peers if peer.is_for(labels)]
    if not peers:
        return BgpConfig(asn=0, router_id=node_ip)
    composer = Composer(peers[0].my_asn, peers[0].router_id or node_ip)
    for peer in peers:
        composer.peer(_neighbor(peer, bfd), peer.my_asn)
    addresses = [peer.address for peer in peers]
    for vip in vips:
        if vip.kind is not Kind.LOAD_BALANCER or not isinstance(vip.address, IPv4Address):
            continue
        for manner in settings.manners(vip.address):
            prefix = IPv4Network((vip.address, manner.aggregation_length), strict=False)
            attributes = Attributes(manner.communities, local_preference=manner.local_preference)
            composer.tell(prefix, addresses, attributes)
    return composer.config()


def parse(text: str) -> Settings:
    """The settings of a `config.yaml`; InputError lists every mistake in it."""
    try:
        data = yaml.load(text, Loader=_LOADER) or {}
    except yaml.YAMLError as error:
        raise InputError(f"bgp-config: config.yaml is not YAML: {error}") from error
    problems: list[str] = []
    peers = list(_each(data.get("peers"), "peer", _peer, problems))
    names = data.get("bgp-communities") or {}
    pools = list(
        _each(data.get("address-pools"), "address pool", lambda p: _pool(p, names), problems)
    )
    if problems:
        raise InputError("\n  ".join(["bgp-config: config.yaml has mistakes", *problems]))
    return Settings(tuple(peers), tuple(pool for pool in pools if pool is not None))


def _neighbor(peer: Peer, bfd: Bfd | None) -> Neighbor:
    return Neighbor(
        address=peer.address,
        asn=peer.asn,
        password=peer.password,
        port=None if peer.port == 179 else peer.port,
        keepalive=peer.hold // 3,
        hold=peer.hold,
        bfd=bfd,
    )


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _each(items: Any, what: str, read: Any, problems: list[str]) -> Iterator[Any]:
    for number, item in enumerate(items or (), start=1):
        try:
            yield read(item)
        except KeyError as error:
            problems.append(f"{what} {number}: {error.args[0]} is missing")
        except (ValueError, TypeError, AttributeError) as error:
            problems.append(f"{what} {number}: {error}")


def _peer(item: Mapping[str, Any]) -> Peer:
    hold = round(_seconds(item.get("hold-time", f"{DEFAULT_HOLD}s")))
    if hold and hold < 3:
        raise ValueError(f"hold-time {hold}s is neither 0 nor at least 3s")
    return Peer(
        my_asn=int(item["my-asn"]),
        asn=int(item["peer-asn"]),
        address=IPv4Address(item["peer-address"]),
        port=int(item.get("peer-port", 179)),
        hold=hold,
        router_id=IPv4Address(item["router-id"]) if item.get("router-id") else None,
        password=item.get("password"),
        node_selectors=tuple(_selector(each) for each in item.get("node-selectors") or ()),
    )


def _selector(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "matchLabels": item.get("match-labels") or {},
        "matchExpressions": item.get("match-expressions") or (),
    }


def _pool(item: Mapping[str, Any], names: Mapping[str, str]) -> Pool | None:
    if item["protocol"] != "bgp":
        return None
    networks = [network for text in item["addresses"] for network in _networks(text)]
    written: list[Mapping[str, Any]] = item.get("bgp-advertisements") or [{}]
    manners = [_manner(each, names) for each in written]
    return Pool(item["name"], tuple(networks), tuple(manners))


def _networks(text: str) -> Sequence[IPv4Network]:
    """A CIDR or `first-last`; nothing for IPv6, which MetalLB 0.9's BGP does not announce."""
    first, dash, last = text.partition("-")
    if not dash:
        network = ip_network(text.strip())
        return [network] if isinstance(network, IPv4Network) else []
    ends = IPv4Address(first.strip()), IPv4Address(last.strip())
    return list(summarize_address_range(*ends))


def _manner(item: Mapping[str, Any], names: Mapping[str, str]) -> Manner:
    length = int(item.get("aggregation-length", 32))
    if not 0 <= length <= 32:
        raise ValueError(f"aggregation-length {length} is not between 0 and 32")
    preference = item.get("localpref")
    written = list(item.get("communities") or ())
    communities: list[str] = [names.get(text, text) for text in written]
    wrong = [text for text in communities if not _COMMUNITY.fullmatch(text)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no community (n:n) nor the name of one")
    return Manner(length, None if preference is None else int(preference), frozenset(communities))


def _seconds(text: str) -> float:
    """A Go duration such as `90s` or `1m30s`."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration such as 90s")
    return sum(float(number) * _UNIT[unit] for number, unit in parts)
