"""Filter flags to FlowFilters, as the `hubble` command combines them.

Flags about either side (`--pod`, `--ip` ...) make two filters, one for the source and one for the
destination; every other flag goes into both. Values of one flag are alternatives, flags are
conditions. `--not` sends the next flag to the deny list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab.errors import InputError
from lab.hubble.api import flow_pb2
from lab.hubble.cli import filter_values

Update = Callable[[flow_pb2.FlowFilter], object]

TEXT_FIELDS = {
    "uuid": "uuid",
    "node-name": "node_name",
    "node-label": "node_labels",
    "protocol": "protocol",
    "trace-id": "trace_id",
    "http-status": "http_status_code",
    "http-method": "http_method",
    "http-path": "http_path",
    "http-url": "http_url",
    "snat-ip": "source_ip_xlated",
}
"""Flag -> field that takes the flag's value as it is."""

SIDED_FIELDS = {
    "ip": "ip",
    "pod": "pod",
    "fqdn": "fqdn",
    "label": "label",
    "service": "service",
    "port": "port",
    "cluster": "cluster_name",
    "workload": "workload",
    "identity": "identity",
}
"""Flags with the forms X, from-X and to-X -> end of the fields source_X and destination_X."""

OTHER_FLAGS = (
    "verdict",
    "drop-reason-desc",
    "type",
    "tcp-flags",
    "ip-version",
    "traffic-direction",
    "http-header",
    "interface",
    "cel-expression",
)

SWITCHES = {"ipv4": "v4", "ipv6": "v6", "encrypted": "true", "unencrypted": "false"}
"""Flags without a value -> what they stand for."""

NAMESPACES = ("namespace", "from-namespace", "to-namespace")
ALL_NAMESPACES = ("all-namespaces", "from-all-namespaces", "to-all-namespaces")

CONFLICTS = (
    *(
        ("fqdn", "ip", f"{side}-fqdn", f"{side}-ip", *names)
        for side in ("from", "to")
        for names in (
            ("namespace", "all-namespaces", f"{side}-namespace", f"{side}-all-namespaces"),
            ("pod", f"{side}-pod"),
        )
    ),
    *(
        (f"{side}-{what}", "namespace", "all-namespaces")
        for side in ("from", "to")
        for what in ("pod", "service")
    ),
    *(
        (what, f"{side}-{what}")
        for side in ("from", "to")
        for what in ("label", "service", "port", "identity", "workload")
    ),
    ("encrypted", "unencrypted"),
)
"""Groups of flags of which one list may hold only one."""

_IP_VERSIONS = {
    **dict.fromkeys(("4", "v4", "ip4", "ipv4"), flow_pb2.IPv4),
    **dict.fromkeys(("6", "v6", "ip6", "ipv6"), flow_pb2.IPv6),
    "none": flow_pb2.IP_NOT_USED,
}


@dataclass
class FilterList:
    """The allow list or the deny list, while flags are added to it."""

    left: flow_pb2.FlowFilter = field(default_factory=flow_pb2.FlowFilter)
    right: flow_pb2.FlowFilter = field(default_factory=flow_pb2.FlowFilter)
    namespaces: dict[str, list[str]] = field(default_factory=dict)
    """"namespace", "from-namespace", "to-namespace" -> values; "" is any namespace."""
    used: list[str] = field(default_factory=list)

    def add(self, flag: str, value: str) -> None:
        """Add one flag with its value; InputError when it is invalid or does not fit the others."""
        if flag not in self.used:
            self.used.append(flag)
            self._check_conflicts(flag)
        if flag in NAMESPACES:
            self.namespaces.setdefault(flag, []).append(value)
        elif flag in ALL_NAMESPACES:
            name = flag.replace("all-namespaces", "namespace")
            self.namespaces.setdefault(name, []).append("")
        else:
            left, right = _updates(flag, value)
            left(self.left)
            right(self.right)

    def filters(self) -> list[flow_pb2.FlowFilter]:
        """The finished filters; one when both sides ask the same, none without any flag."""
        if not self.used:
            return []
        left, right = flow_pb2.FlowFilter(), flow_pb2.FlowFilter()
        left.CopyFrom(self.left)
        right.CopyFrom(self.right)
        for each in (left, right):
            _qualify(each, "destination", self.namespaces.get("to-namespace", []))
            _qualify(each, "source", self.namespaces.get("from-namespace", []))
        _qualify(left, "source", self.namespaces.get("namespace", []))
        _qualify(right, "destination", self.namespaces.get("namespace", []))
        return [left] if left == right else [left, right]

    def _check_conflicts(self, flag: str) -> None:
        for group in CONFLICTS:
            if flag in group:
                for other in self.used:
                    if other != flag and other in group:
                        raise InputError(f"filters --{other} and --{flag} cannot be combined")


@dataclass
class FlowFilters:
    """All filter flags of a command line, in their order."""

    allow: FilterList = field(default_factory=FilterList)
    deny: FilterList = field(default_factory=FilterList)
    _negated: bool = False

    def add(self, flag: str, value: str) -> None:
        """Take the next flag; `not` turns over the one after it."""
        if flag == "not":
            if self._negated:
                raise InputError("two --not in a row: it reverses only the filter after it")
            self._negated = True
            return
        target = self.deny if self._negated else self.allow
        self._negated = False
        target.add(flag, value)

    def finish(self) -> None:
        """InputError when the last flag was `not`."""
        if self._negated:
            raise InputError("--not at the end: it reverses the filter after it")


def _updates(flag: str, value: str) -> tuple[Update, Update]:
    """What the flag does to the source's and to the destination's filter."""
    side, _, what = flag.rpartition("-")
    if flag in SIDED_FIELDS:
        name = SIDED_FIELDS[flag]
        return _append(f"source_{name}", value), _append(f"destination_{name}", value)
    if side in ("from", "to") and what in SIDED_FIELDS:
        end = "source" if side == "from" else "destination"
        update = _append(f"{end}_{SIDED_FIELDS[what]}", value)
    elif flag in TEXT_FIELDS:
        update = _append(TEXT_FIELDS[flag], value)
    else:
        update = _other(flag, SWITCHES.get(flag, value))
    return update, update


def _append(name: str, value: str) -> Update:
    if name.endswith("_workload"):
        workload = filter_values.workload(value)
        return lambda each: getattr(each, name).append(workload)
    if name.endswith("_identity"):
        number = filter_values.identity(value)
        return lambda each: getattr(each, name).append(number)
    return lambda each: getattr(each, name).append(value)


def _other(flag: str, value: str) -> Update:
    """Flags whose values need to be understood."""
    if flag == "type":
        event_type = filter_values.event_type(value)
        return lambda each: each.event_type.append(event_type)
    if flag == "tcp-flags":
        flags = filter_values.tcp_flags(value)
        return lambda each: each.tcp_flags.append(flags)
    if flag == "http-header":
        key, colon, text = value.partition(":")
        if not colon:
            raise InputError(f"invalid http-header {value!r}: want name:value")
        return lambda each: each.http_header.add(key=key, value=text)
    if flag == "interface":
        return lambda each: each.interface.add(name=value)
    if flag == "cel-expression":
        return lambda each: each.experimental.cel_expression.append(value)
    if flag in ("encrypted", "unencrypted"):
        return lambda each: each.encrypted.append(value == "true")
    if flag in ("ipv4", "ipv6", "ip-version"):
        version = filter_values.choice("ip-version", value.lower(), _IP_VERSIONS)
        return lambda each: each.ip_version.append(version)
    return _enumerated(flag, value)


def _enumerated(flag: str, value: str) -> Update:
    if flag == "verdict":
        verdict = filter_values.choice(flag, value, dict(flow_pb2.Verdict.items()))
        return lambda each: each.verdict.append(verdict)  # type: ignore[arg-type]
    if flag == "drop-reason-desc":
        reason = filter_values.choice(flag, value, dict(flow_pb2.DropReason.items()))
        return lambda each: each.drop_reason_desc.append(reason)  # type: ignore[arg-type]
    directions = {"ingress": flow_pb2.INGRESS, "egress": flow_pb2.EGRESS}
    direction = filter_values.choice("traffic-direction", value.lower(), directions)
    return lambda each: each.traffic_direction.append(direction)


def _qualify(message: flow_pb2.FlowFilter, side: str, namespaces: Sequence[str]) -> None:
    """Put namespaces in front of the pods and services that name none; alone they mean all pods."""
    if not namespaces:
        return
    pods, services = getattr(message, f"{side}_pod"), getattr(message, f"{side}_service")
    if not pods and not services:
        pods.append("")
    for values in (pods, services):
        _check_namespaces(values, namespaces)
        values[:] = [
            qualified
            for value in values
            for qualified in ([value] if "/" in value else [f"{n}/{value}" for n in namespaces])
        ]


def _check_namespaces(values: Sequence[str], namespaces: Sequence[str]) -> None:
    for value in values:
        own, slash, _ = value.partition("/")
        for namespace in namespaces:
            if slash and own and namespace and own != namespace:
                raise InputError(f"namespace conflict: {namespace!r} does not contain {value!r}")
