"""The counters, one class a metric. Counting is a dictionary update; names come with a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from lab.hubble import codes, icmp
from lab.hubble.api import flow_pb2
from lab.hubble.identity import WORLD
from lab.hubble.metrics.context import ContextLabels
from lab.hubble.record import Record

PROTOCOLS = {
    codes.TCP: "TCP",
    codes.UDP: "UDP",
    codes.SCTP: "SCTP",
    codes.ICMP: "ICMPv4",
    codes.ICMPV6: "ICMPv6",
}
_TYPES = {
    codes.TRACE: "Trace",
    codes.DROP: "Drop",
    codes.POLICY_VERDICT: "PolicyVerdict",
    codes.CAPTURE: "Capture",
}
_PASSED = (codes.FORWARDED, codes.REDIRECTED)
_FAMILIES = {4: "IPv4", 6: "IPv6"}
_VERDICTS = {number: name for name, number in flow_pb2.Verdict.items()}
_DROP_NAMES = {number: name for name, number in flow_pb2.DropReason.items()}

Key = tuple[int | str, ...]


class Counter:
    """Counts flows by a key of numbers; `samples` turns the keys into label values.

    `take` runs on the feeding thread, for a flow and all that are alike; `samples` on a thread that
    serves a scrape.
    """

    name: ClassVar[str]
    text: ClassVar[str]
    own_labels: ClassVar[tuple[str, ...]]

    def __init__(self, context: ContextLabels, options: Mapping[str, str]) -> None:
        self.context = context
        self.options = options
        self._counts: dict[tuple[Key, tuple[str, ...]], int] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        return (*self.own_labels, *self.context.names)

    def take(self, record: Record, times: int = 1) -> None:
        for key in self.keys(record):
            at = (key, self.context.values(record) if self.context.readers else ())
            self._counts[at] = self._counts.get(at, 0) + times

    def samples(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """Label values and count, as of now."""
        for (key, context), count in list(self._counts.items()):
            yield (*self.words(key), *context), count

    def keys(self, record: Record) -> tuple[Key, ...]:
        """What this flow counts as: nothing, one key or several."""
        raise NotImplementedError

    def words(self, key: Key) -> tuple[str, ...]:
        """Values of `own_labels` for a key."""
        raise NotImplementedError


class Flows(Counter):
    name = "hubble_flows_processed"
    text = "Flows processed"
    own_labels = ("protocol", "type", "subtype", "verdict")

    def keys(self, record: Record) -> tuple[Key, ...]:
        return ((record.protocol, record.kind, record.subtype, record.verdict),)

    def words(self, key: Key) -> tuple[str, ...]:
        protocol, kind, subtype, verdict = (int(part) for part in key)
        trace = kind == codes.TRACE
        return (
            PROTOCOLS.get(protocol, "Unknown flow"),
            _TYPES.get(kind, "Unknown"),
            codes.observation_point(subtype) if trace else "",
            _VERDICTS.get(verdict, str(verdict)),
        )


class Drops(Counter):
    name = "hubble_drop"
    text = "Packets dropped"
    own_labels = ("reason", "protocol")

    def keys(self, record: Record) -> tuple[Key, ...]:
        if record.verdict != codes.DROPPED:
            return ()
        return ((record.reason, record.protocol),)

    def words(self, key: Key) -> tuple[str, ...]:
        reason, protocol = (int(part) for part in key)
        return _DROP_NAMES.get(reason, str(reason)), PROTOCOLS.get(protocol, "Unknown flow")


class TcpFlags(Counter):
    name = "hubble_tcp_flags"
    text = "TCP packets by flag"
    own_labels = ("flag", "family")

    def keys(self, record: Record) -> tuple[Key, ...]:
        if record.protocol != codes.TCP or record.verdict not in _PASSED:
            return ()
        return tuple((name, record.ip_version) for name in _counted_flags(record.detail))

    def words(self, key: Key) -> tuple[str, ...]:
        flag, family = key
        return str(flag), _FAMILIES[int(family)]


class Ports(Counter):
    """Requests by destination port; replies and packets of unknown direction do not count."""

    name = "hubble_port_distribution"
    text = "Packets by destination port"
    own_labels = ("protocol", "port")

    def keys(self, record: Record) -> tuple[Key, ...]:
        if record.is_reply is not False or record.verdict not in _PASSED:
            return ()
        if record.protocol not in PROTOCOLS:
            return ()
        return ((record.protocol, record.destination_port),)

    def words(self, key: Key) -> tuple[str, ...]:
        protocol, port = (int(part) for part in key)
        icmp_has_none = protocol in (codes.ICMP, codes.ICMPV6)
        return PROTOCOLS[protocol], "0" if icmp_has_none else str(port)


class IcmpMessages(Counter):
    name = "hubble_icmp"
    text = "ICMP messages by type"
    own_labels = ("family", "type")

    def keys(self, record: Record) -> tuple[Key, ...]:
        if record.protocol not in (codes.ICMP, codes.ICMPV6) or record.verdict not in _PASSED:
            return ()
        return ((record.ip_version, record.detail >> 8),)

    def words(self, key: Key) -> tuple[str, ...]:
        version, kind = (int(part) for part in key)
        names = icmp.V4 if version == 4 else icmp.V6
        return _FAMILIES[version], icmp.type_name(names, kind)


class FlowsToWorld(Counter):
    """Flows that leave for the world. Options: any-drop, port, syn-only."""

    name = "hubble_flows_to_world"
    text = "Flows to the world outside the cluster"

    @property
    def labels(self) -> tuple[str, ...]:
        port = ("port",) if "port" in self.options else ()
        return ("protocol", "verdict", *port, *self.context.names)

    def keys(self, record: Record) -> tuple[Key, ...]:
        if record.destination.identity != WORLD or self._is_left_out(record):
            return ()
        port = (record.destination_port,) if "port" in self.options else ()
        return ((record.protocol, record.verdict, *port),)

    def words(self, key: Key) -> tuple[str, ...]:
        protocol, verdict, *port = (int(part) for part in key)
        name = PROTOCOLS.get(protocol, "Unknown flow")
        return (name, _VERDICTS.get(verdict, str(verdict)), *(str(each) for each in port))

    def _is_left_out(self, record: Record) -> bool:
        dropped = record.verdict == codes.DROPPED
        if dropped and "any-drop" in self.options:
            return False
        syn = record.protocol == codes.TCP and record.detail & 0x12 == 0x02
        if "syn-only" in self.options and not syn:
            return True
        return record.is_reply is not False


class PolicyVerdicts(Counter):
    name = "hubble_policy_verdicts"
    text = "Policy verdicts by direction, kind of rule and outcome"
    own_labels = ("direction", "match", "action")

    def keys(self, record: Record) -> tuple[Key, ...]:
        if record.kind != codes.POLICY_VERDICT:
            return ()
        return ((record.direction, record.match_type, record.verdict),)

    def words(self, key: Key) -> tuple[str, ...]:
        direction, match, verdict = (int(part) for part in key)
        known = match < len(codes.MATCH_TYPES)
        return (
            "ingress" if direction == codes.INGRESS else "egress",
            codes.MATCH_TYPES[match].lower() if known else str(match),
            _VERDICTS.get(verdict, str(verdict)).lower(),
        )


COUNTERS: Mapping[str, type[Counter]] = {
    "flow": Flows,
    "drop": Drops,
    "tcp": TcpFlags,
    "port-distribution": Ports,
    "icmp": IcmpMessages,
    "flows-to-world": FlowsToWorld,
    "policy": PolicyVerdicts,
}
"""Names in the metrics configuration -> counters."""

LAYER7 = frozenset({"dns", "http", "httpV2", "kafka"})
"""Metrics that need a proxy: accepted, as the article's configuration names them, and silent."""


def _counted_flags(flags: int) -> Iterator[str]:
    if flags & 0x01:
        yield "FIN"
    if flags & 0x02:
        yield "SYN-ACK" if flags & 0x10 else "SYN"
    if flags & 0x04:
        yield "RST"
