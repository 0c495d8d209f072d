/* Source NAT: a flow leaves with an address of this node so that replies come back here. The half
 * for the reply is entered first: it is what reserves the port.
 */
#ifndef LAB_NAT_H
#define LAB_NAT_H

#include "addresses.h"
#include "rewrite.h"
#include "translations.h"

#define SNAT_TRIES 64
#define SNAT_STEP 509 /* a prime: the tries are different ports, unless the range is a multiple of it */

/* May the client's own port be kept? (32768-65535, above the NodePorts) */
static __always_inline int port_in_range(__be16 port)
{
	__u16 number = bpf_ntohs(port);

	return number >= config.snat_port_min && number <= config.snat_port_max;
}

/* Does the node itself talk to the same peer from that port? Its socket would get our replies. Most
 * such flows are entered (see own.h), but not one that was there before the programs, or was silent
 * for long. Asked for the node's own address only: for the router address, which all requests to
 * other nodes borrow, it would make a tenth of a new flow's price.
 */
VERIFIED_ONCE int port_used_by_node(context *ctx, const struct flow *f, const struct nat_target *to)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);
	struct bpf_sock *sk;

	if (!f || !to || !is_node(&to->address, f->family) || addr_equal(&f->saddr, &to->address))
		return 0;
	if (is_ipv4(f)) {
		tuple.ipv4.saddr = f->daddr.p[0];
		tuple.ipv4.daddr = to->address.p[0];
		tuple.ipv4.sport = f->dport;
		tuple.ipv4.dport = to->port;
	} else {
		addr_put(tuple.ipv6.saddr, &f->daddr);
		addr_put(tuple.ipv6.daddr, &to->address);
		tuple.ipv6.sport = f->dport;
		tuple.ipv6.dport = to->port;
		size = sizeof(tuple.ipv6);
	}
	if (f->proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else if (f->proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		return 0;
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

/* Enter the reply's half. Is it there already, and this very flow's, then the other half alone was
 * evicted and nothing is lost. 0, or negative when the port is another flow's.
 */
static __always_inline int nat_enter_reply(const struct flow *f, const struct nat_target *to)
{
	struct nat_key key;

	nat_reply_key(&key, f, &to->address, to->port, TUPLE_IN);
	if (!nat_insert(&key, f, &f->saddr, f->sport, 1))
		return 0;
	return nat_leads_to(&key, f, &f->saddr, f->sport) ? 0 : -1;
}

static __always_inline int nat_enter_request(const struct flow *f, const struct nat_target *to)
{
	struct nat_key key;

	nat_key(&key, f, TUPLE_OUT);
	return nat_insert(&key, f, &to->address, to->port, 0);
}

VERIFIED_ONCE int nat_enter(const struct flow *f, const struct nat_target *to)
{
	if (!f || !to || nat_enter_reply(f, to))
		return -1;
	return nat_enter_request(f, to);
}

/* Try one port for a new flow: 0 when it is the flow's now, negative when not. */
VERIFIED_ONCE int nat_reserve(context *ctx, const struct flow *f, struct nat_target *to, __u32 port)
{
	if (!f || !to)
		return -1;
	to->port = bpf_htons(port);
	return port_used_by_node(ctx, f, to) ? -1 : nat_enter(f, to);
}

/* Find a port of `to` for a new flow: the client's own, or another one from all over the range, for
 * clients tend to have neighbouring ports. 0, or -DROP_NAT_NO_MAPPING when none was free.
 */
static __always_inline int nat_allocate(context *ctx, const struct flow *f, struct nat_target *to)
{
	__u32 ports = config.snat_port_max - config.snat_port_min + 1, any;

	if (port_in_range(f->sport) && !nat_reserve(ctx, f, to, bpf_ntohs(f->sport)))
		return 0;
	any = bpf_get_prandom_u32();
	for (__u32 i = 0; ports && i < SNAT_TRIES; i++) {
		if (!nat_reserve(ctx, f, to, config.snat_port_min + (any + i * SNAT_STEP) % ports))
			return 0;
	}
	return -DROP_NAT_NO_MAPPING;
}

static __always_inline int nat_supports(const struct flow *f)
{
	if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6)
		return f->kind <= FLOW_LATER_FRAGMENT && !f->dport;
	return f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP;
}

/* The reply's half was evicted: without it the reply would be a stranger's. */
VERIFIED_ONCE int nat_restore(const struct flow *f, const struct nat_target *to)
{
	return !f || !to ? -1 : nat_enter_reply(f, to);
}

/* The request's half, and 1. A table under pressure evicts halves that nobody looked at; whether
 * the other one is still there is asked once a second, which costs next to nothing.
 */
static __always_inline int nat_find_request(struct nat_target *to, const struct flow *f)
{
	__u64 *checked = nat_get(to, f, TUPLE_OUT);

	if (!checked)
		return 0;
	if (*checked == f->now)
		return 1;
	*checked = f->now;
	return !nat_restore(f, to);
}

/* Send the flow on with `address` as its source. 0 or a negative reason. */
VERIFIED_ONCE int snat(context *ctx, struct flow *f, const union v6addr *address)
{
	struct nat_target to = {};
	int ret;

	if (!f || !address || !nat_supports(f))
		return -DROP_NAT_UNSUPPORTED_PROTO;
	if (!nat_find_request(&to, f)) {
		addr_copy(&to.address, address);
		ret = nat_allocate(ctx, f, &to);
		if (ret)
			return ret;
	}
	if (to.port == f->sport && addr_equal(&to.address, &f->saddr))
		return 0;
	return rewrite(ctx, f, SOURCE, &to.address, to.port);
}

/* Give a reply its original destination: 1 when the flow was translated, 0 when not. */
static __always_inline int reverse_snat(context *ctx, struct flow *f)
{
	struct nat_target to = {};
	int ret;

	if (!nat_find(&to, f, TUPLE_IN))
		return 0;
	/* Its sender is told before anything is changed; the node's own go no further. */
	if (f->hops <= 1 && !addr_equal(&to.address, &f->daddr))
		return -DROP_TTL_EXCEEDED;
	ret = rewrite(ctx, f, DESTINATION, &to.address, to.port);
	return ret ? ret : 1;
}

#endif
