/* East-west load balancing, packet by packet: what a pod or the node itself sends to a service.
 *
 * No address but the destination changes, except for a pod that reaches itself (hairpin): its own
 * stack would refuse a packet from its own address, so the source becomes another (loopback_source).
 */
#ifndef LAB_EASTWEST_H
#define LAB_EASTWEST_H

#include "nodeport.h"

#define NOT_BALANCED 0
#define BALANCED 1

/* What balancing found out, for the connection's entry. */
struct balanced {
	__u16 rev_nat_index;
	__u16 ct_flags;
};

static __always_inline int hairpin(context *ctx, struct flow *f, struct balanced *b)
{
	union v6addr loopback;

	if (!addr_equal(&f->saddr, &f->daddr))
		return 0;
	loopback_source(&loopback, f->family);
	b->ct_flags |= CT_LB_LOOPBACK;
	return rewrite(ctx, f, SOURCE, &loopback, f->sport);
}

/* Turn a flow to a service into one to a backend: BALANCED, NOT_BALANCED or a negative reason. */
static __always_inline int balance(context *ctx, struct flow *f, struct balanced *b)
{
	struct service_key key = {};
	const struct lb4_service *svc = service_lookup(&key, f, SCOPE_INTERNAL);
	struct backend backend = {};
	int ret;

	if (!svc)
		return NOT_BALANCED;
	ret = no_service(svc, &key);
	if (ret)
		return ret == CONTINUE ? NOT_BALANCED : ret;
	b->rev_nat_index = svc->rev_nat_index;
	ret = select_backend(&backend, &key, svc, f, SCOPE_INTERNAL);
	if (ret)
		return no_backend(ret);
	if (!may_travel(f, &backend.address))
		return -DROP_TTL_EXCEEDED;
	ret = rewrite(ctx, f, DESTINATION, &backend.address, backend.port);
	if (ret)
		return ret;
	ret = hairpin(ctx, f, b);
	return ret ? ret : BALANCED;
}

#endif
