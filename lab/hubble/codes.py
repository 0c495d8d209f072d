"""The datapath's numbers and what people call them.

Sources: bpf/lib/common.h, bpf/lib/trace.h and pkg/monitor/api of Cilium (names and numbers), the
IANA registries for ICMP. Pure data.
"""

from __future__ import annotations

# Message types: the first byte of every event.
DROP, DEBUG, CAPTURE, TRACE, POLICY_VERDICT, TRACE_SOCK = 1, 2, 3, 4, 5, 7
ACCESS_LOG, AGENT = 129, 130

MESSAGE_TYPES = {
    "drop": DROP,
    "debug": DEBUG,
    "capture": CAPTURE,
    "trace": TRACE,
    "policy-verdict": POLICY_VERDICT,
    "l7": ACCESS_LOG,
    "agent": AGENT,
    "trace-sock": TRACE_SOCK,
}

# Verdicts (flow.Verdict).
FORWARDED, DROPPED, ERROR, AUDIT, REDIRECTED = 1, 2, 3, 4, 5

# Traffic directions (flow.TrafficDirection).
UNKNOWN_DIRECTION, INGRESS, EGRESS = 0, 1, 2

# IP protocols.
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132

OBSERVATION_POINTS = (
    "to-endpoint",
    "to-proxy",
    "to-host",
    "to-stack",
    "to-overlay",
    "from-endpoint",
    "from-proxy",
    "from-host",
    "from-stack",
    "from-overlay",
    "from-network",
    "to-network",
    "from-crypto",
    "to-crypto",
)
"""Where a trace event was written; the index is the event's subtype."""

TO_ENDPOINT = 101
"""How flow.TraceObservationPoint writes to-endpoint, the datapath's 0."""

POINTS_WITH_STATE = frozenset({0, 1, 2, 3, 11})
"""Points at which a datapath of the 1.10 generation knew the connection's state."""

# Reasons of a trace event: connection-tracking results, and 0x80 set for encrypted packets.
REASON_REPLY, REASON_UNKNOWN, REASON_ENCRYPTED = 2, 5, 0x80
STATELESS_REASONS = frozenset({REASON_UNKNOWN, 6, 7})
"""Unknown, SRv6 encapsulation and SRv6 decapsulation say nothing of the direction."""

MATCH_TYPES = ("none", "L3-Only", "L3-L4", "L4-Only", "all", "L3-Proto", "Proto-Only")
"""Which kind of rule a policy verdict matched; the index is the event's match type."""

CAPTURE_POINTS = {
    4: "DBG_CAPTURE_DELIVERY",
    5: "DBG_CAPTURE_FROM_LB",
    6: "DBG_CAPTURE_AFTER_V46",
    7: "DBG_CAPTURE_AFTER_V64",
    8: "DBG_CAPTURE_PROXY_PRE",
    9: "DBG_CAPTURE_PROXY_POST",
    10: "DBG_CAPTURE_SNAT_PRE",
    11: "DBG_CAPTURE_SNAT_POST",
}

DROP_REASONS = {
    130: "Invalid source mac",
    131: "Invalid destination mac",
    132: "Invalid source ip",
    133: "Policy denied",
    134: "Invalid packet",
    135: "CT: Truncated or invalid header",
    136: "Fragmentation needed",
    137: "CT: Unknown L4 protocol",
    138: "CT: Can't create entry from packet",
    139: "Unsupported L3 protocol",
    140: "Missed tail call",
    141: "Error writing to packet",
    142: "Unknown L4 protocol",
    143: "Unknown ICMPv4 code",
    144: "Unknown ICMPv4 type",
    145: "Unknown ICMPv6 code",
    146: "Unknown ICMPv6 type",
    147: "Error retrieving tunnel key",
    148: "Error retrieving tunnel options",
    149: "Invalid Geneve option",
    150: "Unknown L3 target address",
    151: "Stale or unroutable IP",
    152: "No matching local container found",
    153: "Error while correcting L3 checksum",
    154: "Error while correcting L4 checksum",
    155: "CT: Map insertion failed",
    156: "Invalid IPv6 extension header",
    157: "IP fragmentation not supported",
    158: "Service backend not found",
    160: "No tunnel/encapsulation endpoint (datapath BUG!)",
    161: "NAT 46/64 not enabled",
    162: "Reached EDT rate-limiting drop horizon",
    163: "Unknown connection tracking state",
    164: "Local host is unreachable",
    165: "No configuration available to perform policy decision",
    166: "Unsupported L2 protocol",
    167: "No mapping for NAT masquerade",
    168: "Unsupported protocol for NAT masquerade",
    169: "FIB lookup failed",
    170: "Encapsulation traffic is prohibited",
    171: "Invalid identity",
    172: "Unknown sender",
    173: "NAT not needed",
    174: "Is a ClusterIP",
    175: "First logical datagram fragment not found",
    176: "Forbidden ICMPv6 message",
    177: "Denied by LB src range check",
    178: "Socket lookup failed",
    179: "Socket assign failed",
    180: "Proxy redirection not supported for protocol",
    181: "Policy denied by denylist",
    182: "VLAN traffic disallowed by VLAN filter",
    183: "Incorrect VNI from VTEP",
    184: "Failed to update or lookup TC buffer",
    185: "No SID was found for the IP address",
    186: "SRv6 state was removed during tail call",
    187: "L3 translation from IPv4 to IPv6 failed (NAT46)",
    188: "L3 translation from IPv6 to IPv4 failed (NAT64)",
    189: "Authentication required",
    190: "No conntrack map found",
    191: "No nat map found",
    192: "Invalid ClusterID",
    193: "Unsupported packet protocol for DSR encapsulation",
    194: "No egress gateway found",
    195: "Traffic is unencrypted",
    196: "TTL exceeded",
    197: "No node ID found",
    198: "Rate limited",
    199: "IGMP handled",
    200: "IGMP subscribed",
    201: "Multicast handled",
    202: "Host datapath not ready",
    203: "Endpoint policy program not available",
    204: "No Egress IP configured",
    205: "Punt to proxy",
}

TCP_FLAGS = (
    ("SYN", 0x02),
    ("ACK", 0x10),
    ("RST", 0x04),
    ("FIN", 0x01),
    ("PSH", 0x08),
    ("URG", 0x20),
    ("ECE", 0x40),
    ("CWR", 0x80),
    ("NS", 0x100),
)
"""Flags in the order in which Hubble writes them, with their bits in the TCP header."""


def drop_reason(number: int) -> str:
    """The text of a drop reason; its number for one that has no text."""
    return DROP_REASONS.get(number, str(number))


def observation_point(subtype: int) -> str:
    """The name of a trace event's observation point; its number for one that has no name."""
    known = subtype < len(OBSERVATION_POINTS)
    return OBSERVATION_POINTS[subtype] if known else str(subtype)
