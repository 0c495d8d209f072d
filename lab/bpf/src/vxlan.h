/* VXLAN headers (RFC 7348) in a program's own hands: XDP comes before the kernel's tunnel device. */
#ifndef LAB_VXLAN_H
#define LAB_VXLAN_H

#include "context_xdp.h"
#include "addresses.h"
#include "hash.h"
#include "parse.h"

#define VXLAN_HAS_VNI bpf_htonl(0x08000000)
#define VXLAN_TTL 64
#define FIRST_TUNNEL_PORT 32768

/* Everything in front of the inner Ethernet header. */
struct vxlan_headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__be32 flags;
	__be32 vni; /* and 8 bits that are reserved */
} __attribute__((packed));

#define INNER_IP (sizeof(struct vxlan_headers) + ETH_HLEN)

/* The field of an IP header for explicit congestion notification (RFC 3168, 5): two bits of the
 * type of service, of the traffic class in IPv6.
 */
enum ecn { ECN_ECT0 = 2, ECN_CE = 3, ECN_BITS = 3 };

static __always_inline __u8 ecn_at(context *ctx, __u32 l3)
{
	const __u8 *ip = header(ctx, l3, 2);

	if (!ip)
		return 0;
	return (ip[0] >> 4 == 4 ? ip[1] : ip[1] >> 4) & ECN_BITS;
}

/* `ecn`: of the packet inside. Its own mark stays inside (RFC 3168, 9.1.1, which the kernel's device
 * follows); routers on the way set a new one, which the other end carries over (RFC 6040, 4.2). They
 * may cut the packet as well, so it has a number.
 */
static __always_inline void outer_ip(struct iphdr *ip, __be32 node, __u32 length, __u8 ecn)
{
	ip->tos = ecn == ECN_CE ? ECN_ECT0 : ecn;
	ip->id = bpf_get_prandom_u32();
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(length);
	ip->ttl = VXLAN_TTL;
	ip->protocol = IPPROTO_UDP;
	ip->saddr = config.node_ip;
	ip->daddr = node;
	ip->check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
}

/* Put the frame into a tunnel; the Ethernet addresses of the outer header are left to the caller. 0
 * or negative. Not inlined for its stack's sake.
 */
VERIFIED_ONCE int vxlan_push(context *ctx, const struct flow *inner, __be32 node, __u32 identity)
{
	__u32 length = packet_length(ctx) + sizeof(struct vxlan_headers) - ETH_HLEN;
	struct vxlan_headers h = {};
	struct iphdr ip = {};

	if (!inner)
		return -DROP_WRITE_ERROR;
	h.eth.h_proto = bpf_htons(ETH_P_IP);
	outer_ip(&ip, node, length, ecn_at(ctx, ETH_HLEN));
	h.ip = ip;
	/* The source port lets routers on the way tell flows apart (RFC 7348, 5). */
	h.udp.source = bpf_htons(FIRST_TUNNEL_PORT + (flow_hash(inner, inner->sport) >> 17));
	h.udp.dest = bpf_htons(OVERLAY_PORT);
	h.udp.len = bpf_htons(length - sizeof(ip));
	h.flags = VXLAN_HAS_VNI;
	h.vni = bpf_htonl(identity << 8);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(h)) || store_bytes(ctx, 0, &h, sizeof(h)))
		return -DROP_WRITE_ERROR;
	return 0;
}

/* Out of the tunnel again: the inner frame, whose flow moves with it. */
static __always_inline int vxlan_pop(context *ctx, struct flow *inner)
{
	if (bpf_xdp_adjust_head(ctx, sizeof(struct vxlan_headers)))
		return -DROP_WRITE_ERROR;
	inner->l4_off -= sizeof(struct vxlan_headers);
	return 0;
}

/* A packet of the tunnel whose headers stand where `struct vxlan_headers` has them: no options. */
static __always_inline int is_vxlan(const struct flow *outer)
{
	return is_tunnelled(outer) && is_node(&outer->daddr, FAMILY_IPV4) &&
	       outer->l4_off == ETH_HLEN + sizeof(struct iphdr);
}

/* The inner packet's flow: 0, NOT_IP, or a negative drop reason. */
VERIFIED_ONCE int parse_inner(context *ctx, struct flow *f)
{
	const struct vxlan_headers *outer = header(ctx, 0, INNER_IP);
	const struct ethhdr *eth;

	if (!f || !outer || outer->flags != VXLAN_HAS_VNI ||
	    outer->vni == bpf_htonl(IDENTITY_HOST << 8)) /* a lie: tc's to tell */
		return NOT_IP;
	eth = (const void *)(outer + 1);
	__builtin_memset(f, 0, sizeof(*f));
	f->now = now_seconds();
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, f, INNER_IP);
	if (HAS_IPV6 && eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, f, INNER_IP);
	return NOT_IP;
}

#endif
