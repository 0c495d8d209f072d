/* Changing a flow's address or port in the packet, with every checksum that covers it.
 */
#ifndef LAB_REWRITE_H
#define LAB_REWRITE_H

#include <stddef.h>
#include "parse.h"

enum side { SOURCE = 0, DESTINATION = 1 };

/* Offset of the checksum in the L4 header, or negative where there is none to mend. */
static __always_inline int l4_checksum(const struct flow *f)
{
	if (f->kind == FLOW_LATER_FRAGMENT)
		return -1;
	if (f->proto == IPPROTO_TCP)
		return offsetof(struct tcphdr, check);
	if (f->proto == IPPROTO_UDP)
		return offsetof(struct udphdr, check);
	if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6)
		return offsetof(struct icmp_head, check);
	return -1;
}

static __always_inline int l4_port(const struct flow *f, enum side side)
{
	if (f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP)
		return side == SOURCE ? 0 : 2;
	return offsetof(struct icmp_head, id);
}

/* A UDP checksum of zero means none (RFC 768): the helper must neither mend nor produce it. */
static __always_inline __u64 l4_csum_flags(const struct flow *f)
{
	return f->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

static __always_inline int write_address(context *ctx, const struct flow *f,
					 enum side side, const union v6addr *to, __u32 *diff)
{
	const union v6addr *from = side == SOURCE ? &f->saddr : &f->daddr;
	struct ipv6hdr *ip6;

	if (is_ipv4(f)) {
		struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

		if (!ip)
			return -DROP_WRITE_ERROR;
		*diff = csum_add(~from->p[0], to->p[0]);
		if (side == SOURCE)
			ip->saddr = to->p[0];
		else
			ip->daddr = to->p[0];
		ip->check = csum_update(ip->check, *diff);
		return 0;
	}
	ip6 = header(ctx, ETH_HLEN, sizeof(*ip6));
	if (!ip6)
		return -DROP_WRITE_ERROR;
	*diff = bpf_csum_diff((__be32 *)from, sizeof(*from), (__be32 *)to, sizeof(*to), 0);
	addr_put(side == SOURCE ? &ip6->saddr : &ip6->daddr, to);
	return 0;
}

static __always_inline int write_port(context *ctx, const struct flow *f, enum side side,
				      __be16 to, int check)
{
	__be16 from = side == SOURCE ? f->sport : f->dport, *port;

	if (from == to)
		return 0;
	/* The mask tells the verifier that the offset is one a packet can have. */
	port = header(ctx, (f->l4_off + l4_port(f, side)) & L4_OFFSETS, sizeof(*port));
	if (!port)
		return -DROP_WRITE_ERROR;
	*port = to;
	if (mend_checksum(ctx, f->l4_off + check, csum_add((__u16)~from, to), l4_csum_flags(f)))
		return -DROP_CSUM_L4;
	return 0;
}

/* Give the flow another address and port on one side, in the packet and in `f`. */
VERIFIED_ONCE int rewrite(context *ctx, struct flow *f, enum side side,
			  const union v6addr *address, __be16 port)
{
	__u32 diff = 0;
	int check, ret;

	if (!f || !address)
		return -DROP_WRITE_ERROR;
	check = l4_checksum(f);

	ret = write_address(ctx, f, side, address, &diff);
	if (ret)
		return ret;
	/* ICMP over IPv4 has no pseudo header (RFC 792); all else does. */
	if (check >= 0 && f->proto != IPPROTO_ICMP &&
	    mend_checksum(ctx, f->l4_off + check, diff, BPF_F_PSEUDO_HDR | l4_csum_flags(f)))
		return -DROP_CSUM_L4;
	if (check >= 0) {
		ret = write_port(ctx, f, side, port, check);
		if (ret)
			return ret;
	}
	if (side == SOURCE) {
		addr_copy(&f->saddr, address);
		f->sport = port;
	} else {
		addr_copy(&f->daddr, address);
		f->dport = port;
	}
	return 0;
}

/* A router's duty (RFC 1812, 5.3.1). Returns -DROP_TTL_EXCEEDED when the packet may not go on. */
static __always_inline int decrement_ttl(context *ctx, const struct flow *f)
{
	if (is_ipv4(f)) {
		struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

		if (!ip)
			return -DROP_INVALID;
		if (ip->ttl <= 1)
			return -DROP_TTL_EXCEEDED;
		ip->ttl--;
		/* ttl is the high byte of its 16-bit word */
		ip->check = csum_update(ip->check, (__u16)~bpf_htons(0x0100));
		return 0;
	} else {
		struct ipv6hdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

		if (!ip)
			return -DROP_INVALID;
		if (ip->hop_limit <= 1)
			return -DROP_TTL_EXCEEDED;
		ip->hop_limit--;
		return 0;
	}
}

#endif
