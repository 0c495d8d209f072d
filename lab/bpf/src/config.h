/* What the loader fixes before the programs are verified: lab/bpf/config.py fills it in.
 *
 * The verifier knows the values (a frozen read-only map), so code behind a switch that is off is
 * removed at load time: no #if for what is small.
 */
#ifndef LAB_CONFIG_H
#define LAB_CONFIG_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "structs.h"

#define OVERLAY_PORT 8472

struct datapath_config {
	__be32 node_ip;	  /* the node's address on its uplink */
	__be32 router_ip; /* the node's address in its pod network, on cilium_host */
	__be32 pod_cidr;
	__be32 pod_mask;
	__be32 cluster_cidr; /* all pod networks: never masqueraded */
	__be32 cluster_mask;
	union v6addr node_ip6; /* all zero: the node has no IPv6 */
	union v6addr router_ip6;
	union v6addr pod_cidr6;
	union v6addr pod_mask6;
	union v6addr cluster_cidr6;
	union v6addr cluster_mask6;
	__u64 host_cookie; /* the node's network namespace, for the socket programs */
	__u32 overlay_ifindex;
	__u32 overlay_identity; /* VNI of forwarded requests: 6 remote-node (1.10), 2 world */
	__u32 ct_tcp_seconds;
	__u32 ct_any_seconds;
	__u32 ct_syn_seconds;
	__u32 ct_close_seconds;
	__u32 report_seconds;
	__u32 maglev_size;
	__u16 snat_port_min;
	__u16 snat_port_max;
	__u16 uplink_mtu;
	__u8 report_flags; /* TCP flags whose first sight is reported */
	__u8 aggregation;  /* enum aggregation */
	__u8 ipv6;
	__u8 wildcard_services; /* unlisted ports of a service address are dropped, 158 */
	__u8 no_backend;	/* enum no_backend */
	__u8 snat_before_trace; /* to-overlay shows the router address and the CT state */
	__u8 tunnel;		/* 1: VXLAN between the nodes, 0: native routing */
	__u8 masquerade;
	__u8 default_maglev;
	__u8 uplink_mac[8]; /* six bytes, for XDP */
	__u8 pad[3];
};

const volatile struct datapath_config config SEC(".rodata.config");

/* The verifier removes code piece by piece and moves all that follows each time: with a whole
 * address family that was a third of the time to load. datapath4.bpf.c leaves it to the compiler.
 */
#ifndef HAS_IPV6
#define HAS_IPV6 config.ipv6
#endif

#endif
