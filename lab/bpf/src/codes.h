/* The numbers that the kernel and its readers agree on: lab/bpf/codes.py says what they mean.
 *
 * What dumps and events show is Cilium's, so that it reads the same here and there; what only
 * switches the programs (no_backend, forwarding) is the lab's own.
 */
#ifndef LAB_CODES_H
#define LAB_CODES_H

enum service_flag {
	SVC_EXTERNAL_IP = 1,
	SVC_NODEPORT = 2,
	SVC_EXT_LOCAL = 4,
	SVC_HOSTPORT = 8,
	SVC_AFFINITY = 16,
	SVC_LOADBALANCER = 32,
	SVC_ROUTABLE = 64,
	SVC_SOURCE_RANGE = 128,
};

enum service_flag2 {
	SVC2_INT_LOCAL = 16,
	SVC2_TWO_SCOPES = 32,
	SVC2_SOURCE_RANGE_DENY = 64,
	SVC2_FORWARD_DSR = 128,
};

enum scope { SCOPE_EXTERNAL = 0, SCOPE_INTERNAL = 1 };

enum source_range { RANGE_ALLOW = 1, RANGE_DENY = 2 };

enum algorithm { ALGORITHM_DEFAULT = 0, ALGORITHM_RANDOM = 1, ALGORITHM_MAGLEV = 2 };

enum backend_state {
	BACKEND_ACTIVE = 0,
	BACKEND_TERMINATING = 1,
	BACKEND_QUARANTINED = 2,
	BACKEND_MAINTENANCE = 3,
};

enum endpoint_flag { ENDPOINT_HOST = 1 };

enum tuple_flag { TUPLE_OUT = 0, TUPLE_IN = 1, TUPLE_RELATED = 2, TUPLE_SERVICE = 4 };

enum ct_flag {
	CT_RX_CLOSING = 1,
	CT_TX_CLOSING = 2,
	CT_NAT46 = 4,
	CT_LB_LOOPBACK = 8,
	CT_SEEN_NON_SYN = 16,
	CT_NODE_PORT = 32,
	CT_PROXY_REDIRECT = 64,
	CT_DSR = 128,
};

enum family { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };

enum identity {
	IDENTITY_UNKNOWN = 0,
	IDENTITY_HOST = 1,
	IDENTITY_WORLD = 2,
	IDENTITY_REMOTE_NODE = 6,
};

enum event_type { EVENT_DROP = 1, EVENT_TRACE = 4 };

enum obs_point {
	TO_ENDPOINT = 0,
	TO_PROXY = 1,
	TO_HOST = 2,
	TO_STACK = 3,
	TO_OVERLAY = 4,
	FROM_ENDPOINT = 5,
	FROM_PROXY = 6,
	FROM_HOST = 7,
	FROM_STACK = 8,
	FROM_OVERLAY = 9,
	FROM_NETWORK = 10,
	TO_NETWORK = 11,
};

enum trace_reason {
	REASON_NEW = 0,
	REASON_ESTABLISHED = 1,
	REASON_REPLY = 2,
	REASON_RELATED = 3,
	REASON_REOPENED = 4,
	REASON_UNKNOWN = 5,
};

enum aggregation {
	AGGREGATE_NONE = 0,
	AGGREGATE_LOW = 1,
	AGGREGATE_MEDIUM = 3,
	AGGREGATE_MAXIMUM = 4,
};

enum direction {
	DIRECTION_UNKNOWN = 0,
	DIRECTION_INGRESS = 1,
	DIRECTION_EGRESS = 2,
	DIRECTION_SERVICE = 3,
};

/* What happens to a packet for a service that has no backend. */
enum no_backend { NO_BACKEND_STACK = 0, NO_BACKEND_DROP = 1, NO_BACKEND_REJECT = 2 };

/* How requests reach a backend on another node. */
enum forwarding { FORWARD_SNAT = 0, FORWARD_DSR = 1, FORWARD_HYBRID = 2 };

/* Why a packet is dropped. Functions return these negated; 0 and positive values go on. */
enum drop_reason {
	DROP_INVALID_SIP = 132,
	DROP_POLICY = 133,
	DROP_INVALID = 134,
	DROP_CT_INVALID_HEADER = 135,
	DROP_FRAG_NEEDED = 136,
	DROP_CT_UNKNOWN_PROTO = 137,
	DROP_UNKNOWN_L3 = 139,
	DROP_MISSED_TAIL_CALL = 140,
	DROP_WRITE_ERROR = 141,
	DROP_UNKNOWN_L4 = 142,
	DROP_NO_TUNNEL_KEY = 147,
	DROP_UNKNOWN_TARGET = 150,
	DROP_UNROUTABLE = 151,
	DROP_CSUM_L3 = 153,
	DROP_CSUM_L4 = 154,
	DROP_CT_CREATE_FAILED = 155,
	DROP_INVALID_EXTHDR = 156,
	DROP_FRAG_NOSUPPORT = 157,
	DROP_NO_SERVICE = 158,
	DROP_NO_TUNNEL_ENDPOINT = 160,
	DROP_UNKNOWN_CT = 163,
	DROP_HOST_UNREACHABLE = 164,
	DROP_NAT_NO_MAPPING = 167,
	DROP_NAT_UNSUPPORTED_PROTO = 168,
	DROP_NO_FIB = 169,
	DROP_ENCAP_PROHIBITED = 170,
	DROP_INVALID_IDENTITY = 171,
	DROP_NAT_NOT_NEEDED = 173,
	DROP_IS_CLUSTER_IP = 174,
	DROP_FRAG_NOT_FOUND = 175,
	DROP_NOT_IN_SRC_RANGE = 177,
	DROP_POLICY_DENY = 181,
	DROP_TTL_EXCEEDED = 196,
};

#endif
