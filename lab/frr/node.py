"""A node's BGP configuration as FRR lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from lab.errors import InputError
from lab.frr.leaving import LEAVING, entry_number, open_lists
from lab.frr.model import Address, Advertisement, Bfd, BgpConfig, Neighbor, Prefix
from lab.frr.tree import Place, Tree

NOTHING = "nothing"
"""Route map that lets no route through: nodes learn nothing by BGP."""

FAST_TIMERS = "bgp route-map delay-timer 0"
"""bgpd waits for nothing when a route map changes: what has to be announced again is told to it
(`lab.frr.treatment`). The router's route maps never change."""

FAST_QUEUE = "zebra work-queue 0"
"""What bgpd decided reaches the kernel at once; zebra would gather more for 10 ms."""

_PASSWORD = re.compile("[!-~]+")

_SLOTS = 6000
"""Sequence numbers of a route map end at 65535; a slot has ten, the last is the rest's."""

OURS = (
    FAST_TIMERS,
    "bfd",
    "ip prefix-list to-",
    "ipv6 prefix-list to-",
    f"ip prefix-list {LEAVING} ",
    f"ipv6 prefix-list {LEAVING} ",
    f"route-map {NOTHING} ",
    "route-map to-",
    "router bgp ",
)
"""Beginnings of all top-level lines that a node's configuration may have."""


OUR_LINES = (
    "bgp default local-preference ",
    "bgp graceful-restart",
    "bgp router-id ",
    "detect-multiplier ",
    "echo",
    "match ",
    "minimum-ttl ",
    "neighbor ",
    "network ",
    "passive-mode",
    "receive-interval ",
    "set ",
    "transmit-interval ",
)
"""Beginnings of the lines within those sections that may have to go again."""


def ours(running: Tree, wanted: Tree) -> Tree:
    """What of a running configuration is wanted, or else the agent's to remove.

    An operator's sections and settings stay, and so does what a newer FRR says of its own accord.
    """

    def is_ours(path: Place, line: str) -> bool:
        return line in wanted.get(path, ()) or line.startswith(OUR_LINES if path else OURS)

    return {
        path: tuple(line for line in lines if is_ours(path, line))
        for path, lines in running.items()
        if not path or path[0].startswith(OURS)
    }


def node_tree(config: BgpConfig) -> Tree:
    """The sections that a node's BGP needs; none without neighbors."""
    if not config.neighbors:
        return {}
    tree: dict[Place, tuple[str, ...]] = {}
    versions = sorted({v for neighbor in config.neighbors for v in neighbor.families})
    tree[()] = (FAST_TIMERS, *open_lists(versions), *_prefix_lists(config))
    for bfd in _profiles(config.neighbors):
        tree[("bfd",)] = ()
        tree[("bfd", f"profile {bfd.profile}")] = tuple(bfd_lines(bfd))
    router = (f"router bgp {config.asn}",)
    sessions = [line for neighbor in config.neighbors for line in _session(neighbor)]
    tree[router] = (*_router(config), *sessions)
    for version in versions:
        family = (*router, f"address-family ipv{version} unicast")
        tree[family] = tuple(_family(config, version))
    for neighbor in config.neighbors:
        tree.update(_outgoing(config, neighbor))
    tree[(f"route-map {NOTHING} deny 10",)] = ()
    return tree


def bfd_lines(bfd: Bfd) -> Iterator[str]:
    """The lines of a BFD profile that differ from FRR's defaults."""
    if bfd.multiplier != 3:
        yield f"detect-multiplier {bfd.multiplier}"
    if bfd.interval != 300:
        yield f"transmit-interval {bfd.interval}"
    if (bfd.receive_interval or bfd.interval) != 300:
        yield f"receive-interval {bfd.receive_interval or bfd.interval}"
    if bfd.echo_interval:
        yield "echo-mode"
        if bfd.echo_interval != 50:
            yield f"echo transmit-interval {bfd.echo_interval}"
            yield f"echo receive-interval {bfd.echo_interval}"
    if bfd.passive:
        yield "passive-mode"
    if bfd.minimum_ttl:
        yield f"minimum-ttl {bfd.minimum_ttl}"


def _router(config: BgpConfig) -> Iterator[str]:
    yield f"bgp router-id {config.router_id}"
    yield "no bgp ebgp-requires-policy"
    yield "no bgp default ipv4-unicast"
    if config.local_preference != 100:
        yield f"bgp default local-preference {config.local_preference}"
    if config.graceful_restart:
        if config.graceful_restart.restart_time != 120:
            yield f"bgp graceful-restart restart-time {config.graceful_restart.restart_time}"
        yield "bgp graceful-restart"
        # The node's datapath is not bgpd's: what it announced is served while bgpd is away.
        yield "bgp graceful-restart preserve-fw-state"
    yield "no bgp network import-check"
    yield "coalesce-time 0"


def _session(neighbor: Neighbor) -> Iterator[str]:
    """The lines of one neighbor that do not depend on the address family."""
    if neighbor.password and not _PASSWORD.fullmatch(neighbor.password):
        raise InputError(
            f"neighbor {neighbor.address}: the password has a character that FRR cannot read: "
            "printable ones without spaces only"
        )
    lines = [
        f"remote-as {neighbor.asn}",
        neighbor.local_asn and f"local-as {neighbor.local_asn} no-prepend replace-as",
        neighbor.description and f"description {neighbor.description}",
        neighbor.bfd and "bfd",
        neighbor.bfd and f"bfd profile {neighbor.bfd.profile}",
        neighbor.password and f"password {neighbor.password}",
        neighbor.passive and "passive",
        neighbor.port and f"port {neighbor.port}",
        neighbor.ebgp_multihop and f"ebgp-multihop {neighbor.ebgp_multihop}",
        neighbor.ttl_security_hops and f"ttl-security hops {neighbor.ttl_security_hops}",
        neighbor.update_source and f"update-source {neighbor.update_source}",
        f"timers {neighbor.keepalive} {neighbor.hold}",
        f"timers connect {neighbor.connect_retry}",
        neighbor.graceful_restart is True and "graceful-restart",
        neighbor.graceful_restart is False and "graceful-restart-disable",
    ]
    return (f"neighbor {neighbor.address} {line}" for line in lines if line)


def _family(config: BgpConfig, version: int) -> Iterator[str]:
    for advertisement in _of_version(config.advertisements, version):
        yield f"network {advertisement.prefix}"
    for neighbor in config.neighbors:
        if version in neighbor.families:
            yield f"neighbor {neighbor.address} activate"
            yield f"neighbor {neighbor.address} prefix-list {LEAVING} out"
            yield f"neighbor {neighbor.address} route-map {NOTHING} in"
            yield f"neighbor {neighbor.address} route-map {_map(neighbor.address)} out"
            if neighbor.maximum_prefixes:
                yield f"neighbor {neighbor.address} maximum-prefix {neighbor.maximum_prefixes}"


def _outgoing(config: BgpConfig, neighbor: Neighbor) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """The route map towards a neighbor: exceptions by prefix list, everything else as it is."""
    name = _map(neighbor.address)
    always = tuple(_set_always(config, neighbor))
    for slot, treatment in sorted(_treatments(config, neighbor).items()):
        verdict = "permit" if treatment.lines else "deny"
        for version in treatment.versions:
            family = "ip" if version == 4 else "ipv6"
            match = f"match {family} address prefix-list {name}-{slot}"
            sequence = 10 * slot + (version == 6)
            sets = (*treatment.lines, *always) if treatment.lines else ()
            yield (f"route-map {name} {verdict} {sequence}",), (match, *sets)
    yield (f"route-map {name} permit 65535",), always


def _set_always(config: BgpConfig, neighbor: Neighbor) -> Iterator[str]:
    """What is set on all that a neighbor hears."""
    if config.origin != "igp":
        yield f"set origin {config.origin}"
    if config.address6 and neighbor.address.version == 6:
        yield f"set ipv6 next-hop global {config.address6}"


def _prefix_lists(config: BgpConfig) -> Iterator[str]:
    for neighbor in config.neighbors:
        for slot, treatment in sorted(_treatments(config, neighbor).items()):
            for version in treatment.versions:
                family = "ip" if version == 4 else "ipv6"
                name = f"{_map(neighbor.address)}-{slot}"
                for prefix in treatment.of(version):
                    yield f"{family} prefix-list {name} seq {entry_number(prefix)} permit {prefix}"


@dataclass
class _Treatment:
    """What is set on some prefixes on their way to a neighbor; no lines: it hears none of them."""

    lines: tuple[str, ...]
    prefixes: list[Prefix] = field(default_factory=list)

    @property
    def versions(self) -> list[int]:
        return sorted({prefix.version for prefix in self.prefixes})

    def of(self, version: int) -> list[Prefix]:
        return [prefix for prefix in self.prefixes if prefix.version == version]


def _treatments(config: BgpConfig, neighbor: Neighbor) -> dict[int, _Treatment]:
    """The neighbor's exceptions by their slot; prefixes that are sent as they are have none.

    A slot depends on what is set alone, so that a treatment that comes or goes does not move the
    others: their routes would for a moment be announced without their attributes.
    """
    ways: dict[tuple[str, ...], _Treatment] = {}
    carried = [one for one in config.advertisements if one.prefix.version in neighbor.families]
    heard = [one for one in carried if _hears(neighbor, one)]
    heard_prefixes = {one.prefix for one in heard}
    others = [one for one in carried if one.prefix not in heard_prefixes]
    for advertisement in (*heard, *others):
        lines = tuple(_set_lines(advertisement)) if _hears(neighbor, advertisement) else ()
        if lines or advertisement.prefix not in heard_prefixes:
            ways.setdefault(lines, _Treatment(lines)).prefixes.append(advertisement.prefix)
    slots: dict[int, _Treatment] = {}
    for lines in sorted(ways):
        slot = 1 + crc32("\n".join(lines).encode()) % _SLOTS
        while slot in slots:
            slot = 1 + slot % _SLOTS
        slots[slot] = ways[lines]
    return slots


def _hears(neighbor: Neighbor, advertisement: Advertisement) -> bool:
    return advertisement.neighbors is None or neighbor.address in advertisement.neighbors


def _set_lines(advertisement: Advertisement) -> Iterator[str]:
    """The `set` lines, in FRR's order."""
    if advertisement.communities:
        yield f"set community {' '.join(sorted(advertisement.communities))} additive"
    if advertisement.large_communities:
        yield f"set large-community {' '.join(sorted(advertisement.large_communities))} additive"
    if advertisement.local_preference is not None:
        yield f"set local-preference {advertisement.local_preference}"


def _of_version(advertisements: Iterable[Advertisement], version: int) -> Iterator[Advertisement]:
    seen: set[Prefix] = set()
    for one in advertisements:
        if one.prefix.version == version and one.prefix not in seen:
            seen.add(one.prefix)
            yield one


def _profiles(neighbors: Sequence[Neighbor]) -> list[Bfd]:
    return sorted({n.bfd for n in neighbors if n.bfd}, key=lambda bfd: bfd.profile)


def _map(address: Address) -> str:
    return f"to-{address}"
