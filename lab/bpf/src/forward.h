/* The ways a packet leaves a program: into the tunnel, by the routing table, into a pod. */
#ifndef LAB_FORWARD_H
#define LAB_FORWARD_H

#include "nexthop.h"
#include "service.h"

#define TUNNEL_TTL 64

/* Into VXLAN to `node`, with the sender's identity as the network identifier. Not inlined for its
 * stack's sake.
 */
VERIFIED_ONCE int encapsulate(context *ctx, __be32 node, __u32 identity)
{
	struct bpf_tunnel_key key = {
		.tunnel_id = identity,
		.remote_ipv4 = bpf_ntohl(node),
		.tunnel_ttl = TUNNEL_TTL,
	};

	/* The outer UDP checksum may be zero over IPv4 (RFC 7348): the inner one protects. */
	if (bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_ZERO_CSUM_TX))
		return -DROP_WRITE_ERROR;
	return bpf_redirect(config.overlay_ifindex, 0);
}

/* The next hop's MAC is not known: let the kernel find it out and send the packet then. An IPv4
 * packet's next hop may be an IPv6 neighbour (RFC 8950).
 */
static __always_inline int redirect_unresolved(const struct bpf_fib_lookup *fib)
{
	struct bpf_redir_neigh hop = {.nh_family = fib->family};

	if (fib->family == AF_INET)
		hop.ipv4_nh = fib->ipv4_dst;
	else
		addr_put(hop.ipv6_nh, fib->ipv6_dst);
	return bpf_redirect_neigh(fib->ifindex, &hop, sizeof(hop), 0);
}

/* On packets that programs send out of the node, Cilium's mark for translated ones
 * (MARK_MAGIC_SNAT_DONE): not the node's own, though they may have its address.
 */
#define MARK_ROUTED 0x0300

/* Out of the node as the routing table says, without a visit to the stack. */
VERIFIED_ONCE int route(context *ctx, const struct flow *f)
{
	struct bpf_fib_lookup fib = {};
	long ret;

	if (!f)
		return -DROP_NO_FIB;
	ctx->mark = MARK_ROUTED;
	ret = next_hop(ctx, &fib, f);
	if (ret != BPF_FIB_LKUP_RET_SUCCESS && ret != BPF_FIB_LKUP_RET_NO_NEIGH)
		return -DROP_NO_FIB;
	if (decrement_ttl(ctx, f))
		return -DROP_TTL_EXCEEDED;
	if (ret == BPF_FIB_LKUP_RET_NO_NEIGH)
		return redirect_unresolved(&fib);
	if (set_macs(ctx, fib.smac, fib.dmac))
		return -DROP_WRITE_ERROR;
	return bpf_redirect(fib.ifindex, 0);
}

/* What the caller of deliver() knows of a flow that connection tracking may not. */
struct delivery {
	__u16 rev_nat_index;
	__u16 ct_flags;
	__u8 request; /* surely not a reply: spares a lookup */
	__u8 tracked; /* noted already, as the reply of a pod to itself */
	__u8 hook;    /* enum hook: decides how a pod is reached */
	__u8 reply;   /* surely a reply: begins no connection where the one that it is of was forgotten */
	__u32 monitor;	/* of a flow that is tracked already */
	__u32 identity; /* of the pod that sends it; 0: to be looked up by its address */
};

enum hook { AT_INGRESS, AT_EGRESS, AT_POD };

/* Is the flow entered as it comes? One that no service was told for any more had one before. */
static __always_inline int delivery_known(const struct tracked *t, const struct flow *f,
					  const struct delivery *d)
{
	if (d->ct_flags)
		return ct_serves(t, d->rev_nat_index, d->ct_flags);
	return t->status != REASON_NEW && !(t->flags & CT_DSR && tells_service(f));
}

static __always_inline int track_delivery(struct tracked *t, context *ctx,
					  const struct flow *f, const struct delivery *d)
{
	struct ct_init init = {.rev_nat_index = d->rev_nat_index, .flags = d->ct_flags};

	if (f->kind == FLOW_ICMP_ERROR) {
		ct_related(t);
		return 0;
	}
	if (d->tracked) {
		t->status = REASON_REPLY;
		t->monitor = d->monitor;
		return 0;
	}
	if (!d->request && ct_lookup(t, f, packet_length(ctx), TUPLE_OUT, 1))
		return 0;
	if (d->reply) {
		t->status = REASON_REPLY;
		return 0;
	}
	ct_lookup(t, f, packet_length(ctx), TUPLE_IN, 0);
	if (delivery_known(t, f, d))
		return 0;
	if (!t->identity)
		t->identity = identity_of(&f->saddr, f->family);
	init.identity = t->identity;
	init.ifindex = interface(ctx);
	init.stale = t->stale;
	return ct_create(f, &init, packet_length(ctx), TUPLE_IN);
}

static __always_inline void trace_delivery(context *ctx, const struct flow *f,
					   const struct endpoint_info *ep, const struct tracked *t,
					   const union v6addr *sender)
{
	struct trace_point point = {
		.obs = TO_ENDPOINT,
		.reason = t->status,
		.source = ep->lxc_id,
		.dst_id = ep->lxc_id,
		.dst_label = ep->sec_id,
		.ifindex = ep->ifindex,
		.family = f->family,
	};

	count(packet_length(ctx), 0, DIRECTION_INGRESS);
	if (!traced(TO_ENDPOINT, t->monitor))
		return;
	point.src_label = t->identity ? t->identity : identity_of(sender, f->family);
	emit_trace(ctx, &point, sender);
}

/* Into a pod of this node: track, translate replies of services, report, hand over.
 *
 * From ingress the packet changes namespace in one step (bpf_redirect_peer); on egress of
 * cilium_host that is not possible, so it goes through the veth, where to_container delivers it.
 */
VERIFIED_ONCE int deliver(context *ctx, struct flow *f, const struct endpoint_info *ep,
			  const struct delivery *d)
{
	struct tracked t = {};
	union v6addr sender;
	int ret;

	if (!f || !ep || !d)
		return -DROP_INVALID;
	t.identity = d->identity;
	addr_copy(&sender, &f->saddr);
	if (d->hook != AT_POD) {
		ret = decrement_ttl(ctx, f);
		if (ret)
			return ret;
		if (set_macs(ctx, ep->node_mac, ep->mac))
			return -DROP_WRITE_ERROR;
	}
	if (d->hook == AT_EGRESS)
		return bpf_redirect(ep->ifindex, 0);
	ret = track_delivery(&t, ctx, f, d);
	if (ret)
		return ret;
	if (t.status == REASON_REPLY && t.rev_nat_index) {
		ret = reverse_nat(ctx, f, t.rev_nat_index);
		if (ret)
			return ret;
	}
	trace_delivery(ctx, f, ep, &t, &sender);
	return d->hook == AT_POD ? TC_ACT_OK : bpf_redirect_peer(ep->ifindex, 0);
}

#endif
