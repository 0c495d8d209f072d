"""Flows: connection tracking, translated sources, fragments."""

# The names are the C structs' own (N801); ctypes wants its fields in a list (RUF012).
# ruff: noqa: N801, RUF012

from __future__ import annotations

from ctypes import c_uint8, c_uint16, c_uint32, c_uint64

from lab.bpf.layout import Layout, addr6, be16, be32


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
    """One direction of a translated flow; `created` and `checked` (the last look for the
    other half) in seconds of CLOCK_MONOTONIC.

    Key with flags OUT: the new source. Key with flags IN: the old source, for replies.
    """

    _fields_ = [
        ("created", c_uint64),
        ("host_local", c_uint64),
        ("checked", c_uint64),
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


class flow_ledger(Layout):
    """Entries that user space made in a flow table, and removed from it."""

    _fields_ = [("added", c_uint64), ("removed", c_uint64)]
