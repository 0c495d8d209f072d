/* The node's leg in its pod network, cilium_host: from_host (tc egress: what the node sends to
 * pods and services) and to_host (tc ingress of its peer cilium_net: what is left over).
 */
#ifndef LAB_HOOK_HOST_H
#define LAB_HOOK_HOST_H

#include "eastwest.h"
#include "forward.h"
#include "own.h"
#include "verdict.h"

static __always_inline int host_packet(struct __sk_buff *ctx, struct flow *f)
{
	struct delivery d = {.hook = AT_EGRESS};
	struct trace_point point = {
		.obs = TO_OVERLAY,
		.src_label = IDENTITY_HOST,
		.ifindex = config.overlay_ifindex,
		.family = f->family,
	};
	const struct remote_endpoint_info *info;
	const struct endpoint_info *ep;
	struct balanced b = {};
	int balanced = balance(ctx, f, &b), ret;

	if (balanced < 0)
		return balanced;
	ep = endpoint_of(&f->daddr, f->family);
	ret = balanced || !ep ? own_request(ctx, f, b.rev_nat_index) : 0;
	if (ret)
		return ret;
	if (ep && !(ep->flags & ENDPOINT_HOST))
		return deliver(ctx, f, ep, &d);
	info = ipcache_of(&f->daddr, f->family);
	if (!info || !info->tunnel_endpoint)
		return balanced ? route(ctx, f) : -DROP_UNROUTABLE;
	if (!f->hops)
		return -DROP_TTL_EXCEEDED; /* a raw socket can make these */
	point.dst_label = info->sec_label;
	count(ctx->len, 0, DIRECTION_EGRESS);
	trace(ctx, &point, ALWAYS);
	return encapsulate(ctx, info->tunnel_endpoint, IDENTITY_REMOTE_NODE);
}

SEC("tc")
int from_host(struct __sk_buff *ctx)
{
	struct flow flow;
	int ret = parse(ctx, &flow);

	if (ret == NOT_IP || flow.kind == FLOW_NEIGHBOUR)
		return TC_ACT_OK;
	trace_from(ctx, FROM_HOST, 0, IDENTITY_HOST);
	if (!ret)
		ret = host_packet(ctx, &flow);
	return conclude(ctx, &flow, DIRECTION_EGRESS, IDENTITY_HOST, ret);
}

SEC("tc")
int to_host(struct __sk_buff *ctx)
{
	struct trace_point point = {
		.obs = TO_HOST,
		.ifindex = ctx->ifindex,
		.dst_label = IDENTITY_HOST,
	};
	struct flow flow;

	if (parse(ctx, &flow) || flow.kind == FLOW_NEIGHBOUR)
		return TC_ACT_OK;
	point.family = flow.family;
	count(ctx->len, 0, DIRECTION_EGRESS); /* Cilium's direction for the way to the host */
	trace(ctx, &point, ALWAYS);
	return TC_ACT_OK;
}

#endif
