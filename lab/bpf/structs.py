"""Keys, values and events shared with the programs in the kernel, byte for byte.

Every class mirrors the C struct of the same name in `src/structs.h`; a test compares them with
the object's BTF. Fields typed `be16`/`be32` are big endian in memory and plain integers in
Python; all others are native. IPv6 addresses are 16 raw bytes. Layouts are Cilium's
(bpf/lib/{common,lb,maps,nat}.h), so `bpftool map dump` reads the same on both.
"""

# The names are the C structs' own (N801); ctypes wants its fields in a list (RUF012).
# ruff: noqa: N801, RUF012

from __future__ import annotations

from ctypes import c_int8, c_uint8, c_uint16, c_uint32, c_uint64
from typing import Any

from lab.bpf.layout import (
    Address,
    Layout,
    Network,
    addr6,
    be16,
    be32,
    family_of,
    mac,
    wide,
)


class lb4_key(Layout):
    """A frontend (backend_slot 0) or the n-th backend of it (slot n, from 1)."""

    _fields_ = [
        ("address", be32),
        ("dport", be16),
        ("backend_slot", c_uint16),
        ("proto", c_uint8),
        ("scope", c_uint8),
        ("pad", c_uint8 * 2),
    ]


class lb6_key(Layout):
    """`lb4_key` for IPv6."""

    _fields_ = [("address", addr6), *lb4_key._fields_[1:]]


class lb4_service(Layout):
    """Value of `cilium_lb{4,6}_services_v2` (one layout for both families).

    Slot 0: `backend_id` holds the affinity timeout in seconds in its low 24 bits and the
    Algorithm in its high 8; `count` backends take new connections in slots 1..count, `qcount`
    more (terminating, quarantined) follow in slots count+1..count+qcount. Slot n: `backend_id`
    names the backend; the rest repeats rev_nat_index and may be 0.
    """

    _fields_ = [
        ("backend_id", c_uint32),
        ("count", c_uint16),
        ("rev_nat_index", c_uint16),
        ("flags", c_uint8),
        ("flags2", c_uint8),
        ("qcount", c_uint16),
    ]


class lb4_backend(Layout):
    """Value of `cilium_lb4_backends_v3`; its key is the backend id (u32, from 1)."""

    _fields_ = [
        ("address", be32),
        ("port", be16),
        ("proto", c_uint8),
        ("flags", c_uint8),
        ("cluster_id", c_uint16),
        ("zone", c_uint8),
        ("pad", c_uint8),
    ]


class lb6_backend(Layout):
    """`lb4_backend` for IPv6."""

    _fields_ = [("address", addr6), *lb4_backend._fields_[1:]]


class lb4_reverse_nat(Layout):
    """Frontend address of a rev_nat_index: what a reply's source becomes."""

    _pack_ = 1
    _fields_ = [("address", be32), ("port", be16)]


class lb6_reverse_nat(Layout):
    """`lb4_reverse_nat` for IPv6."""

    _pack_ = 1
    _fields_ = [("address", addr6), ("port", be16)]


class lb4_affinity_key(Layout):
    """A client of a service: its address (low 4 bytes), or its netns cookie with bit 0 of bits."""

    _pack_ = 1
    _fields_ = [
        ("client", c_uint64),
        ("rev_nat_id", c_uint16),
        ("bits", c_uint8),
        ("pad1", c_uint8),
        ("pad2", c_uint32),
    ]


class lb6_affinity_key(Layout):
    """`lb4_affinity_key` for IPv6."""

    _pack_ = 1
    _fields_ = [("client", addr6), *lb4_affinity_key._fields_[1:]]


class lb_affinity_val(Layout):
    """Backend a client stays with; `last_used` in seconds of CLOCK_MONOTONIC."""

    _fields_ = [("last_used", c_uint64), ("backend_id", c_uint32), ("pad", c_uint32)]


class lb_affinity_match(Layout):
    """Present while the backend belongs to the service: a remembered one is used only then."""

    _fields_ = [("backend_id", c_uint32), ("rev_nat_id", c_uint16), ("pad", c_uint16)]


class lb4_src_range_key(Layout):
    """LPM key: prefixlen counts the 32 bits of rev_nat_id and pad too."""

    _fields_ = [
        ("prefixlen", c_uint32),
        ("rev_nat_id", c_uint16),
        ("pad", c_uint16),
        ("addr", be32),
    ]


class lb6_src_range_key(Layout):
    """`lb4_src_range_key` for IPv6."""

    _fields_ = [*lb4_src_range_key._fields_[:3], ("addr", addr6)]


class ipv4_ct_tuple(Layout):
    """A connection. In the CT maps `daddr` is the address that opened it and `saddr` the one it
    was opened to, while `sport`/`dport` are the opener's and the other's port (Cilium's quirk:
    addresses are named for the reply, ports for the original direction). In the NAT map all
    four are as in the packet's header.
    """

    _pack_ = 1
    _fields_ = [
        ("daddr", be32),
        ("saddr", be32),
        ("dport", be16),
        ("sport", be16),
        ("nexthdr", c_uint8),
        ("flags", c_uint8),
    ]


class ipv6_ct_tuple(Layout):
    """`ipv4_ct_tuple` for IPv6."""

    _pack_ = 1
    _fields_ = [("daddr", addr6), ("saddr", addr6), *ipv4_ct_tuple._fields_[2:]]


class ct_entry(Layout):
    """State of a connection; times in seconds of CLOCK_MONOTONIC, `flags` are CtFlag bits.

    A SERVICE entry keeps the chosen backend's id in `rx_bytes`.
    """

    _fields_ = [
        ("rx_packets", c_uint64),
        ("rx_bytes", c_uint64),
        ("tx_packets", c_uint64),
        ("tx_bytes", c_uint64),
        ("lifetime", c_uint32),
        ("flags", c_uint16),
        ("rev_nat_index", c_uint16),
        ("ifindex", c_uint16),
        ("tx_flags_seen", c_uint8),
        ("rx_flags_seen", c_uint8),
        ("src_sec_id", c_uint32),
        ("last_tx_report", c_uint32),
        ("last_rx_report", c_uint32),
    ]


class ipv4_nat_entry(Layout):
    """One direction of a translated flow; `created` in seconds of CLOCK_MONOTONIC.

    Key with flags OUT: the new source. Key with flags IN: the old source, for replies.
    """

    _fields_ = [
        ("created", c_uint64),
        ("host_local", c_uint64),
        ("pad1", c_uint64),
        ("pad2", c_uint64),
        ("to_addr", be32),
        ("to_port", be16),
    ]


class ipv6_nat_entry(Layout):
    """`ipv4_nat_entry` for IPv6."""

    _fields_ = [*ipv4_nat_entry._fields_[:4], ("to_addr", addr6), ("to_port", be16)]


class ipv4_frag_id(Layout):
    """The fragments of one datagram."""

    _pack_ = 1
    _fields_ = [
        ("daddr", be32),
        ("saddr", be32),
        ("id", be16),
        ("proto", c_uint8),
        ("pad", c_uint8),
    ]


class ipv6_frag_id(Layout):
    """`ipv4_frag_id` for IPv6 (the fragment header's 32-bit identification)."""

    _pack_ = 1
    _fields_ = [
        ("id", be32),
        ("proto", c_uint8),
        ("pad", c_uint8 * 3),
        ("saddr", addr6),
        ("daddr", addr6),
    ]


class frag_l4ports(Layout):
    """Ports of a datagram's first fragment, for those that carry none."""

    _pack_ = 1
    _fields_ = [("sport", be16), ("dport", be16)]


class ipcache_key(Layout):
    """LPM key of `cilium_ipcache`: prefixlen counts the 32 bits in front of the address too."""

    _pack_ = 1
    _fields_ = [
        ("prefixlen", c_uint32),
        ("cluster_id", c_uint16),
        ("pad1", c_uint8),
        ("family", c_uint8),
        ("ip", addr6),
    ]

    @classmethod
    def of(cls, network: Network) -> ipcache_key:
        return cls(
            prefixlen=32 + network.prefixlen,
            family=family_of(network),
            ip=wide(network.network_address),
        )


class remote_endpoint_info(Layout):
    """Who an address is: identity, and the node that tunnels to it (0.0.0.0: no tunnel)."""

    _fields_ = [
        ("sec_label", c_uint32),
        ("tunnel_endpoint", be32),
        ("pad", c_uint16),
        ("key", c_uint8),
        ("flags", c_uint8),
    ]


class endpoint_key(Layout):
    """Key of `cilium_lxc`: an address on this node."""

    _pack_ = 1
    _fields_ = [("ip", addr6), ("family", c_uint8), ("key", c_uint8), ("cluster_id", c_uint16)]

    @classmethod
    def of(cls, address: Address) -> endpoint_key:
        return cls(ip=wide(address), family=family_of(address))


class endpoint_info(Layout):
    """A pod of this node, or (flag HOST, ifindex 0) an address of the node itself.

    `ifindex` is the node's end of the pod's veth, `mac` the pod's end, `node_mac` the node's end.
    """

    _fields_ = [
        ("ifindex", c_uint32),
        ("unused", c_uint16),
        ("lxc_id", c_uint16),
        ("flags", c_uint32),
        ("pad1", c_uint32),
        ("mac", mac),
        ("node_mac", mac),
        ("sec_id", c_uint32),
        ("parent_ifindex", c_uint32),
        ("pad", c_uint32 * 2),
    ]


class socket_peer(Layout):
    """A socket (by its cookie) and the backend it talks to; IPv4 in the first four bytes."""

    _fields_ = [
        ("cookie", c_uint64),
        ("address", addr6),
        ("port", be16),
        ("pad", c_uint16),
        ("pad2", c_uint32),
    ]


class nat_target(Layout):
    """The service that a socket asked for; IPv4 in the first four bytes."""

    _fields_ = socket_peer._fields_[1:]


class metrics_key(Layout):
    """A reason (Reason, 0 = forwarded) and a Direction (low two bits of dir)."""

    _fields_ = [("reason", c_uint8), ("dir", c_uint8), ("reserved", c_uint16 * 3)]


class metrics_value(Layout):
    """Packets and bytes, one value per processor."""

    _fields_ = [("count", c_uint64), ("bytes", c_uint64)]


class event_counts(Layout):
    """Events made and events that found the ring full, per processor: made = read + lost."""

    _fields_ = [("made", c_uint64), ("lost", c_uint64)]


_capture_header: list[tuple[str, Any]] = [
    ("type", c_uint8),
    ("subtype", c_uint8),
    ("source", c_uint16),
    ("hash", c_uint32),
    ("len_orig", c_uint32),
    ("len_cap", c_uint16),
    ("version", c_uint16),
]


class trace_notify(Layout):
    """Trace event (EventType.TRACE, version 1); `len_cap` bytes of the packet follow it.

    `subtype` is an ObsPoint, `source` the endpoint id of the program's owner, `reason` a
    TraceReason. The packet begins with its Ethernet header.
    """

    _fields_ = [
        *_capture_header,
        ("src_label", c_uint32),
        ("dst_label", c_uint32),
        ("dst_id", c_uint16),
        ("reason", c_uint8),
        ("flags", c_uint8),
        ("ifindex", c_uint32),
        ("orig_ip", addr6),
    ]


class drop_notify(Layout):
    """Drop event (EventType.DROP, version 1); `subtype` is a Reason. The packet follows."""

    _fields_ = [
        *_capture_header,
        ("src_label", c_uint32),
        ("dst_label", c_uint32),
        ("dst_id", c_uint32),
        ("line", c_uint16),
        ("file", c_uint8),
        ("ext_error", c_int8),
        ("ifindex", c_uint32),
    ]
