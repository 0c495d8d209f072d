/* Keys, values and events shared with user space, byte for byte: lab/bpf/structs/ describes
 * every field. A test compares the two by BTF. Layouts are Cilium's where it has the struct.
 */
#ifndef LAB_STRUCTS_H
#define LAB_STRUCTS_H

#include <linux/types.h>

/* An IPv6 address, or an IPv4 address in p[0] with the rest zero. */
union v6addr {
	__be32 p[4];
	__u64 d[2];
	__u8 addr[16];
};

struct lb4_key {
	__be32 address;
	__be16 dport;
	__u16 backend_slot;
	__u8 proto;
	__u8 scope;
	__u8 pad[2];
};

struct lb6_key {
	union v6addr address;
	__be16 dport;
	__u16 backend_slot;
	__u8 proto;
	__u8 scope;
	__u8 pad[2];
};

struct lb4_service {
	__u32 backend_id; /* slot 0: affinity timeout (24 bits), algorithm (8 bits) */
	__u16 count;
	__u16 rev_nat_index;
	__u8 flags;
	__u8 flags2;
	__u16 qcount;
};

struct lb4_backend {
	__be32 address;
	__be16 port;
	__u8 proto;
	__u8 flags;
	__u16 cluster_id;
	__u8 zone;
	__u8 pad;
};

struct lb6_backend {
	union v6addr address;
	__be16 port;
	__u8 proto;
	__u8 flags;
	__u16 cluster_id;
	__u8 zone;
	__u8 pad;
} __attribute__((packed, aligned(4)));

struct lb4_reverse_nat {
	__be32 address;
	__be16 port;
} __attribute__((packed));

struct lb6_reverse_nat {
	union v6addr address;
	__be16 port;
} __attribute__((packed));

struct lb4_affinity_key {
	__u64 client;
	__u16 rev_nat_id;
	__u8 bits; /* bit 0: client is a network namespace's cookie */
	__u8 pad1;
	__u32 pad2;
} __attribute__((packed));

struct lb6_affinity_key {
	union v6addr client;
	__u16 rev_nat_id;
	__u8 bits;
	__u8 pad1;
	__u32 pad2;
} __attribute__((packed));

struct lb_affinity_val {
	__u64 last_used;
	__u32 backend_id;
	__u32 pad;
};

struct lb_affinity_match {
	__u32 backend_id;
	__u16 rev_nat_id;
	__u16 pad;
};

struct lb4_src_range_key {
	__u32 prefixlen;
	__u16 rev_nat_id;
	__u16 pad;
	__be32 addr;
};

struct lb6_src_range_key {
	__u32 prefixlen;
	__u16 rev_nat_id;
	__u16 pad;
	union v6addr addr;
} __attribute__((packed, aligned(4)));

struct ipv4_ct_tuple {
	__be32 daddr;
	__be32 saddr;
	__be16 dport;
	__be16 sport;
	__u8 nexthdr;
	__u8 flags;
} __attribute__((packed));

struct ipv6_ct_tuple {
	union v6addr daddr;
	union v6addr saddr;
	__be16 dport;
	__be16 sport;
	__u8 nexthdr;
	__u8 flags;
} __attribute__((packed));

struct ct_entry {
	__u64 rx_packets;
	__u64 rx_bytes; /* SERVICE entries: the backend's id */
	__u64 tx_packets;
	__u64 tx_bytes;
	__u32 lifetime;
	__u16 flags; /* enum ct_flag; Cilium declares them as bit fields */
	__u16 rev_nat_index;
	__u16 ifindex;
	__u8 tx_flags_seen;
	__u8 rx_flags_seen;
	__u32 src_sec_id;
	__u32 last_tx_report;
	__u32 last_rx_report;
};

struct ipv4_nat_entry {
	__u64 created;
	__u64 host_local;
	__u64 checked; /* second of the last look for the reply's half; padding in Cilium */
	__u64 pad2;
	__be32 to_addr;
	__be16 to_port;
};

struct ipv6_nat_entry {
	__u64 created;
	__u64 host_local;
	__u64 checked; /* second of the last look for the reply's half; padding in Cilium */
	__u64 pad2;
	union v6addr to_addr;
	__be16 to_port;
};

struct ipv4_frag_id {
	__be32 daddr;
	__be32 saddr;
	__be16 id;
	__u8 proto;
	__u8 pad;
} __attribute__((packed));

struct ipv6_frag_id {
	__be32 id;
	__u8 proto;
	__u8 pad[3];
	union v6addr saddr;
	union v6addr daddr;
} __attribute__((packed));

struct frag_l4ports {
	__be16 sport;
	__be16 dport;
} __attribute__((packed));

struct ipcache_key {
	__u32 prefixlen;
	__u16 cluster_id;
	__u8 pad1;
	__u8 family;
	union v6addr ip;
} __attribute__((packed));

struct remote_endpoint_info {
	__u32 sec_label;
	__be32 tunnel_endpoint;
	__u16 pad;
	__u8 key;
	__u8 flags;
};

struct endpoint_key {
	union v6addr ip;
	__u8 family;
	__u8 key;
	__u16 cluster_id;
} __attribute__((packed));

struct endpoint_info {
	__u32 ifindex;
	__u16 unused;
	__u16 lxc_id;
	__u32 flags;
	__u32 pad1;
	__u8 mac[8];
	__u8 node_mac[8];
	__u32 sec_id;
	__u32 parent_ifindex;
	__u32 pad[2];
};

/* A socket and the backend it talks to. */
struct socket_peer {
	__u64 cookie;
	union v6addr address;
	__be16 port;
	__u16 pad;
	__u32 pad2;
};

/* An address and port that take another's place; IPv4 in the first four bytes. */
struct nat_target {
	union v6addr address;
	__be16 port;
	__u16 pad;
	__u32 pad2;
};

struct metrics_key {
	__u8 reason;
	__u8 dir;
	__u16 reserved[3];
};

struct metrics_value {
	__u64 count;
	__u64 bytes;
};

struct event_counts {
	__u64 made;
	__u64 lost;
};

/* Entries that user space made in a flow table, and removed from it. */
struct flow_ledger {
	__u64 added;
	__u64 removed;
};

/* What every event begins with. */
struct capture_header {
	__u8 type;
	__u8 subtype;
	__u16 source;
	__u32 hash;
	__u32 len_orig;
	__u16 len_cap;
	__u16 version;
};

struct trace_notify {
	struct capture_header head;
	__u32 src_label;
	__u32 dst_label;
	__u16 dst_id;
	__u8 reason;
	__u8 flags;
	__u32 ifindex;
	union v6addr orig_ip;
};

struct drop_notify {
	struct capture_header head;
	__u32 src_label;
	__u32 dst_label;
	__u32 dst_id;
	__u16 line;
	__u8 file;
	__s8 ext_error;
	__u32 ifindex;
	__u8 flags;
	__u8 pad[3];
	__u64 ip_trace_id;
};

#endif
