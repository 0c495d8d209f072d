/* The tunnel device cilium_vxlan: from_overlay (tc ingress) and to_overlay (tc egress). */
#ifndef LAB_HOOK_OVERLAY_H
#define LAB_HOOK_OVERLAY_H

#include "forward.h"
#include "nodeport.h"
#include "own.h"
#include "verdict.h"

static __always_inline int overlay_packet(struct __sk_buff *ctx, struct flow *f)
{
	struct delivery d = {.hook = AT_INGRESS};
	const struct endpoint_info *ep;
	int ret;

	ret = f->kind == FLOW_ICMP_ERROR ? relay_error(ctx, f) : nodeport_return(ctx, f);
	if (ret != CONTINUE)
		return ret;
	ep = endpoint_of(&f->daddr, f->family);
	if (!ep)
		return -DROP_UNROUTABLE; /* the pod is gone; the stack would send it back */
	if (ep->flags & ENDPOINT_HOST)
		return deliver_host(ctx, f);
	return deliver(ctx, f, ep, &d);
}

SEC("tc")
int from_overlay(struct __sk_buff *ctx)
{
	struct bpf_tunnel_key key = {};
	struct flow flow;
	int ret = parse(ctx, &flow);

	if (ret == NOT_IP) /* nodes exchange IP only */
		return conclude(ctx, &flow, DIRECTION_INGRESS, 0, -DROP_UNKNOWN_L3);
	if (bpf_skb_get_tunnel_key(ctx, &key, sizeof(key), 0))
		return conclude(ctx, &flow, DIRECTION_INGRESS, 0, -DROP_NO_TUNNEL_KEY);
	if (key.tunnel_id == IDENTITY_HOST) /* nodes say remote-node of themselves */
		return conclude(ctx, &flow, DIRECTION_INGRESS, 0, -DROP_INVALID_IDENTITY);
	/* The inner Ethernet header was never meant for this device; without this the stack of
	 * the pod would take the packet for someone else's.
	 */
	bpf_skb_change_type(ctx, 0 /* PACKET_HOST */);
	trace_from(ctx, FROM_OVERLAY, 0, key.tunnel_id);
	if (!ret)
		ret = overlay_packet(ctx, &flow);
	return conclude(ctx, &flow, DIRECTION_INGRESS, key.tunnel_id, ret);
}

/* Only packets that a program gave a destination node may enter the tunnel. */
SEC("tc")
int to_overlay(struct __sk_buff *ctx)
{
	struct drop_point place = {.direction = DIRECTION_EGRESS};
	struct bpf_tunnel_key key = {};

	if (bpf_skb_get_tunnel_key(ctx, &key, sizeof(key), 0) == 0)
		return TC_ACT_OK;
	return drop(ctx, &place, -DROP_NO_TUNNEL_ENDPOINT);
}

#endif
