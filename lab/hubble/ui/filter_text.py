"""The filter box's language, and the other choices of the page, as FlowFilters.

One entry is `[!][from:|to:|both:]kind=value`: `label app=web`, `ip=1.1.1.1`, `dns=google.com`,
`identity=42`, `pod=default/frontend`, `workload=web1`, `port=80`, `protocol=udp`,
`tcp-flag=SYN`. Without a kind the value decides: an address, a label, or else a pod.
Entries of the same kind are alternatives, others are conditions; `!` excludes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network

from lab.errors import InputError
from lab.hubble.api import flow_pb2
from lab.hubble.cli.filter_flags import FilterList

KINDS = {
    "label": "label",
    "ip": "ip",
    "dns": "fqdn",
    "identity": "identity",
    "pod": "pod",
    "workload": "workload",
    "service": "service",
    "port": "port",
    "protocol": "protocol",
    "tcp-flag": "tcp-flags",
}
"""Kind in the box -> flag of the command that means the same."""

_ONE_SIDED = frozenset({"protocol", "tcp-flag"})
_ENTRY = re.compile(
    r"(?P<not>!)?\s*(?:(?P<side>from|to|both):)?\s*"
    r"(?:(?P<kind>label|ip|dns|identity|pod|workload|service|port|protocol|tcp-flag)\s*[= ]\s*)?"
    r"(?P<value>.+)"
)

VERDICTS = {"forwarded": "FORWARDED", "dropped": "DROPPED", "audit": "AUDIT", "error": "ERROR"}


@dataclass(frozen=True)
class Choice:
    """What one browser wants to see."""

    namespace: str = ""
    """Empty: all namespaces."""
    verdict: str = ""
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conditions:
    """A flow passes when one filter of every group matches it and none of `deny` does."""

    groups: tuple[tuple[flow_pb2.FlowFilter, ...], ...]
    deny: tuple[flow_pb2.FlowFilter, ...]


def conditions(choice: Choice) -> Conditions:
    """What the choice means; InputError names an entry that cannot be understood."""
    groups: dict[str, list[flow_pb2.FlowFilter]] = {}
    deny: list[flow_pb2.FlowFilter] = []
    if choice.namespace:
        groups["namespace"] = _filters("namespace", choice.namespace)
    if choice.verdict:
        if choice.verdict not in VERDICTS:
            raise InputError(f"unknown verdict {choice.verdict!r}: want {', '.join(VERDICTS)}")
        groups["verdict"] = _filters("verdict", VERDICTS[choice.verdict])
    for entry in choice.entries:
        kind, negated, found = _entry(entry)
        if negated:
            deny.extend(found)
        else:
            groups.setdefault(kind, []).extend(found)
    return Conditions(tuple(tuple(group) for group in groups.values()), tuple(deny))


def _entry(text: str) -> tuple[str, bool, list[flow_pb2.FlowFilter]]:
    """Kind, whether negated, and the filters that say it: one a side for either side."""
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise InputError(f"cannot read the filter {text!r}")
    value = found["value"].strip()
    kind = found["kind"] or _kind_of(value)
    side = found["side"] if found["side"] in ("from", "to") and kind not in _ONE_SIDED else ""
    if kind in ("pod", "service") and "/" not in value:
        value = f"/{value}"  # here a bare name means every namespace, in the command one
    flag = f"{side}-{KINDS[kind]}" if side else KINDS[kind]
    return kind, bool(found["not"]), _filters(flag, value)


def _filters(flag: str, value: str) -> list[flow_pb2.FlowFilter]:
    one = FilterList()
    one.add(flag, value)
    return one.filters()


def _kind_of(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        is_label = "=" in value or value.startswith(("k8s:", "reserved:"))
        return "label" if is_label else "pod"
    return "ip"
