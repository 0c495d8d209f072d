/* A pod's veth, the node's end: from_container (tc ingress: what the pod sends) and to_container
 * (tc egress: what comes to it through the stack). One program serves all pods of a node: who
 * sends is found by the source address.
 */
#ifndef LAB_HOOK_CONTAINER_H
#define LAB_HOOK_CONTAINER_H

#include "eastwest.h"
#include "forward.h"
#include "neighbour.h"
#include "own.h"
#include "related.h"
#include "verdict.h"

/* What a pod asks for: balanced if it is a service, and tracked. 0 or a negative reason. */
static __always_inline int pod_request(struct __sk_buff *ctx, struct flow *f, struct tracked *t,
				       const struct endpoint_info *ep, struct balanced *b)
{
	struct ct_init init = {.identity = ep->sec_id};
	int ret = balance(ctx, f, b);

	if (ret < 0)
		return ret;
	ct_lookup(t, f, ctx->len, TUPLE_OUT, 0);
	if (ct_serves(t, b->rev_nat_index, b->ct_flags))
		return 0;
	init.rev_nat_index = b->rev_nat_index;
	init.flags = b->ct_flags;
	init.stale = t->stale;
	return ct_create(f, &init, ctx->len, TUPLE_OUT);
}

/* A reply is recognised first: it is no request for a service, so none has to be looked for. */
static __always_inline int track_sending(struct __sk_buff *ctx, struct flow *f, struct tracked *t,
					 const struct endpoint_info *ep, struct balanced *b)
{
	int ret;

	if (f->kind == FLOW_ICMP_ERROR) {
		ret = translate_error(ctx, f, 0);
		ct_related(t);
		return ret < 0 ? ret : 0;
	}
	if (ct_lookup(t, f, ctx->len, TUPLE_IN, 1))
		return 0;
	return pod_request(ctx, f, t, ep, b);
}

static __always_inline int to_stack(struct __sk_buff *ctx, const struct flow *f,
				    const struct endpoint_info *ep, const struct tracked *t,
				    __u32 dst_label)
{
	struct trace_point point = {
		.obs = TO_STACK,
		.reason = t->status,
		.source = ep->lxc_id,
		.src_label = ep->sec_id,
		.dst_label = dst_label,
		.family = f->family,
	};

	count(ctx->len, 0, DIRECTION_EGRESS);
	trace(ctx, &point, t->monitor);
	return TC_ACT_OK;
}

static __always_inline int to_tunnel(struct __sk_buff *ctx, const struct flow *f,
				     const struct endpoint_info *ep, const struct tracked *t,
				     const struct remote_endpoint_info *info)
{
	struct trace_point point = {
		.obs = TO_OVERLAY,
		.reason = config.snat_before_trace ? t->status : REASON_NEW,
		.source = ep->lxc_id,
		.src_label = ep->sec_id,
		.dst_label = info->sec_label,
		.ifindex = config.overlay_ifindex,
		.family = f->family,
	};

	if (f->hops <= 1)
		return -DROP_TTL_EXCEEDED;
	count(ctx->len, 0, DIRECTION_EGRESS);
	trace(ctx, &point, t->monitor);
	return encapsulate(ctx, info->tunnel_endpoint, ep->sec_id);
}

/* By its destination, after translation. */
static __always_inline int dispatch(struct __sk_buff *ctx, struct flow *f,
				    const struct endpoint_info *ep, const struct tracked *t,
				    const struct balanced *b)
{
	const struct endpoint_info *to = endpoint_of(&f->daddr, f->family);
	const struct remote_endpoint_info *info;
	struct delivery d = {.hook = AT_INGRESS};
	int ret;

	if (to && to->flags & ENDPOINT_HOST) {
		ret = deliver_host(ctx, f);
		return ret ? ret : to_stack(ctx, f, ep, t, IDENTITY_HOST);
	}
	if (to) {
		d.ct_flags = b->ct_flags;
		d.rev_nat_index = b->ct_flags & CT_LB_LOOPBACK ? b->rev_nat_index : 0;
		d.request = b->rev_nat_index != 0;
		d.tracked = t->status == REASON_REPLY && t->flags & CT_LB_LOOPBACK;
		d.monitor = t->monitor;
		d.identity = ep->sec_id;
		ret = deliver(ctx, f, to, &d);
		if (ret >= 0)
			count(ctx->len, 0, DIRECTION_EGRESS); /* that it comes in is counted, too */
		return ret;
	}
	info = ipcache_of(&f->daddr, f->family);
	if (info && info->tunnel_endpoint)
		return to_tunnel(ctx, f, ep, t, info);
	/* An error in the name of a NodePort: the stack lets no packet with its own address in. */
	if (is_node(&f->saddr, f->family))
		return route(ctx, f);
	return to_stack(ctx, f, ep, t, info ? info->sec_label : IDENTITY_WORLD);
}

/* The answer to this node itself, which asked by way of another one, and may have got another port for
 * that (see own.h). CONTINUE, or a negative reason.
 */
static __always_inline int answer_at_home(struct __sk_buff *ctx, struct flow *f)
{
	int ret = reverse_snat(ctx, f);

	return ret < 0 ? ret : CONTINUE;
}

/* The reply's source becomes what was asked for: 0 or a negative reason. */
static __always_inline int as_service(struct __sk_buff *ctx, struct flow *f, const struct tracked *t)
{
	return t->flags & CT_DSR ? dsr_reply(ctx, f) : reverse_nat(ctx, f, t->rev_nat_index);
}

/* The pod answers itself through its service: both addresses are turned back. */
static __always_inline int hairpin_reply(struct __sk_buff *ctx, struct flow *f,
					 const struct tracked *t)
{
	union v6addr pod;
	int ret;

	addr_copy(&pod, &f->saddr);
	ret = as_service(ctx, f, t);
	if (!ret)
		ret = rewrite(ctx, f, DESTINATION, &pod, f->dport);
	return ret ? ret : CONTINUE;
}

/* A pod answers what came to it through a service: a verdict, or CONTINUE when it is this node that
 * asked, or a pod of it.
 */
static __always_inline int service_reply(struct __sk_buff *ctx, struct flow *f,
					 const struct tracked *t)
{
	int ret;

	if (f->hops <= 1)
		return -DROP_TTL_EXCEEDED;
	if (t->flags & CT_LB_LOOPBACK)
		return hairpin_reply(ctx, f, t);
	ret = as_service(ctx, f, t);
	if (ret)
		return ret;
	if (is_node(&f->daddr, f->family))
		return answer_at_home(ctx, f);
	return is_local_pod(&f->daddr, f->family) ? CONTINUE : route(ctx, f);
}

static __always_inline int pod_packet(struct __sk_buff *ctx, struct flow *f,
				      const struct endpoint_info *ep)
{
	struct balanced b = {};
	struct tracked t = {};
	int ret;

	ret = track_sending(ctx, f, &t, ep, &b);
	if (ret)
		return ret;
	if (t.status == REASON_REPLY && t.flags & (CT_NODE_PORT | CT_DSR | CT_LB_LOOPBACK)) {
		ret = service_reply(ctx, f, &t);
		if (ret != CONTINUE)
			return ret;
	}
	return dispatch(ctx, f, ep, &t, &b);
}

SEC("tc")
int from_container(struct __sk_buff *ctx)
{
	struct drop_point place = {.direction = DIRECTION_EGRESS};
	const struct endpoint_info *ep;
	struct flow flow;
	int ret = parse(ctx, &flow);

	if (ret == NOT_IP) {
		ret = ctx->protocol == bpf_htons(ETH_P_ARP) ? answer_arp(ctx) : TC_ACT_OK;
		return conclude_at(ctx, &flow, &place, ret);
	}
	if (flow.kind == FLOW_NEIGHBOUR && is_link_scope(&flow.saddr))
		return TC_ACT_OK;
	if (ret)
		return conclude(ctx, &flow, DIRECTION_EGRESS, 0, ret);
	ep = endpoint_of(&flow.saddr, flow.family);
	if (!ep || ep->ifindex != ctx->ifindex)
		return conclude(ctx, &flow, DIRECTION_EGRESS, 0, -DROP_INVALID_SIP);
	place.source = ep->lxc_id;
	place.src_label = ep->sec_id;
	if (flow.kind == FLOW_NEIGHBOUR)
		return conclude_at(ctx, &flow, &place, answer_solicitation(ctx, &flow, ep));
	trace_from(ctx, FROM_ENDPOINT, ep->lxc_id, ep->sec_id);
	return conclude_at(ctx, &flow, &place, pod_packet(ctx, &flow, ep));
}

/* What the node sends to a pod. Its errors are about what the pod sent, to a service maybe. */
static __always_inline int host_to_pod(struct __sk_buff *ctx, struct flow *f,
				       const struct endpoint_info *ep)
{
	struct delivery d = {.hook = AT_POD};
	int ret = 0;

	if (f->kind == FLOW_ICMP_ERROR)
		ret = translate_error(ctx, f, 0);
	return ret < 0 ? ret : deliver(ctx, f, ep, &d);
}

SEC("tc")
int to_container(struct __sk_buff *ctx)
{
	struct drop_point place = {.direction = DIRECTION_INGRESS};
	const struct endpoint_info *ep;
	struct flow flow;
	int ret = parse(ctx, &flow);

	if (ret == NOT_IP || flow.kind == FLOW_NEIGHBOUR)
		return TC_ACT_OK;
	if (ret)
		return conclude(ctx, &flow, DIRECTION_INGRESS, 0, ret);
	ep = endpoint_of(&flow.daddr, flow.family);
	if (!ep || ep->ifindex != ctx->ifindex)
		return conclude(ctx, &flow, DIRECTION_INGRESS, 0, -DROP_UNROUTABLE);
	place.source = ep->lxc_id;
	place.dst_id = ep->lxc_id;
	place.dst_label = ep->sec_id;
	return conclude_at(ctx, &flow, &place, host_to_pod(ctx, &flow, ep));
}

#endif
