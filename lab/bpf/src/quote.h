/* What an ICMP error quotes (RFC 792, RFC 4443): a packet's headers, and of its data eight bytes or
 * more. Read as a flow that goes the error's way, and written anew when that flow is translated.
 */
#ifndef LAB_QUOTE_H
#define LAB_QUOTE_H

#include "rewrite.h"

#define ICMP_HEAD 8

/* The first 8 bytes behind the quoted IP header: UDP's, TCP's (with ports in the same place), or an
 * echo's.
 */
union quoted_l4 {
	struct {
		__be16 sport;
		__be16 dport;
		__be16 length;
		__u16 check;
	};
	struct icmp_head icmp;
};

/* Copies of what a translation changes. Options and extension headers in between stay. */
struct quoted {
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
	union quoted_l4 l4;
	__u16 tcp_check; /* most quote more than eight bytes */
	__u16 pad;
};

struct quote {
	struct quoted copy;
	__u16 l4_at;
	__u16 tcp_check_at; /* 0: not quoted, or not TCP */
};

/* Offset behind the error itself: a frame may be longer. */
static __always_inline __u32 error_end(context *ctx, const struct flow *f)
{
	__be16 length = 0;

	if (is_ipv4(f))
		load_bytes(ctx, ETH_HLEN + offsetof(struct iphdr, tot_len), &length, 2);
	else
		load_bytes(ctx, ETH_HLEN + offsetof(struct ipv6hdr, payload_len), &length, 2);
	return ETH_HLEN + (is_ipv4(f) ? 0 : sizeof(struct ipv6hdr)) + bpf_ntohs(length);
}

/* The quoted IP header: 0 when it is none, or of a fragment without ports. */
static __always_inline int quoted_ipv4(context *ctx, __u32 at, struct quote *q, struct flow *r)
{
	const struct iphdr *ip = &q->copy.ip4;

	if (load_bytes(ctx, at, &q->copy.ip4, sizeof(*ip)) || ip->ihl < 5 ||
	    ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET))
		return 0;
	q->l4_at = at + (__u32)ip->ihl * 4;
	r->proto = ip->protocol;
	r->saddr.p[0] = ip->daddr;
	r->daddr.p[0] = ip->saddr;
	return 1;
}

static __always_inline int quoted_ipv6(context *ctx, __u32 at, struct quote *q, struct flow *r)
{
	const struct ipv6hdr *ip = &q->copy.ip6;
	struct ipv6_fragment ext;

	if (load_bytes(ctx, at, &q->copy.ip6, sizeof(*ip)))
		return 0;
	q->l4_at = at + sizeof(*ip);
	r->proto = ip->nexthdr;
	for (int i = 0; i < IPV6_MAX_EXTENSIONS && is_extension(r->proto); i++) {
		if (load_bytes(ctx, q->l4_at, &ext, sizeof(ext)) ||
		    (r->proto == IPPROTO_FRAGMENT && ext.offset & bpf_htons(IP6_FRAGMENT_OFFSET)))
			return 0;
		q->l4_at += extension_length(r->proto, &ext);
		r->proto = ext.next;
	}
	addr_put(&r->saddr, &ip->daddr);
	addr_put(&r->daddr, &ip->saddr);
	return 1;
}

/* What tells the quoted packet's flow from others between the same two, reversed: ports, or the
 * identifier that the reply to an echo will have.
 */
static __always_inline int reversed_ports(const union quoted_l4 *l4, struct flow *r)
{
	if (r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP) {
		r->sport = l4->dport;
		r->dport = l4->sport;
		return 1;
	}
	if (r->proto != (is_ipv4(r) ? IPPROTO_ICMP : IPPROTO_ICMPV6) ||
	    l4->icmp.type != (is_ipv4(r) ? ICMP4_ECHO : ICMP6_ECHO))
		return 0;
	r->dport = l4->icmp.id;
	return 1;
}

static __always_inline void quoted_tcp_check(context *ctx, struct quote *q, __u32 end)
{
	__u32 at = q->l4_at + offsetof(struct tcphdr, check);

	if (at + sizeof(q->copy.tcp_check) <= end &&
	    !load_bytes(ctx, at, &q->copy.tcp_check, sizeof(q->copy.tcp_check)))
		q->tcp_check_at = at;
}

/* The quoted packet's flow, reversed; 0 when the quote does not tell. */
VERIFIED_ONCE int reversed_quote(context *ctx, const struct flow *f, struct quote *q,
				 struct flow *r)
{
	__u32 at, end;

	if (!f || !q || !r)
		return 0;
	at = f->l4_off + ICMP_HEAD;
	end = error_end(ctx, f);
	r->family = f->family;
	r->now = f->now;
	if (!(is_ipv4(f) ? quoted_ipv4(ctx, at, q, r) : quoted_ipv6(ctx, at, q, r)))
		return 0;
	if (q->l4_at + sizeof(q->copy.l4) > end ||
	    load_bytes(ctx, q->l4_at, &q->copy.l4, sizeof(q->copy.l4)))
		return 0;
	if (r->proto == IPPROTO_TCP)
		quoted_tcp_check(ctx, q, end);
	return reversed_ports(&q->copy.l4, r);
}

/* A checksum after one 16-bit word of what it covers changed. */
static __always_inline __u16 csum_word(__u16 check, __u16 from, __u16 to)
{
	return csum_update(check, csum_add((__u16)~from, to));
}

/* `diff`: what became of the addresses, for the sums that cover them. */
static __always_inline void requote_echo(union quoted_l4 *l4, const struct flow *r, __u32 diff)
{
	if (r->proto == IPPROTO_ICMPV6)
		l4->icmp.check = csum_update(l4->icmp.check, diff);
	l4->icmp.check = csum_word(l4->icmp.check, l4->icmp.id, r->dport);
	l4->icmp.id = r->dport;
}

static __always_inline void requote_ports(struct quote *q, const struct flow *r, __u32 diff)
{
	union quoted_l4 *l4 = &q->copy.l4;

	diff = csum_add(diff, csum_add((__u16)~l4->sport, r->dport));
	diff = csum_add(diff, csum_add((__u16)~l4->dport, r->sport));
	if (q->tcp_check_at)
		q->copy.tcp_check = csum_update(q->copy.tcp_check, diff);
	else if (r->proto == IPPROTO_UDP && l4->check) /* zero means none (RFC 768), and must not come out */
		l4->check = csum_update(l4->check, diff) ?: 0xffff;
	l4->sport = r->dport;
	l4->dport = r->sport;
}

static __always_inline void requote_l4(struct quote *q, const struct flow *r, __u32 diff)
{
	if (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6)
		requote_echo(&q->copy.l4, r, diff);
	else
		requote_ports(q, r, diff);
}

static __always_inline void requote4(struct quote *q, const struct flow *r)
{
	struct iphdr *ip = &q->copy.ip4;
	__u32 diff = csum_add(csum_add(~ip->saddr, r->daddr.p[0]),
			      csum_add(~ip->daddr, r->saddr.p[0]));

	ip->saddr = r->daddr.p[0];
	ip->daddr = r->saddr.p[0];
	ip->check = csum_update(ip->check, diff);
	requote_l4(q, r, diff);
}

static __always_inline void requote6(struct quote *q, const struct flow *r)
{
	struct ipv6hdr *ip = &q->copy.ip6;
	__u32 diff = bpf_csum_diff((__be32 *)&ip->saddr, 16, (__be32 *)&r->daddr, 16, 0);

	diff = bpf_csum_diff((__be32 *)&ip->daddr, 16, (__be32 *)&r->saddr, 16, diff);
	addr_put(&ip->saddr, &r->daddr);
	addr_put(&ip->daddr, &r->saddr);
	requote_l4(q, r, diff);
}

/* Write the quote back, and mend the ICMP checksum that covers it. */
VERIFIED_ONCE int store_quote(context *ctx, const struct flow *f, struct quote *q,
			      const struct flow *r)
{
	struct quoted *copy;
	__u32 size, diff;

	if (!f || !q || !r)
		return -DROP_WRITE_ERROR;
	copy = &q->copy;
	size = is_ipv4(f) ? sizeof(copy->ip4) : sizeof(copy->ip6);
	diff = bpf_csum_diff((__be32 *)copy, sizeof(*copy), NULL, 0, 0);
	if (is_ipv4(f))
		requote4(q, r);
	else
		requote6(q, r);
	diff = bpf_csum_diff(NULL, 0, (__be32 *)copy, sizeof(*copy), diff);
	if (mend_checksum(ctx, f->l4_off + offsetof(struct icmp_head, check), diff, 0))
		return -DROP_CSUM_L4;
	if (store_bytes(ctx, f->l4_off + ICMP_HEAD, copy, size) ||
	    store_bytes(ctx, q->l4_at, &copy->l4, sizeof(copy->l4)))
		return -DROP_WRITE_ERROR;
	if (q->tcp_check_at && store_bytes(ctx, q->tcp_check_at, &copy->tcp_check, 2))
		return -DROP_WRITE_ERROR;
	return 0;
}

#endif
