"""Keys, values and events shared with the programs in the kernel, byte for byte.

Every class mirrors the C struct of the same name in `src/structs.h`; a test compares them with
the object's BTF. Fields typed `be16`/`be32` are big endian in memory and plain integers in
Python; all others are native. IPv6 addresses are 16 raw bytes. Layouts are Cilium's
(bpf/lib/{common,lb,maps,nat}.h), so `bpftool map dump` reads the same on both.
"""

from __future__ import annotations

from lab.bpf.structs.cluster import endpoint_info, endpoint_key, ipcache_key, remote_endpoint_info
from lab.bpf.structs.events import (
    drop_notify,
    event_counts,
    metrics_key,
    metrics_value,
    trace_notify,
)
from lab.bpf.structs.flows import (
    ct_entry,
    flow_ledger,
    frag_l4ports,
    ipv4_ct_tuple,
    ipv4_frag_id,
    ipv4_nat_entry,
    ipv6_ct_tuple,
    ipv6_frag_id,
    ipv6_nat_entry,
)
from lab.bpf.structs.services import (
    lb4_affinity_key,
    lb4_backend,
    lb4_key,
    lb4_reverse_nat,
    lb4_service,
    lb4_src_range_key,
    lb6_affinity_key,
    lb6_backend,
    lb6_key,
    lb6_reverse_nat,
    lb6_src_range_key,
    lb_affinity_match,
    lb_affinity_val,
    nat_target,
    socket_peer,
)

__all__ = [
    "ct_entry",
    "drop_notify",
    "endpoint_info",
    "endpoint_key",
    "event_counts",
    "flow_ledger",
    "frag_l4ports",
    "ipcache_key",
    "ipv4_ct_tuple",
    "ipv4_frag_id",
    "ipv4_nat_entry",
    "ipv6_ct_tuple",
    "ipv6_frag_id",
    "ipv6_nat_entry",
    "lb4_affinity_key",
    "lb4_backend",
    "lb4_key",
    "lb4_reverse_nat",
    "lb4_service",
    "lb4_src_range_key",
    "lb6_affinity_key",
    "lb6_backend",
    "lb6_key",
    "lb6_reverse_nat",
    "lb6_src_range_key",
    "lb_affinity_match",
    "lb_affinity_val",
    "metrics_key",
    "metrics_value",
    "nat_target",
    "remote_endpoint_info",
    "socket_peer",
    "trace_notify",
]
