/* A request on its way to a backend on another node, whichever hook sends it. */
#ifndef LAB_REMOTE_H
#define LAB_REMOTE_H

#include "addresses.h"
#include "conntrack.h"
#include "events.h"
#include "nat.h"

/* Enter the flow, client to backend, so that its replies are known. 0 or a negative reason. */
static __always_inline int track_remote(context *ctx, const struct flow *f, struct tracked *t,
					__u16 rev_nat_index)
{
	struct ct_init init = {.rev_nat_index = rev_nat_index, .flags = CT_NODE_PORT};

	ct_lookup(t, f, packet_length(ctx), TUPLE_OUT, 0);
	if (ct_serves(t, rev_nat_index, CT_NODE_PORT))
		return 0;
	init.identity = IDENTITY_WORLD;
	init.ifindex = interface(ctx);
	init.stale = t->stale;
	return ct_create(f, &init, packet_length(ctx), TUPLE_OUT);
}

/* A request's way to another node, from the backend address on. */
static __always_inline void trace_overlay(context *ctx, const struct flow *f,
					  const struct tracked *t, __u32 dst_label)
{
	struct trace_point point = {
		.obs = TO_OVERLAY,
		.reason = t->status,
		.src_label = IDENTITY_WORLD,
		.dst_label = dst_label,
		.ifindex = config.overlay_ifindex,
		.family = f->family,
	};

	count(packet_length(ctx), 0, DIRECTION_EGRESS);
	trace(ctx, &point, t->monitor);
}

/* The source becomes the router address. 1.10 reports the packet before that, without knowing its
 * state, so always and with the client's address; later versions after it.
 */
static __always_inline int translate_for_tunnel(context *ctx, struct flow *f, struct tracked *t,
						__u32 dst_label)
{
	union v6addr router;
	int ret;

	router_address(&router, f->family);
	if (!config.snat_before_trace) {
		t->status = REASON_NEW;
		t->monitor = ALWAYS;
		trace_overlay(ctx, f, t, 0);
	}
	ret = snat(ctx, f, &router);
	if (ret)
		return ret;
	if (config.snat_before_trace)
		trace_overlay(ctx, f, t, dst_label);
	return 0;
}

#endif
