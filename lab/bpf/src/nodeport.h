/* North-south load balancing: a request for a service from outside of the cluster becomes one for
 * a backend, and the reply becomes the service's.
 */
#ifndef LAB_NODEPORT_H
#define LAB_NODEPORT_H

#include "dsr.h"
#include "forward.h"
#include "nat.h"
#include "related.h"
#include "remote.h"
#include "select.h"
#include "verdict.h"

/* To a backend that is not on this node: through the tunnel with the router address as its
 * source, or as the routing table says with the node's.
 */
static __always_inline int forward_remote(context *ctx, struct flow *f, __u16 rev_nat_index)
{
	const struct remote_endpoint_info *info;
	struct tracked t = {};
	union v6addr node;
	int ret;

	ret = track_remote(ctx, f, &t, rev_nat_index);
	if (ret)
		return ret;
	info = ipcache_of(&f->daddr, f->family);
	if (info && info->tunnel_endpoint) {
		__be32 endpoint = info->tunnel_endpoint;

		ret = translate_for_tunnel(ctx, f, &t, info->sec_label);
		return leaving(ret ? ret : encapsulate(ctx, endpoint, config.overlay_identity));
	}
	node_address(&node, f->family);
	ret = snat(ctx, f, &node);
	return leaving(ret ? ret : route(ctx, f));
}

/* To a backend on another node that answers the client itself. Nothing is tracked here but the
 * choice of the backend: replies do not come this way.
 */
static __always_inline int forward_dsr(context *ctx, struct flow *f, __u16 rev_nat_index)
{
	struct nat_target service = {};
	int ret = dsr_tell(ctx, f, rev_nat_index, &service);

	if (ret == -DROP_FRAG_NEEDED) /* the answer has to quote what the client sent */
		rewrite(ctx, f, DESTINATION, &service.address, service.port);
	return ret ? ret : route(ctx, f);
}

/* To a backend in the node's own namespace: the reply is translated in to_netdev. */
static __always_inline int forward_host(context *ctx, struct flow *f, __u16 rev_nat_index)
{
	struct tracked t = {};

	return track_remote(ctx, f, &t, rev_nat_index);
}

/* What was found stands for unlisted ports, or has no backend in a profile where that makes it none:
 * a reason, or CONTINUE; 0 when it is a service. No question then who may use it.
 */
static __always_inline int no_service(const struct lb4_service *svc, const struct service_key *key)
{
	if (svc->count)
		return 0;
	if (is_wildcard(key))
		return -DROP_NO_SERVICE;
	return config.no_backend == NO_BACKEND_STACK ? CONTINUE : 0;
}

/* No backend was found for a packet: is its sender told? */
static __always_inline int no_backend(int reason)
{
	return reason == -DROP_NO_SERVICE && config.no_backend == NO_BACKEND_REJECT
		? -(REJECT | DROP_NO_SERVICE) : reason;
}

/* A packet from outside: a verdict, or CONTINUE when it is not for a service. */
static __always_inline int nodeport_request(context *ctx, struct flow *f)
{
	struct service_key key = {};
	const struct lb4_service *svc = service_lookup(&key, f, SCOPE_EXTERNAL);
	const struct endpoint_info *ep;
	struct delivery d = {.ct_flags = CT_NODE_PORT, .request = 1, .hook = AT_INGRESS};
	struct backend backend = {};
	int ret, direct;

	if (!svc)
		return CONTINUE;
	ret = no_service(svc, &key);
	if (ret)
		return ret;
	ret = service_admits(svc, f);
	if (ret)
		return ret;
	direct = uses_dsr(svc);
	d.rev_nat_index = svc->rev_nat_index;
	ret = select_backend(&backend, &key, svc, f, SCOPE_EXTERNAL);
	if (ret)
		return no_backend(ret);
	if (!may_travel(f, &backend.address))
		return -DROP_TTL_EXCEEDED;
	ret = rewrite(ctx, f, DESTINATION, &backend.address, backend.port);
	if (ret)
		return ret;
	ep = endpoint_of(&f->daddr, f->family);
	if (!ep && direct)
		return leaving(forward_dsr(ctx, f, d.rev_nat_index));
	if (!ep)
		return forward_remote(ctx, f, d.rev_nat_index);
	if (ep->flags & ENDPOINT_HOST)
		return forward_host(ctx, f, d.rev_nat_index);
	return deliver(ctx, f, ep, &d);
}

/* Is the packet a reply to a request that this node forwarded? Then the service's address becomes
 * its source and the routing table takes it to the client.
 */
static __always_inline int nodeport_reply(context *ctx, struct flow *f, __u8 ct_flags)
{
	struct ct_entry *entry = ct_find(f, ct_flags, 1);
	int ret;

	/* Others' replies are noted where they are delivered, not here too. */
	if (!entry || !(entry->flags & CT_NODE_PORT))
		return CONTINUE;
	ct_touch(entry, f, packet_length(ctx), ct_flags == TUPLE_OUT);
	ret = reverse_nat(ctx, f, entry->rev_nat_index);
	return leaving(ret ? ret : route(ctx, f));
}

/* An ICMP error from outside or from the tunnel: on to the end of the flow that it is about, or
 * CONTINUE when that is not one of ours.
 */
static __always_inline int relay_error(context *ctx, struct flow *f)
{
	const struct remote_endpoint_info *info;
	struct delivery d = {.hook = AT_INGRESS};
	const struct endpoint_info *ep;
	int ret = translate_error(ctx, f, 1);

	if (ret <= 0)
		return ret ? ret : CONTINUE;
	ep = endpoint_of(&f->daddr, f->family);
	if (ep)
		return ep->flags & ENDPOINT_HOST ? TC_ACT_OK : deliver(ctx, f, ep, &d);
	info = ipcache_of(&f->daddr, f->family);
	if (!info || !info->tunnel_endpoint)
		return route(ctx, f);
	if (f->hops <= 1)
		return -DROP_TTL_EXCEEDED;
	count(packet_length(ctx), 0, DIRECTION_EGRESS);
	return encapsulate(ctx, info->tunnel_endpoint, config.overlay_identity);
}

/* A packet to one of the node's SNAT addresses: give it back to the flow it belongs to. */
static __always_inline int nodeport_return(context *ctx, struct flow *f)
{
	int ret;

	if (!is_router(&f->daddr, f->family) && !is_node(&f->daddr, f->family))
		return CONTINUE;
	ret = reverse_snat(ctx, f);
	if (ret < 0)
		return ret;
	if (!ret)
		return CONTINUE;
	ret = nodeport_reply(ctx, f, TUPLE_OUT);
	if (ret != CONTINUE || is_local_pod(&f->daddr, f->family) ||
	    is_node(&f->daddr, f->family))
		return ret;
	return -DROP_UNROUTABLE; /* the flow is forgotten: nobody knows the service's address */
}

#endif
