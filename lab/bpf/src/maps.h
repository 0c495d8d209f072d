/* All maps, pinned by name in /sys/fs/bpf/tc/globals of the node: lab/bpf/tables.py.
 *
 * Names, types and layouts are Cilium's where it has the map; where one differs, it says so. The
 * loader sets sizes and M; those here are defaults.
 */
#ifndef LAB_MAPS_H
#define LAB_MAPS_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "structs.h"

/* Tables that the agent writes and the programs read. NO_PREALLOC: memory only for what is in. */
#define AGENT_HASH(NAME, KEY, VALUE, SIZE)                 \
	struct {                                           \
		__uint(type, BPF_MAP_TYPE_HASH);           \
		__type(key, KEY);                          \
		__type(value, VALUE);                      \
		__uint(max_entries, SIZE);                 \
		__uint(map_flags, BPF_F_NO_PREALLOC);      \
		__uint(pinning, LIBBPF_PIN_BY_NAME);       \
	} NAME SEC(".maps")

#define AGENT_PREFIXES(NAME, KEY, VALUE, SIZE)             \
	struct {                                           \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);       \
		__type(key, KEY);                          \
		__type(value, VALUE);                      \
		__uint(max_entries, SIZE);                 \
		__uint(map_flags, BPF_F_NO_PREALLOC);      \
		__uint(pinning, LIBBPF_PIN_BY_NAME);       \
	} NAME SEC(".maps")

/* Tables that the programs write: the least recently used entry makes room for a new one. */
#define FLOW_TABLE(NAME, KEY, VALUE, SIZE)                 \
	struct {                                           \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);       \
		__type(key, KEY);                          \
		__type(value, VALUE);                      \
		__uint(max_entries, SIZE);                 \
		__uint(pinning, LIBBPF_PIN_BY_NAME);       \
	} NAME SEC(".maps")

/* Frontend (slot 0) and its backends by slot. */
AGENT_HASH(cilium_lb4_services_v2, struct lb4_key, struct lb4_service, 65536);
AGENT_HASH(cilium_lb6_services_v2, struct lb6_key, struct lb4_service, 65536);
/* Backend id -> address. */
AGENT_HASH(cilium_lb4_backends_v3, __u32, struct lb4_backend, 65536);
AGENT_HASH(cilium_lb6_backends_v3, __u32, struct lb6_backend, 65536);
/* rev_nat_index -> frontend address, for replies. */
AGENT_HASH(cilium_lb4_reverse_nat, __u16, struct lb4_reverse_nat, 65536);
AGENT_HASH(cilium_lb6_reverse_nat, __u16, struct lb6_reverse_nat, 65536);
/* Is the backend still one of the service? Guards the affinity tables. */
AGENT_HASH(cilium_lb_affinity_match, struct lb_affinity_match, __u8, 65536);
/* Sources a service admits (or, with SVC2_SOURCE_RANGE_DENY, refuses): enum source_range. */
AGENT_PREFIXES(cilium_lb4_source_range, struct lb4_src_range_key, __u8, 65536);
AGENT_PREFIXES(cilium_lb6_source_range, struct lb6_src_range_key, __u8, 65536);
/* Address -> identity and tunnel endpoint. */
AGENT_PREFIXES(cilium_ipcache, struct ipcache_key, struct remote_endpoint_info, 65536);
/* Addresses of this node: its pods and its own. */
AGENT_HASH(cilium_lxc, struct endpoint_key, struct endpoint_info, 4096);

/* client + service -> backend, while sessionAffinity lasts. */
FLOW_TABLE(cilium_lb4_affinity, struct lb4_affinity_key, struct lb_affinity_val, 16384);
FLOW_TABLE(cilium_lb6_affinity, struct lb6_affinity_key, struct lb_affinity_val, 16384);
/* Connection tracking: TCP, and everything else. 50,000 connections to one pod through one node
 * take an entry for the choice of the backend and one for the flow each.
 */
FLOW_TABLE(cilium_ct4_global, struct ipv4_ct_tuple, struct ct_entry, 131072);
FLOW_TABLE(cilium_ct_any4_global, struct ipv4_ct_tuple, struct ct_entry, 32768);
FLOW_TABLE(cilium_ct6_global, struct ipv6_ct_tuple, struct ct_entry, 65536);
FLOW_TABLE(cilium_ct_any6_global, struct ipv6_ct_tuple, struct ct_entry, 32768);
/* Source translation, both directions of each flow. */
FLOW_TABLE(cilium_snat_v4_external, struct ipv4_ct_tuple, struct ipv4_nat_entry, 131072);
FLOW_TABLE(cilium_snat_v6_external, struct ipv6_ct_tuple, struct ipv6_nat_entry, 65536);
/* Entries made in the connection and translation tables, by enum flow_table (entering.h). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 6);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cilium_flows_entered SEC(".maps");

/* Entries that user space made and removed there; no program looks at it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct flow_ledger);
	__uint(max_entries, 6);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cilium_flows_ledger SEC(".maps");

/* Ports of a datagram's first fragment. */
FLOW_TABLE(cilium_ipv4_frag_datagrams, struct ipv4_frag_id, struct frag_l4ports, 2048);
FLOW_TABLE(cilium_ipv6_frag_datagrams, struct ipv6_frag_id, struct frag_l4ports, 2048);

/* (socket, backend) -> the service that the socket asked for. Cilium has one for each family. */
FLOW_TABLE(cilium_lb_reverse_sk, struct socket_peer, struct nat_target, 8192);

/* rev_nat_index -> array of one value, u32[M]: a backend id for every hash. The loader gives the
 * inner map its real value size.
 */
struct maglev_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(key_size, sizeof(__u16));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct maglev_table);
} cilium_lb4_maglev SEC(".maps"), cilium_lb6_maglev SEC(".maps");

/* Packets and bytes by reason and direction: written here, read by `cilium bpf metrics list`. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct metrics_key);
	__type(value, struct metrics_value);
	__uint(max_entries, 1024);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cilium_metrics SEC(".maps");

/* Trace and drop events, read by the agent. A ring buffer where Cilium has a perf array: one
 * order for all processors, and a reader that polls costs the sender no wake-up.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cilium_events SEC(".maps");

/* Events made, and those lost because the ring was full. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct event_counts);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cilium_event_counts SEC(".maps");

#endif
