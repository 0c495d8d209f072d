/* The node's uplink: from_netdev (tc ingress) and to_netdev (tc egress). */
#ifndef LAB_HOOK_UPLINK_H
#define LAB_HOOK_UPLINK_H

#include "dsr.h"
#include "eastwest.h"
#include "nat.h"
#include "nodeport.h"
#include "own.h"
#include "related.h"
#include "verdict.h"

/* Is what the node knows of a visitor so: with a service that another node told, or without? */
static __always_inline int visitor_known(const struct tracked *t, int told)
{
	if (told)
		return ct_serves(t, 0, CT_DSR);
	return !t->stale ||
	       (t->status != REASON_NEW && !(t->flags & (CT_NODE_PORT | CT_DSR)));
}

/* A connection to the node itself begins, or a datagram comes. Did another node tell a service, the
 * reply has to come from there; if not, what came from that port before does not count any more.
 * 0 or a negative reason.
 */
VERIFIED_ONCE int track_visitor(context *ctx, const struct flow *f, int told)
{
	struct ct_init init = {.identity = IDENTITY_WORLD, .flags = told ? CT_DSR : 0};
	struct tracked t = {};

	if (!f)
		return 0;
	ct_lookup(&t, f, packet_length(ctx), TUPLE_OUT, 0);
	if (visitor_known(&t, told))
		return 0;
	init.ifindex = interface(ctx);
	init.stale = t.stale;
	return ct_create(f, &init, packet_length(ctx), TUPLE_OUT);
}

/* To the node itself: its answer to a client whom another node sent here gets the service's address
 * in to_netdev.
 */
static __always_inline int netdev_host(struct __sk_buff *ctx, struct flow *f)
{
	int told = !config.tunnel && dsr_learn(ctx, f);
	int ret = tells_service(f) ? track_visitor(ctx, f, told) : 0;

	return ret || told ? ret : deliver_host(ctx, f);
}

/* To a pod, or (`reply`) to the node's address that a pod had borrowed. One that asked by way of
 * another node may have been chosen itself (hairpin).
 */
static __always_inline int netdev_pod(struct __sk_buff *ctx, struct flow *f,
				      const struct endpoint_info *ep, int reply)
{
	struct delivery d = {.hook = AT_INGRESS, .reply = reply};
	struct balanced b = {};
	int ret;

	if (config.tunnel || f->hops <= 1) /* its sender is told before anything is changed */
		return deliver(ctx, f, ep, &d);
	ret = hairpin(ctx, f, &b);
	if (ret)
		return ret;
	if (dsr_learn(ctx, f))
		d.ct_flags = b.ct_flags | CT_DSR;
	else if (b.ct_flags && !ct_find(f, TUPLE_IN, 0))
		return -DROP_INVALID_SIP; /* no one else has the pod's own address */
	return deliver(ctx, f, ep, &d);
}

static __always_inline int netdev_packet(struct __sk_buff *ctx, struct flow *f)
{
	int reply = is_node(&f->daddr, f->family), ret;
	const struct endpoint_info *ep;

	if (is_tunnelled(f) && is_node(&f->daddr, FAMILY_IPV4))
		return TC_ACT_OK;
	ret = f->kind == FLOW_ICMP_ERROR ? relay_error(ctx, f) : nodeport_request(ctx, f);
	if (ret != CONTINUE)
		return ret;
	ret = nodeport_return(ctx, f);
	if (ret != CONTINUE)
		return ret;
	ep = endpoint_of(&f->daddr, f->family);
	if (!ep)
		return TC_ACT_OK; /* for another node, or nobody: the routing table decides */
	return ep->flags & ENDPOINT_HOST ? netdev_host(ctx, f) : netdev_pod(ctx, f, ep, reply);
}

/* PACKET_OTHERHOST of linux/if_packet.h: a frame for another machine's MAC address. A network card
 * does not let it in; a veth does, and tc ingress runs before the stack would throw it away.
 */
#define OTHER_HOST 3

SEC("tc")
int from_netdev(struct __sk_buff *ctx)
{
	struct flow flow;
	int ret;

	/* Switches flood what they do not know: all nodes would answer for the one that is gone. */
	if (ctx->pkt_type == OTHER_HOST)
		return TC_ACT_OK;
	ret = parse(ctx, &flow);
	if (ret == NOT_IP || flow.kind == FLOW_NEIGHBOUR)
		return TC_ACT_OK;
	trace_from(ctx, FROM_NETWORK, 0, IDENTITY_WORLD);
	if (!ret)
		ret = netdev_packet(ctx, &flow);
	return conclude(ctx, &flow, DIRECTION_INGRESS, IDENTITY_WORLD, ret);
}

/* A pod's ICMP error to the world: about a packet to the address it borrowed, or to its own. */
static __always_inline int masquerade_error(struct __sk_buff *ctx, struct flow *f)
{
	int ret = translate_error(ctx, f, 1);

	if (ret)
		return ret > 0 ? TC_ACT_OK : ret;
	return is_about_visitor(ctx, f) ? CONTINUE : -DROP_NAT_NO_MAPPING;
}

/* A pod's packet to the world borrows the node's address. */
static __always_inline int masquerade(struct __sk_buff *ctx, struct flow *f)
{
	union v6addr node;

	if (!config.masquerade || !is_local_pod(&f->saddr, f->family) ||
	    is_in_cluster(&f->daddr, f->family))
		return CONTINUE;
	if (!config.tunnel && is_any_node(&f->daddr, f->family))
		return CONTINUE; /* nodes have routes to each other's pods (Cilium: snat_v4_needed) */
	if (f->kind == FLOW_ICMP_ERROR)
		return masquerade_error(ctx, f);
	if (ct_find(f, TUPLE_IN, 1))
		return CONTINUE; /* the world came to the pod: its reply keeps the address it asked for */
	node_address(&node, f->family);
	return snat(ctx, f, &node);
}

/* What the node sends in its own name: the reply of a backend in its namespace to a client outside,
 * an error, or a request.
 */
static __always_inline int host_leaving(struct __sk_buff *ctx, struct flow *f)
{
	struct tracked t = {};

	if (!is_node(&f->saddr, f->family) || is_tunnelled(f))
		return CONTINUE;
	if (f->kind == FLOW_ICMP_ERROR) {
		int ret = translate_error(ctx, f, 1);

		return ret < 0 ? ret : CONTINUE;
	}
	if (!ct_lookup(&t, f, ctx->len, TUPLE_OUT, 1) || !(t.flags & (CT_NODE_PORT | CT_DSR)))
		return ctx->mark == MARK_ROUTED ? CONTINUE : own_request(ctx, f, 0);
	return t.flags & CT_NODE_PORT ? reverse_nat(ctx, f, t.rev_nat_index) : dsr_reply(ctx, f);
}

static __always_inline int leaving_packet(struct __sk_buff *ctx, struct flow *f)
{
	int ret = host_leaving(ctx, f);

	if (ret == CONTINUE)
		ret = masquerade(ctx, f);
	return ret == CONTINUE ? TC_ACT_OK : ret;
}

SEC("tc")
int to_netdev(struct __sk_buff *ctx)
{
	struct trace_point point = {.obs = TO_NETWORK, .ifindex = ctx->ifindex};
	struct flow flow;
	int ret = parse(ctx, &flow);

	/* What the node itself sends is not judged here; only what has a flow is translated. A pod has
	 * no neighbours out there.
	 */
	if (ret || (flow.kind == FLOW_NEIGHBOUR && !is_local_pod(&flow.saddr, flow.family)))
		return TC_ACT_OK;
	ret = leaving_packet(ctx, &flow);
	if (ret < 0)
		return conclude(ctx, &flow, DIRECTION_EGRESS, 0, ret);
	count(ctx->len, 0, DIRECTION_EGRESS);
	point.family = flow.family;
	trace(ctx, &point, 0);
	return ret;
}

#endif
