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
#include "quote.h"
#include "select.h"
#include "translations.h"

#define AGREED_AFFINITY 0x10000

/* The rev_nat_index of the flow's service, and AGREED_AFFINITY; 0 without DSR or Maglev. */
VERIFIED_ONCE __u32 agreed_service(const struct flow *r)
{
	struct service_key key = {};
	const struct lb4_service *svc;

	if (!r)
		return 0;
	svc = service_lookup(&key, r, SCOPE_EXTERNAL);
	if (!svc || !svc->count || !uses_dsr(svc) || !uses_maglev(svc))
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
	if (!svc || svc->count != 1 || !uses_dsr(svc))
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

#define RENAMED_DESTINATION 1
#define RENAMED_SOURCE 2

static __always_inline int translate_destination(struct flow *r)
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
	} else {
		return 0;
	}
	return RENAMED_DESTINATION;
}

#define BOTH_ENDS 0x10000 /* the pod is at both ends of the flow */

/* The rev_nat_index of the service that a reply of the flow comes from, 0: of none or of one that another
 * node told (see dsr.h); and BOTH_ENDS.
 */
VERIFIED_ONCE __u32 answering_service(const struct flow *r)
{
	const struct ct_entry *entry;

	if (!r)
		return 0;
	entry = ct_find(r, TUPLE_OUT, 1);
	if (!entry || !entry->rev_nat_index)
		entry = ct_find(r, TUPLE_IN, 1);
	if (!entry)
		return 0;
	return entry->rev_nat_index | (entry->flags & CT_LB_LOOPBACK ? BOTH_ENDS : 0);
}

static __always_inline int translate_source(struct flow *r, int borrow)
{
	__u32 service = answering_service(r);
	struct nat_target to = {};

	if (!(service && frontend_get(&to, service, r->family)) &&
	    !(nat_find(&to, r, TUPLE_OUT) && (borrow || !is_node(&to.address, r->family))))
		return 0;
	if (service & BOTH_ENDS)
		addr_copy(&r->daddr, &r->saddr);
	addr_copy(&r->saddr, &to.address);
	r->sport = to.port;
	return RENAMED_SOURCE;
}

/* Where `r` goes after all translations that packets of its flow get on this node: destination
 * first (a service's backend, a SNAT address' owner), then source (a service's address for
 * replies, a SNAT address for requests). Not with `borrow` 0: the node's address, which a pod's packet
 * gets where it leaves the node. What was renamed.
 */
static __always_inline int translate(struct flow *r, int borrow)
{
	int renamed = translate_destination(r);

	renamed |= translate_source(r, borrow);
	if (renamed != RENAMED_DESTINATION || !addr_equal(&r->saddr, &r->daddr))
		return renamed;
	loopback_source(&r->saddr, r->family); /* a pod's answer to itself, on its own node */
	return renamed | RENAMED_SOURCE;
}

/* Translate an ICMP error. 1: done, `f` has its new addresses; 0: about no flow of ours. `borrow`: see
 * translate().
 */
VERIFIED_ONCE int translate_error(context *ctx, struct flow *f, int borrow)
{
	struct flow r = {};
	struct quote q = {};
	int ret, own, renamed;

	if (!f || !reversed_quote(ctx, f, &q, &r))
		return 0;
	/* The sender may be a router on the way; only the flow's own end is renamed. */
	own = addr_equal(&f->saddr, &r.saddr);
	renamed = translate(&r, borrow);
	if (!renamed)
		return 0;
	ret = store_quote(ctx, f, &q, &r);
	if (ret)
		return ret;
	if (own && renamed & RENAMED_SOURCE) {
		ret = rewrite(ctx, f, SOURCE, &r.saddr, f->sport);
		if (ret)
			return ret;
	}
	ret = rewrite(ctx, f, DESTINATION, &r.daddr, f->dport);
	return ret ? ret : 1;
}

/* Does a pod's ICMP error speak of a flow from outside, to the pod's own address? */
VERIFIED_ONCE int is_about_visitor(context *ctx, const struct flow *f)
{
	struct flow r = {};
	struct quote q = {};

	return f && reversed_quote(ctx, f, &q, &r) && ct_find(&r, TUPLE_IN, 1);
}

#endif
