/* Who an address is: a pod or the node itself (cilium_lxc), or anything else (cilium_ipcache). */
#ifndef LAB_ADDRESSES_H
#define LAB_ADDRESSES_H

#include <bpf/bpf_endian.h>
#include "flow.h"
#include "maps.h"

#define IPCACHE_PREFIX(BITS) (32 + (BITS)) /* the 32 bits in front of the address count too */

static __always_inline struct remote_endpoint_info *ipcache_of(const union v6addr *address,
							       __u8 family)
{
	struct ipcache_key key __attribute__((aligned(8))) = {.family = family};

	key.prefixlen = family == FAMILY_IPV4 ? IPCACHE_PREFIX(32) : IPCACHE_PREFIX(128);
	addr_put(&key.ip, address);
	return bpf_map_lookup_elem(&cilium_ipcache, &key);
}

static __always_inline __u32 identity_of(const union v6addr *address, __u8 family)
{
	const struct remote_endpoint_info *info = ipcache_of(address, family);

	return info && info->sec_label ? info->sec_label : IDENTITY_WORLD;
}

/* Is it an address of a node of the cluster, this one or another? */
static __always_inline int is_any_node(const union v6addr *address, __u8 family)
{
	__u32 identity = identity_of(address, family);

	return identity == IDENTITY_HOST || identity == IDENTITY_REMOTE_NODE;
}

static __always_inline int is_router(const union v6addr *address, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4)
		return address->p[0] == config.router_ip;
	return address->d[0] == config.router_ip6.d[0] && address->d[1] == config.router_ip6.d[1];
}

static __always_inline int is_node(const union v6addr *address, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4)
		return address->p[0] == config.node_ip;
	return address->d[0] == config.node_ip6.d[0] && address->d[1] == config.node_ip6.d[1];
}

static __always_inline void router_address(union v6addr *to, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4)
		addr_set4(to, config.router_ip);
	else
		addr_config(to, &config.router_ip6);
}

static __always_inline void node_address(union v6addr *to, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4)
		addr_set4(to, config.node_ip);
	else
		addr_config(to, &config.node_ip6);
}

/* Is the address in this node's pod network? */
static __always_inline int is_local_pod(const union v6addr *address, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4)
		return (address->p[0] & config.pod_mask) == config.pod_cidr;
	return addr_within(address, &config.pod_cidr6, &config.pod_mask6);
}

/* A pod of this node, or the node itself; NULL for everyone else. All of them are in the node's pod
 * network or are its own address, so no one else has to be looked for.
 */
static __always_inline struct endpoint_info *endpoint_of(const union v6addr *address, __u8 family)
{
	struct endpoint_key key __attribute__((aligned(8))) = {.family = family};

	if (!is_local_pod(address, family) && !is_node(address, family))
		return NULL;
	addr_put(&key.ip, address);
	return bpf_map_lookup_elem(&cilium_lxc, &key);
}

/* From one node to another a packet of the tunnel: nobody but the tunnel device has any business
 * with it until it is unpacked.
 */
static __always_inline int is_tunnelled(const struct flow *f)
{
	return config.tunnel && f->family == FAMILY_IPV4 && f->proto == IPPROTO_UDP &&
	       f->dport == bpf_htons(OVERLAY_PORT);
}

/* Good on its own link only: link-local, or unspecified (RFC 4291, 2.5.2 and 2.5.6). No router passes
 * a packet from such an address on.
 */
static __always_inline int is_link_scope(const union v6addr *address)
{
	if (!address->d[0] && !address->d[1])
		return 1;
	return (address->p[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

#define LOOPBACK_SOURCE bpf_htonl(0xa9fe2a01) /* 169.254.42.1, Cilium's choice */

/* Whom a pod sees that reaches itself through a service; over IPv6 an address of the discard prefix
 * (RFC 6666).
 */
static __always_inline void loopback_source(union v6addr *to, __u8 family)
{
	addr_set4(to, LOOPBACK_SOURCE);
	if (family == FAMILY_IPV6) {
		to->p[0] = bpf_htonl(0x01000000);
		to->p[3] = LOOPBACK_SOURCE;
	}
}

/* Is the address in any node's pod network? */
static __always_inline int is_in_cluster(const union v6addr *address, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4)
		return (address->p[0] & config.cluster_mask) == config.cluster_cidr;
	return addr_within(address, &config.cluster_cidr6, &config.cluster_mask6);
}

#endif
