"""MetalLB's ConfigMap (kube-system/bgp-config): text in, checked settings out. Pure.

Grammar: MetalLB 0.9.6, internal/config, which Cilium 1.10 has; and what 0.10 to 0.12 added to the
same ConfigMap: source-address, keepalive-time, ebgp-multihop, BFD profiles. As there, a field that
nobody knows is a mistake. Whom an address is given to is the allocator's business: it reads
`auto-assign` and `avoid-buggy-ips`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import IPv4Address, ip_address, ip_network, summarize_address_range
from typing import Any, TypeVar

import yaml

from lab.agent.bgp.selection import Labels, selects
from lab.agent.refused import Refused
from lab.frr.model import Address, Bfd, Prefix

T = TypeVar("T")
Json = Mapping[str, Any]

KIND = "ConfigMap"
CONFIG = (KIND, "bgp-config")
DEFAULT_HOLD = "90s"

KNOWN_PREFIXES = 65536
"""Networks of addresses that are kept as made."""

_TOP = ("peers", "bgp-communities", "address-pools", "bfd-profiles")
_PEER = (
    "my-asn", "peer-asn", "peer-address", "source-address", "peer-port", "hold-time",
    "keepalive-time", "router-id", "node-selectors", "password", "ebgp-multihop", "bfd-profile",
)  # fmt: skip
_POOL = ("protocol", "name", "addresses", "avoid-buggy-ips", "auto-assign", "bgp-advertisements")
_ADVERTISEMENT = ("aggregation-length", "aggregation-length-v6", "localpref", "communities")
_SELECTOR = ("match-labels", "match-expressions")
_EXPRESSION = ("key", "operator", "values")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_BFD = (
    "name", "receive-interval", "transmit-interval", "detect-multiplier", "echo-interval",
    "echo-mode", "passive-mode", "minimum-ttl",
)  # fmt: skip

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_COMMUNITY = re.compile(r"\d{1,5}:\d{1,5}")
_HALF = 1 << 16
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Peer:
    """A router that nodes with certain labels peer with. Times are in seconds."""

    my_asn: int
    asn: int
    address: Address
    source: Address | None
    port: int
    hold: int
    keepalive: int
    router_id: IPv4Address | None
    password: str | None
    multihop: bool
    bfd: Bfd | None
    node_selectors: tuple[Json, ...]

    def is_for(self, labels: Labels) -> bool:
        """Any selector suffices; none at all means every node."""
        return not self.node_selectors or any(selects(s, labels) for s in self.node_selectors)


@dataclass(frozen=True)
class Manner:
    """One way to announce a pool's addresses."""

    aggregation_length: int = 32
    local_preference: int | None = None
    communities: frozenset[str] = frozenset()
    aggregation_length6: int = 128

    def prefix(self, address: Address) -> Prefix:
        """What an address is announced as."""
        length = self.aggregation_length if address.version == 4 else self.aggregation_length6
        return _network(address, length)


@lru_cache(maxsize=KNOWN_PREFIXES)
def _network(address: Address, length: int) -> Prefix:
    """The network of an address, made once: every settling asks for those of all services."""
    return ip_network((address, length), strict=False)


@dataclass(frozen=True)
class Pool:
    """Addresses, and the manners in which each is announced."""

    name: str
    networks: tuple[Prefix, ...]
    manners: tuple[Manner, ...]


@dataclass(frozen=True)
class Settings:
    """The whole ConfigMap, checked."""

    peers: tuple[Peer, ...] = ()
    pools: tuple[Pool, ...] = ()

    def manners(self, address: Address) -> tuple[Manner, ...]:
        """How to announce an address; nothing for one that is in no pool."""
        for pool in self.pools:
            if any(address in network for network in pool.networks):
                return pool.manners
        return ()


def parse(text: str) -> Settings:
    """The settings of a `config.yaml`; Refused lists every mistake in it."""
    try:
        data = yaml.load(text, Loader=_LOADER) or {}
    except yaml.YAMLError as error:
        raise Refused(*CONFIG, [f"config.yaml is not YAML: {error}"]) from error
    if not isinstance(data, dict):
        raise Refused(*CONFIG, ["config.yaml is no mapping"])
    problems = [f"there is no field {name!r}" for name in data if name not in _TOP]
    named: Json = data.get("bgp-communities") or {}
    wrong = [name for name, value in named.items() if not _is_community(str(value))]
    problems += [f"community {name!r}: {named[name]!r} is not of the form n:n" for name in wrong]
    profiles = dict(_each(data.get("bfd-profiles"), "BFD profile", _bfd, problems))
    peers = list(_each(data.get("peers"), "peer", partial(_peer, profiles=profiles), problems))
    problems += _peered_twice(peers)
    pools = list(
        _each(data.get("address-pools"), "address pool", partial(_pool, names=named), problems)
    )
    if problems:
        raise Refused(*CONFIG, problems)
    return Settings(tuple(peers), tuple(pool for pool in pools if pool is not None))


def _each(items: Any, what: str, read: Callable[[Json], T], problems: list[str]) -> Iterator[T]:
    for number, item in enumerate(items or (), start=1):
        try:
            yield read(item)
        except KeyError as error:
            problems.append(f"{what} {number}: {error.args[0]} is missing")
        except (ValueError, TypeError, AttributeError) as error:
            problems.append(f"{what} {number}: {error}")


def _known(item: Json, fields: Collection[str]) -> None:
    unknown = [name for name in item if name not in fields]
    if unknown:
        raise ValueError(f"there is no field {unknown[0]!r}; there are {', '.join(fields)}")


def _peer(item: Json, profiles: Mapping[str, Bfd]) -> Peer:
    _known(item, _PEER)
    hold = int(_seconds(item.get("hold-time", DEFAULT_HOLD)))
    if hold and hold < 3:
        raise ValueError(f"hold-time {hold}s is neither 0 nor at least 3s")
    keepalive = int(_seconds(item["keepalive-time"])) if "keepalive-time" in item else hold // 3
    if keepalive > hold:
        raise ValueError(f"keepalive-time {keepalive}s is longer than hold-time {hold}s")
    my_asn, asn = _number(item, "my-asn", 1, 2**32 - 1), _number(item, "peer-asn", 1, 2**32 - 1)
    multihop = _flag(item, "ebgp-multihop")
    if multihop and my_asn == asn:
        raise ValueError("ebgp-multihop is not for iBGP (my-asn is peer-asn)")
    profile = item.get("bfd-profile")
    if profile is not None and profile not in profiles:
        raise ValueError(f"there is no BFD profile {profile!r}")
    return Peer(
        my_asn=my_asn,
        asn=asn,
        address=ip_address(item["peer-address"]),
        source=ip_address(item["source-address"]) if item.get("source-address") else None,
        port=_number(item, "peer-port", 1, _HALF - 1, default=179),
        hold=hold,
        keepalive=keepalive,
        router_id=IPv4Address(item["router-id"]) if item.get("router-id") else None,
        password=item.get("password"),
        multihop=multihop,
        bfd=profiles[profile] if profile is not None else None,
        node_selectors=tuple(_selector(each) for each in item.get("node-selectors") or ()),
    )


def _peered_twice(peers: Sequence[Peer]) -> list[str]:
    """FRR has one session with an address: two peers may share one for different nodes only."""
    everywhere = [peer.address for peer in peers if not peer.node_selectors]
    twice = sorted({address for address in everywhere if everywhere.count(address) > 1})
    return [f"more than one peer of all nodes has the peer-address {address}" for address in twice]


def _selector(item: Json) -> Json:
    _known(item, _SELECTOR)
    expressions: Sequence[Json] = item.get("match-expressions") or ()
    for expression in expressions:
        _known(expression, _EXPRESSION)
        if expression["operator"] not in _OPERATORS:
            raise ValueError(f"operator {expression['operator']!r}: use {', '.join(_OPERATORS)}")
    return {"matchLabels": item.get("match-labels") or {}, "matchExpressions": expressions}


def _bfd(item: Json) -> tuple[str, Bfd]:
    _known(item, _BFD)
    receive = _number(item, "receive-interval", 10, 60000, default=300)
    transmit = _number(item, "transmit-interval", 10, 60000, default=300)
    echo = _number(item, "echo-interval", 10, 60000, default=50)
    profile = Bfd(
        multiplier=_number(item, "detect-multiplier", 2, 255, default=3),
        interval=transmit,
        receive_interval=receive if receive != transmit else None,
        minimum_ttl=_number(item, "minimum-ttl", 1, 254) if "minimum-ttl" in item else None,
        echo_interval=echo if _flag(item, "echo-mode") else None,
        passive=_flag(item, "passive-mode"),
    )
    return str(item["name"]), profile


def _pool(item: Json, names: Json) -> Pool | None:
    _known(item, _POOL)
    if item["protocol"] == "layer2":
        return None
    if item["protocol"] != "bgp":
        raise ValueError(f"protocol {item['protocol']!r} is neither bgp nor layer2")
    entries = [_networks(text) for text in item["addresses"]]
    written: Sequence[Json] = item.get("bgp-advertisements") or [{}]
    manners = [_manner(each, names, entries) for each in written]
    networks = [network for entry in entries for network in entry]
    return Pool(item["name"], tuple(networks), tuple(manners))


def _networks(text: str) -> Sequence[Prefix]:
    """A CIDR or `first-last`, of either IP version."""
    first, dash, last = text.partition("-")
    if not dash:
        return [ip_network(text.strip())]
    return list(summarize_address_range(ip_address(first.strip()), ip_address(last.strip())))


def _manner(item: Json, names: Json, entries: Sequence[Sequence[Prefix]]) -> Manner:
    _known(item, _ADVERTISEMENT)
    length = _number(item, "aggregation-length", 0, 32, default=32)
    length6 = _number(item, "aggregation-length-v6", 0, 128, default=128)
    for networks in entries:
        widest = min(networks, key=lambda network: network.prefixlen)
        name, wanted = "aggregation-length", length
        if widest.version == 6:
            name, wanted = "aggregation-length-v6", length6
        if wanted < widest.prefixlen:
            raise ValueError(f"{name} {wanted} would announce more than {widest}")
    preference = item.get("localpref")
    communities = [str(names.get(text, text)) for text in item.get("communities") or ()]
    wrong = [text for text in communities if not _is_community(text)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no community (n:n) nor the name of one")
    if preference is not None:
        preference = _number(item, "localpref", 0, 2**32 - 1)
    return Manner(length, preference, frozenset(communities), length6)


def _is_community(text: str) -> bool:
    """Two numbers of 16 bits."""
    form = _COMMUNITY.fullmatch(text)
    return form is not None and all(int(half) < _HALF for half in text.split(":"))


def _number(item: Json, name: str, low: int, high: int, *, default: int | None = None) -> int:
    value = item[name] if default is None else item.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} {value!r} is no number from {low} to {high}")
    return value


def _flag(item: Json, name: str) -> bool:
    value = item.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} {value!r} is neither true nor false")
    return value


def _seconds(text: str) -> float:
    """A Go duration such as `90s` or `1m30s`."""
    parts = _DURATION.findall(str(text))
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration such as 90s")
    return sum(float(number) * _UNIT[unit] for number, unit in parts)
