/* ICMP errors about flows that this node translates (RFC 792, RFC 5508): path MTU discovery,
 * traceroute and "connection refused" over UDP work through the load balancer.
 *
 * An error quotes the packet it is about. Reversed, the quote is a packet of the same flow going
 * the error's way, so the error is translated as that packet would be: its destination is the
 * error's destination and the quote's source, its source the quote's destination.
 */
#ifndef LAB_RELATED_H
#define LAB_RELATED_H

#include "dsr.h"
#include "select.h"

#define ICMP_HEAD 8
#define QUOTE4 28 /* what every error quotes at least: an IPv4 header and 8 bytes */
#define QUOTE6 48

/* The first 8 bytes behind the quoted IP header: UDP's, of which TCP's begins alike, or an echo's. */
union quoted_l4 {
	struct {
		__be16 sport;
		__be16 dport;
		__be16 length;
		__u16 check;
	};
	struct icmp_head icmp;
};

struct quote {
	union {
		struct {
			struct iphdr ip;
			union quoted_l4 l4;
		} v4;
		struct {
			struct ipv6hdr ip;
			union quoted_l4 l4;
		} v6;
	};
};

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

/* The quoted packet's flow, reversed. Options and extension headers hide the ports: not ours. */
static __always_inline int reversed_quote(context *ctx, const struct flow *f,
					  struct quote *q, struct flow *r)
{
	r->family = f->family;
	r->now = f->now;
	if (is_ipv4(f)) {
		if (load_bytes(ctx, f->l4_off + ICMP_HEAD, q, QUOTE4) || q->v4.ip.ihl != 5)
			return 0;
		r->proto = q->v4.ip.protocol;
		r->saddr.p[0] = q->v4.ip.daddr;
		r->daddr.p[0] = q->v4.ip.saddr;
		return reversed_ports(&q->v4.l4, r);
	}
	if (load_bytes(ctx, f->l4_off + ICMP_HEAD, q, QUOTE6))
		return 0;
	r->proto = q->v6.ip.nexthdr;
	addr_put(&r->saddr, &q->v6.ip.daddr);
	addr_put(&r->daddr, &q->v6.ip.saddr);
	return reversed_ports(&q->v6.l4, r);
}

#define AGREED_AFFINITY 0x10000

/* The rev_nat_index of the flow's service, and AGREED_AFFINITY; 0 without DSR or Maglev. */
VERIFIED_ONCE __u32 agreed_service(const struct flow *r)
{
	struct service_key key = {};
	const struct lb4_service *svc;

	if (!r)
		return 0;
	svc = service_lookup(&key, r, SCOPE_EXTERNAL);
	if (!svc || !svc->count || !uses_dsr(svc, r) || !uses_maglev(svc))
		return 0;
	return svc->rev_nat_index | (svc->flags & SVC_AFFINITY ? AGREED_AFFINITY : 0);
}

/* Apart from agreed_service(): together they would need too much stack. */
VERIFIED_ONCE __u32 agreed_backend(const struct flow *r, __u32 service)
{
	struct lb4_service svc = {.rev_nat_index = service};

	if (!r)
		return 0;
	svc.flags = service & AGREED_AFFINITY ? SVC_AFFINITY : 0;
	return select_maglev(&svc, r);
}

/* The backend of a service that has no other: it needs no table. 0 without DSR. */
VERIFIED_ONCE __u32 only_backend(const struct flow *r)
{
	struct service_key key = {};
	const struct lb4_service *svc;

	if (!r)
		return 0;
	svc = service_lookup(&key, r, SCOPE_EXTERNAL);
	if (!svc || svc->count != 1 || !uses_dsr(svc, r))
		return 0;
	service_key_slot(&key, 1);
	svc = service_at(&key);
	return svc ? svc->backend_id : 0;
}

/* The backend of a flow that came by another node. A router hashes addresses and ports where it
 * deals out packets; an error has no ports, so it may come to any node. With Maglev, or without a
 * choice, all nodes choose the same backend, and with DSR there is nothing else to know of the
 * flow.
 */
static __always_inline int chosen_elsewhere(struct backend *backend, const struct flow *r)
{
	__u32 service, id;

	if (config.tunnel)
		return 0;
	id = only_backend(r);
	if (!id) {
		service = agreed_service(r);
		id = service ? agreed_backend(r, service) : 0;
	}
	return id && backend_get(backend, id, r->family);
}

/* Where `r` goes after all translations that packets of its flow get on this node: destination
 * first (a service's backend, a SNAT address' owner), then source (a service's address for
 * replies, a SNAT address for requests).
 */
static __always_inline void translate(struct flow *r)
{
	struct nat_target to = {};
	struct backend backend = {};
	const struct ct_entry *entry = ct_find(r, TUPLE_SERVICE, 0);

	if (entry && backend_get(&backend, entry->rx_bytes, r->family)) {
		addr_copy(&r->daddr, &backend.address);
		r->dport = backend.port;
	} else if (nat_find(&to, r, TUPLE_IN)) {
		addr_copy(&r->daddr, &to.address);
		r->dport = to.port;
	} else if (chosen_elsewhere(&backend, r)) {
		addr_copy(&r->daddr, &backend.address);
		r->dport = backend.port;
	}
	entry = ct_find(r, TUPLE_OUT, 1);
	if (!entry || !entry->rev_nat_index)
		entry = ct_find(r, TUPLE_IN, 1);
	if (entry && entry->rev_nat_index && frontend_get(&to, entry->rev_nat_index, r->family)) {
		addr_copy(&r->saddr, &to.address);
		r->sport = to.port;
	} else if (nat_find(&to, r, TUPLE_OUT)) {
		addr_copy(&r->saddr, &to.address);
		r->sport = to.port;
	}
}

/* A checksum after one 16-bit word of what it covers changed. */
static __always_inline __u16 csum_word(__u16 check, __u16 from, __u16 to)
{
	return csum_update(check, csum_add((__u16)~from, to));
}

/* `diff`: what became of the addresses, for the sums that cover them. */
static __always_inline void requote_ports(union quoted_l4 *l4, const struct flow *r, __u32 diff)
{
	if (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6) {
		if (r->proto == IPPROTO_ICMPV6)
			l4->icmp.check = csum_update(l4->icmp.check, diff);
		l4->icmp.check = csum_word(l4->icmp.check, l4->icmp.id, r->dport);
		l4->icmp.id = r->dport;
		return;
	}
	/* A quoted TCP header ends before its checksum; UDP's is there unless it is zero. */
	if (r->proto == IPPROTO_UDP && l4->check) {
		l4->check = csum_update(l4->check, diff);
		l4->check = csum_word(l4->check, l4->sport, r->dport);
		l4->check = csum_word(l4->check, l4->dport, r->sport);
	}
	l4->sport = r->dport;
	l4->dport = r->sport;
}

static __always_inline void requote4(struct quote *q, const struct flow *r)
{
	__u32 diff = csum_add(csum_add(~q->v4.ip.saddr, r->daddr.p[0]),
			      csum_add(~q->v4.ip.daddr, r->saddr.p[0]));

	q->v4.ip.saddr = r->daddr.p[0];
	q->v4.ip.daddr = r->saddr.p[0];
	q->v4.ip.check = csum_update(q->v4.ip.check, diff);
	requote_ports(&q->v4.l4, r, diff);
}

static __always_inline void requote6(struct quote *q, const struct flow *r)
{
	__u32 diff = bpf_csum_diff((__be32 *)&q->v6.ip.saddr, 16, (__be32 *)&r->daddr, 16, 0);

	diff = bpf_csum_diff((__be32 *)&q->v6.ip.daddr, 16, (__be32 *)&r->saddr, 16, diff);
	addr_put(&q->v6.ip.saddr, &r->daddr);
	addr_put(&q->v6.ip.daddr, &r->saddr);
	requote_ports(&q->v6.l4, r, diff);
}

/* Write the quote back, and mend the ICMP checksum that covers it. */
static __always_inline int store_quote(context *ctx, const struct flow *f,
				       struct quote *q, const struct flow *r)
{
	__u32 size = is_ipv4(f) ? QUOTE4 : QUOTE6, diff;

	diff = bpf_csum_diff((__be32 *)q, size, NULL, 0, 0);
	if (is_ipv4(f))
		requote4(q, r);
	else
		requote6(q, r);
	diff = bpf_csum_diff(NULL, 0, (__be32 *)q, size, diff);
	if (mend_checksum(ctx, f->l4_off + offsetof(struct icmp_head, check), diff, 0))
		return -DROP_CSUM_L4;
	if (store_bytes(ctx, f->l4_off + ICMP_HEAD, q, size))
		return -DROP_WRITE_ERROR;
	return 0;
}

/* Translate an ICMP error. 1: done, `f` has its new addresses; 0: about no flow of ours. */
VERIFIED_ONCE int translate_error(context *ctx, struct flow *f)
{
	union v6addr source, destination;
	struct flow r = {};
	struct quote q = {};
	int ret;

	if (!f || !reversed_quote(ctx, f, &q, &r))
		return 0;
	addr_copy(&source, &r.saddr);
	addr_copy(&destination, &r.daddr);
	translate(&r);
	if (addr_equal(&r.saddr, &source) && addr_equal(&r.daddr, &destination))
		return 0;
	ret = store_quote(ctx, f, &q, &r);
	if (ret)
		return ret;
	/* The sender may be a router on the way; only the flow's own end is renamed. */
	if (addr_equal(&f->saddr, &source) && !addr_equal(&r.saddr, &source)) {
		ret = rewrite(ctx, f, SOURCE, &r.saddr, f->sport);
		if (ret)
			return ret;
	}
	ret = rewrite(ctx, f, DESTINATION, &r.daddr, f->dport);
	return ret ? ret : 1;
}

#endif
