"""The numbers that the programs in the kernel and their readers agree on.

What dumps and events show is Cilium's (bpf/lib/common.h, pkg/monitor/api), so that it reads the
same here and there; what only switches the programs is the lab's own. `src/codes.h` holds the same
lists for C; a test compares the two.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

OVERLAY_PORT = 8472
"""UDP port of VXLAN between the nodes."""

WILDCARD_PORT = 0
"""dport of the service key that stands for all unlisted ports of an address; its proto is 0."""


class Profile(IntEnum):
    """Which generation of Cilium the datapath behaves like."""

    CILIUM_1_10 = 0
    MODERN = 1


class ServiceFlag(IntFlag):
    """`lb4_service.flags`."""

    EXTERNAL_IP = 1
    NODEPORT = 2
    EXT_LOCAL = 4
    HOSTPORT = 8
    AFFINITY = 16
    LOADBALANCER = 32
    ROUTABLE = 64
    SOURCE_RANGE = 128


class ServiceFlag2(IntFlag):
    """`lb4_service.flags2`."""

    INT_LOCAL = 16
    TWO_SCOPES = 32
    SOURCE_RANGE_DENY = 64
    FORWARD_DSR = 128


class Scope(IntEnum):
    """`lb4_key.scope`: who asks. INTERNAL keys exist only for services with TWO_SCOPES."""

    EXTERNAL = 0
    INTERNAL = 1


class SourceRange(IntEnum):
    """Value of `cilium_lb{4,6}_source_range`: the policy that the prefix was listed under."""

    ALLOW = 1
    DENY = 2


class Algorithm(IntEnum):
    """Backend selection: the top 8 bits of slot 0's `affinity_timeout`; 0 = the node's default."""

    DEFAULT = 0
    RANDOM = 1
    MAGLEV = 2


class BackendState(IntEnum):
    """`lb4_backend.flags`."""

    ACTIVE = 0
    TERMINATING = 1
    QUARANTINED = 2
    MAINTENANCE = 3


class EndpointFlag(IntFlag):
    """`endpoint_info.flags`."""

    HOST = 1


class TupleFlag(IntFlag):
    """`ipv4_ct_tuple.flags`."""

    OUT = 0
    IN = 1
    RELATED = 2
    SERVICE = 4


class CtFlag(IntFlag):
    """`ct_entry.flags`."""

    RX_CLOSING = 1
    TX_CLOSING = 2
    NAT46 = 4
    LB_LOOPBACK = 8
    SEEN_NON_SYN = 16
    NODE_PORT = 32
    PROXY_REDIRECT = 64
    DSR = 128


class Family(IntEnum):
    """`family` of endpoint_key and ipcache_key."""

    IPV4 = 1
    IPV6 = 2


class Identity(IntEnum):
    """Reserved security identities; a pod's own are 256 and above."""

    UNKNOWN = 0
    HOST = 1
    WORLD = 2
    UNMANAGED = 3
    HEALTH = 4
    INIT = 5
    REMOTE_NODE = 6
    KUBE_APISERVER = 7
    INGRESS = 8


class EventType(IntEnum):
    """First byte of an event."""

    DROP = 1
    DEBUG = 2
    CAPTURE = 3
    TRACE = 4
    POLICY_VERDICT = 5


class ObsPoint(IntEnum):
    """Where a trace event was made: its second byte."""

    TO_ENDPOINT = 0
    TO_PROXY = 1
    TO_HOST = 2
    TO_STACK = 3
    TO_OVERLAY = 4
    FROM_ENDPOINT = 5
    FROM_PROXY = 6
    FROM_HOST = 7
    FROM_STACK = 8
    FROM_OVERLAY = 9
    FROM_NETWORK = 10
    TO_NETWORK = 11


class TraceReason(IntEnum):
    """What connection tracking knew of a traced packet."""

    NEW = 0
    ESTABLISHED = 1
    REPLY = 2
    RELATED = 3
    REOPENED = 4
    UNKNOWN = 5


class Aggregation(IntEnum):
    """Monitor aggregation: which trace events are made at all."""

    NONE = 0
    LOW = 1
    MEDIUM = 3
    MAXIMUM = 4


class Direction(IntEnum):
    """`metrics_key.dir`."""

    UNKNOWN = 0
    INGRESS = 1
    EGRESS = 2
    SERVICE = 3


class Reason(IntEnum):
    """Why a packet was dropped: metric label, second byte of a drop event, CLI text."""

    FORWARDED = 0
    INVALID_SIP = 132
    POLICY = 133
    INVALID = 134
    CT_INVALID_HEADER = 135
    FRAG_NEEDED = 136
    CT_UNKNOWN_PROTO = 137
    UNKNOWN_L3 = 139
    MISSED_TAIL_CALL = 140
    WRITE_ERROR = 141
    UNKNOWN_L4 = 142
    NO_TUNNEL_KEY = 147
    UNKNOWN_TARGET = 150
    UNROUTABLE = 151
    CSUM_L3 = 153
    CSUM_L4 = 154
    CT_CREATE_FAILED = 155
    INVALID_EXTHDR = 156
    FRAG_NOSUPPORT = 157
    NO_SERVICE = 158
    NO_TUNNEL_ENDPOINT = 160
    UNKNOWN_CT = 163
    HOST_UNREACHABLE = 164
    NAT_NO_MAPPING = 167
    NAT_UNSUPPORTED_PROTO = 168
    NO_FIB = 169
    ENCAP_PROHIBITED = 170
    INVALID_IDENTITY = 171
    NAT_NOT_NEEDED = 173
    IS_CLUSTER_IP = 174
    FRAG_NOT_FOUND = 175
    NOT_IN_SRC_RANGE = 177
    POLICY_DENY = 181
    TTL_EXCEEDED = 196


REASON_TEXT: dict[int, str] = {
    Reason.FORWARDED: "Success",
    Reason.INVALID_SIP: "Invalid source ip",
    Reason.POLICY: "Policy denied",
    Reason.INVALID: "Invalid packet",
    Reason.CT_INVALID_HEADER: "CT: Truncated or invalid header",
    Reason.FRAG_NEEDED: "Fragmentation needed",
    Reason.CT_UNKNOWN_PROTO: "CT: Unknown L4 protocol",
    Reason.UNKNOWN_L3: "Unsupported L3 protocol",
    Reason.MISSED_TAIL_CALL: "Missed tail call",
    Reason.WRITE_ERROR: "Error writing to packet",
    Reason.UNKNOWN_L4: "Unknown L4 protocol",
    Reason.NO_TUNNEL_KEY: "Error retrieving tunnel key",
    Reason.UNKNOWN_TARGET: "Unknown L3 target address",
    Reason.UNROUTABLE: "Stale or unroutable IP",
    Reason.CSUM_L3: "Error while correcting L3 checksum",
    Reason.CSUM_L4: "Error while correcting L4 checksum",
    Reason.CT_CREATE_FAILED: "CT: Map insertion failed",
    Reason.INVALID_EXTHDR: "Invalid IPv6 extension header",
    Reason.FRAG_NOSUPPORT: "IP fragmentation not supported",
    Reason.NO_SERVICE: "Service backend not found",
    Reason.NO_TUNNEL_ENDPOINT: "No tunnel/encapsulation endpoint (datapath BUG!)",
    Reason.UNKNOWN_CT: "Unknown connection tracking state",
    Reason.HOST_UNREACHABLE: "Local host is unreachable",
    Reason.NAT_NO_MAPPING: "No mapping for NAT masquerade",
    Reason.NAT_UNSUPPORTED_PROTO: "Unsupported protocol for NAT masquerade",
    Reason.NO_FIB: "FIB lookup failed",
    Reason.ENCAP_PROHIBITED: "Encapsulation traffic is prohibited",
    Reason.INVALID_IDENTITY: "Invalid identity",
    Reason.NAT_NOT_NEEDED: "NAT not needed",
    Reason.IS_CLUSTER_IP: "Is a ClusterIP",
    Reason.FRAG_NOT_FOUND: "First logical datagram fragment not found",
    Reason.NOT_IN_SRC_RANGE: "Denied by LB src range check",
    Reason.POLICY_DENY: "Policy denied by denylist",
    Reason.TTL_EXCEEDED: "TTL exceeded",
}


def reason_text(code: int) -> str:
    """The words Cilium prints for a drop reason; the bare number for one nobody knows."""
    return REASON_TEXT.get(code, f"{code}")
