/* Flows of the node's own sockets. Their addresses are those that others' flows borrow, so they are
 * entered like those: no two have one port to one peer. (Cilium: nodeport_has_nat_conflict_ipv4 of
 * bpf/lib/nodeport_egress.h)
 */
#ifndef LAB_OWN_H
#define LAB_OWN_H

#include "conntrack.h"
#include "nat.h"
#include "service.h"

/* Does the flow have an address of the node and a port (of an echo, its number) that others' flows to
 * there borrow? They borrow the router address for pod networks only: with it, the node's own go out to
 * the world like a pod's (see masquerade()).
 */
static __always_inline int is_borrowed(const struct flow *f)
{
	return port_in_range(f->sport) &&
	       (is_node(&f->saddr, f->family) ||
		(is_router(&f->saddr, f->family) && is_in_cluster(&f->daddr, f->family)));
}

/* Enter it with the service that it asked, 0 for none. 1: its address and port are such as others
 * borrow, 0: they are not, or a negative reason.
 */
VERIFIED_ONCE int track_own(context *ctx, const struct flow *f, __u16 rev_nat_index)
{
	struct ct_init init = {.identity = IDENTITY_HOST, .rev_nat_index = rev_nat_index};
	struct tracked t = {};
	int ret;

	if (!f || (!rev_nat_index && !is_borrowed(f)))
		return 0;
	ct_lookup(&t, f, packet_length(ctx), TUPLE_OUT, 0);
	init.stale = t.stale;
	ret = ct_serves(&t, rev_nat_index, 0)
		? 0 : ct_create(f, &init, packet_length(ctx), TUPLE_OUT);
	return ret ? ret : is_borrowed(f) && !endpoint_of(&f->daddr, f->family);
}

/* A packet that the node itself sends, to a backend of the service `rev_nat_index` or (0) to whom it
 * asked. Its flow is tracked and has a translation, mostly to itself: flows that borrow the address
 * find the port taken, and it gets another one where they had it first. 0 or a negative reason.
 */
static __always_inline int own_request(context *ctx, struct flow *f, __u16 rev_nat_index)
{
	int ret = track_own(ctx, f, rev_nat_index);

	return ret > 0 ? snat(ctx, f, &f->saddr) : ret;
}

/* To the node itself: replies to what it opened through a service get the service's address. */
static __always_inline int deliver_host(context *ctx, struct flow *f)
{
	struct tracked t = {};

	if (ct_lookup(&t, f, packet_length(ctx), TUPLE_OUT, 1) && t.rev_nat_index)
		return reverse_nat(ctx, f, t.rev_nat_index);
	return TC_ACT_OK;
}

#endif
