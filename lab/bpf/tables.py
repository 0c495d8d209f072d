"""The maps: name, key and value of each.

Every map is pinned as /sys/fs/bpf/tc/globals/NAME in its node's own bpffs.
"""

# ctypes wants its fields in a list (RUF012).
# ruff: noqa: RUF012

from __future__ import annotations

from ctypes import c_uint8, c_uint16, c_uint32, c_uint64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.bpf import structs as s
from lab.bpf.layout import Layout

GLOBALS = Path("/sys/fs/bpf/tc/globals")


class RevNatId(Layout):
    """Key of the reverse NAT and Maglev maps."""

    _fields_ = [("id", c_uint16)]


class BackendId(Layout):
    """Key of the backend maps."""

    _fields_ = [("id", c_uint32)]


class Present(Layout):
    """Value of maps that are sets."""

    _fields_ = [("value", c_uint8)]


class Listed(Layout):
    """Value of the source ranges: `codes.SourceRange`."""

    _fields_ = [("policy", c_uint8)]


class Index(Layout):
    """Key of arrays."""

    _fields_ = [("index", c_uint32)]


class Count(Layout):
    """Value of counters."""

    _fields_ = [("number", c_uint64)]


@dataclass(frozen=True)
class Table:
    """A map's name and the types of its keys and values."""

    name: str
    key: type[Any]
    value: type[Any]
    per_cpu: bool = False


SERVICES = Table("cilium_lb4_services_v2", s.lb4_key, s.lb4_service)
SERVICES6 = Table("cilium_lb6_services_v2", s.lb6_key, s.lb4_service)
BACKENDS = Table("cilium_lb4_backends_v3", BackendId, s.lb4_backend)
BACKENDS6 = Table("cilium_lb6_backends_v3", BackendId, s.lb6_backend)
REVERSE_NAT = Table("cilium_lb4_reverse_nat", RevNatId, s.lb4_reverse_nat)
REVERSE_NAT6 = Table("cilium_lb6_reverse_nat", RevNatId, s.lb6_reverse_nat)
AFFINITY = Table("cilium_lb4_affinity", s.lb4_affinity_key, s.lb_affinity_val)
AFFINITY6 = Table("cilium_lb6_affinity", s.lb6_affinity_key, s.lb_affinity_val)
AFFINITY_MATCH = Table("cilium_lb_affinity_match", s.lb_affinity_match, Present)
SOURCE_RANGE = Table("cilium_lb4_source_range", s.lb4_src_range_key, Listed)
SOURCE_RANGE6 = Table("cilium_lb6_source_range", s.lb6_src_range_key, Listed)
MAGLEV = Table("cilium_lb4_maglev", RevNatId, BackendId)
"""Map of maps: the inner one is an ARRAY of one value, u32[M]. See `maglev`."""
MAGLEV6 = Table("cilium_lb6_maglev", RevNatId, BackendId)
CT_TCP = Table("cilium_ct4_global", s.ipv4_ct_tuple, s.ct_entry)
CT_ANY = Table("cilium_ct_any4_global", s.ipv4_ct_tuple, s.ct_entry)
CT_TCP6 = Table("cilium_ct6_global", s.ipv6_ct_tuple, s.ct_entry)
CT_ANY6 = Table("cilium_ct_any6_global", s.ipv6_ct_tuple, s.ct_entry)
SNAT = Table("cilium_snat_v4_external", s.ipv4_ct_tuple, s.ipv4_nat_entry)
SNAT6 = Table("cilium_snat_v6_external", s.ipv6_ct_tuple, s.ipv6_nat_entry)
FLOWS_ENTERED = Table("cilium_flows_entered", Index, Count, per_cpu=True)
FLOWS_LEDGER = Table("cilium_flows_ledger", Index, s.flow_ledger)
"""What came into the tables of connections and translations, and went: see `ledger`."""
SOCKETS = Table("cilium_lb_reverse_sk", s.socket_peer, s.nat_target)
FRAGMENTS = Table("cilium_ipv4_frag_datagrams", s.ipv4_frag_id, s.frag_l4ports)
FRAGMENTS6 = Table("cilium_ipv6_frag_datagrams", s.ipv6_frag_id, s.frag_l4ports)
IPCACHE = Table("cilium_ipcache", s.ipcache_key, s.remote_endpoint_info)
ENDPOINTS = Table("cilium_lxc", s.endpoint_key, s.endpoint_info)
METRICS = Table("cilium_metrics", s.metrics_key, s.metrics_value, per_cpu=True)
EVENT_COUNTS = Table("cilium_event_counts", Index, s.event_counts, per_cpu=True)

EVENTS_NAME = "cilium_events"
"""The ring buffer of events; see `events.EventRing`."""
