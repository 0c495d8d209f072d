"""Services: frontends, backends, how clients stay with one, which clients may come."""

# The names are the C structs' own (N801); ctypes wants its fields in a list (RUF012).
# ruff: noqa: N801, RUF012

from __future__ import annotations

from ctypes import c_uint8, c_uint16, c_uint32, c_uint64

from lab.bpf.layout import Layout, addr6, be16, be32


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
