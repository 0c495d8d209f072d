/* The node's uplink before there is a socket buffer: xdp_entry (XDP, native).
 *
 * Flows between clients outside and backends on other nodes turn around here: neither a capture
 * nor the stack of this node sees them. Everything else goes up to tc as it came: nothing is
 * changed in a packet before it is certain that it can be sent. What is remembered of a flow is
 * the same in both places, so its packets may take either way.
 */
#ifndef LAB_HOOK_XDP_H
#define LAB_HOOK_XDP_H

#include "context_xdp.h"
#include "dsr.h"
#include "nat.h"
#include "nexthop.h"
#include "remote.h"
#include "select.h"
#include "vxlan.h"

/* Ethernet addresses for the next hop. */
struct hop {
	__u8 source[ETH_ALEN];
	__u8 dest[ETH_ALEN];
};

/* A request's backend on another node and what leads to it. */
struct far_end {
	struct backend backend;
	struct hop hop;
	__be32 node; /* the tunnel's end; 0: native routing */
	__u32 label;
	__u16 rev_nat_index;
	__u8 direct; /* the backend answers the client itself */
	__u8 pad;
};

/* Whatever fails here was on its way out again. */
static __always_inline int xdp_drop(context *ctx, int ret)
{
	struct drop_point place = {.direction = DIRECTION_EGRESS, .src_label = IDENTITY_WORLD};

	drop(ctx, &place, -(-ret & 0xff));
	return XDP_DROP;
}

/* Would the packet leave by the link it came by, to a neighbour whose address is known? */
VERIFIED_ONCE int turns_around(context *ctx, struct hop *hop, const struct flow *f)
{
	struct bpf_fib_lookup fib = {};
	__u32 here = interface(ctx);

	if (!hop || !f || next_hop(ctx, &fib, f) != BPF_FIB_LKUP_RET_SUCCESS ||
	    fib.ifindex != here)
		return 0;
	__builtin_memcpy(hop->source, fib.smac, ETH_ALEN);
	__builtin_memcpy(hop->dest, fib.dmac, ETH_ALEN);
	return 1;
}

/* Back out of the link. Not XDP_TX, which drivers have for this: a veth sends what that leaves in its
 * queue only when the other end runs XDP too (veth_xdp_flush of drivers/net/veth.c).
 */
static __always_inline int transmit(context *ctx, const struct hop *hop)
{
	if (set_macs(ctx, hop->source, hop->dest))
		return xdp_drop(ctx, -DROP_WRITE_ERROR);
	return bpf_redirect(interface(ctx), 0);
}

/* Choose the backend, as tc would: tc finds the choice when the packet goes on there. */
static __always_inline int far_backend(struct far_end *end, const struct flow *f)
{
	struct service_key key = {};
	const struct lb4_service *svc = service_lookup(&key, f, SCOPE_EXTERNAL);

	if (!svc || !svc->count || service_admits(svc, f))
		return 0;
	end->rev_nat_index = svc->rev_nat_index;
	end->direct = uses_dsr(svc);
	if (select_backend(&end->backend, &key, svc, f, SCOPE_EXTERNAL))
		return 0;
	return !endpoint_of(&end->backend.address, f->family);
}

/* The way there: to the node with the tunnel's other end, or to the backend's own address. */
VERIFIED_ONCE int far_way(context *ctx, struct far_end *end, const struct flow *f)
{
	struct flow outer = {.family = FAMILY_IPV4, .proto = IPPROTO_UDP};
	const struct remote_endpoint_info *info;

	if (!end || !f || f->hops <= 1) /* tc answers that */
		return 0;
	info = ipcache_of(&end->backend.address, f->family);
	if (info && info->tunnel_endpoint) {
		end->node = info->tunnel_endpoint;
		end->label = info->sec_label;
		outer.saddr.p[0] = config.node_ip;
		outer.daddr.p[0] = end->node;
		outer.dport = bpf_htons(OVERLAY_PORT);
		return has_room(ctx, sizeof(struct vxlan_headers), config.uplink_mtu) &&
		       turns_around(ctx, &end->hop, &outer);
	}
	outer = *f;
	addr_copy(&outer.daddr, &end->backend.address);
	return (!end->direct || has_room(ctx, dsr_length(f), config.uplink_mtu)) &&
	       turns_around(ctx, &end->hop, &outer);
}

/* The service's address travels along (see dsr.h). */
static __always_inline int send_direct(context *ctx, struct flow *f, const struct far_end *end)
{
	struct nat_target service = {};

	return dsr_tell(ctx, f, end->rev_nat_index, &service);
}

/* Replies come back to an address of this node. */
static __always_inline int send_translated(context *ctx, struct flow *f, const struct far_end *end)
{
	struct tracked t = {};
	union v6addr node;
	int ret = track_remote(ctx, f, &t, end->rev_nat_index);

	if (ret)
		return ret;
	if (end->node) {
		ret = translate_for_tunnel(ctx, f, &t, end->label);
		return ret ? ret : vxlan_push(ctx, f, end->node, config.overlay_identity);
	}
	node_address(&node, f->family);
	return snat(ctx, f, &node);
}

static __always_inline int xdp_request(context *ctx, struct flow *f)
{
	struct far_end end = {};
	int ret;

	if (!far_backend(&end, f) || !far_way(ctx, &end, f))
		return XDP_PASS;
	trace_from(ctx, FROM_NETWORK, 0, IDENTITY_WORLD);
	ret = rewrite(ctx, f, DESTINATION, &end.backend.address, end.backend.port);
	if (!ret)
		ret = end.direct ? send_direct(ctx, f, &end) : send_translated(ctx, f, &end);
	if (!ret && !end.node)
		ret = decrement_ttl(ctx, f);
	if (ret)
		return xdp_drop(ctx, ret);
	return transmit(ctx, &end.hop);
}

/* A reply's way back to the client: the addresses it gets. */
struct way_back {
	struct nat_target client;
	struct nat_target service;
	struct hop hop;
};

/* Does `f` answer a request that this node forwarded, and can the client be reached? Noted then. */
VERIFIED_ONCE int find_way_back(context *ctx, struct way_back *way, const struct flow *f,
				__u32 bytes)
{
	struct ct_entry *entry;
	struct flow after;

	if (!way || !f || !nat_find(&way->client, f, TUPLE_IN))
		return 0;
	after = *f;
	addr_copy(&after.daddr, &way->client.address);
	after.dport = way->client.port;
	entry = ct_find(&after, TUPLE_OUT, 1);
	if (!entry || !(entry->flags & CT_NODE_PORT) ||
	    !frontend_get(&way->service, entry->rev_nat_index, f->family))
		return 0;
	addr_copy(&after.saddr, &way->service.address);
	if (!turns_around(ctx, &way->hop, &after))
		return 0;
	ct_touch(entry, f, bytes, 1);
	return 1;
}

/* Reported as where the tunnel's device hands it over. */
static __always_inline int leave_tunnel(context *ctx, struct flow *f)
{
	const struct vxlan_headers *outer = header(ctx, 0, sizeof(*outer));
	struct trace_point point = {
		.obs = FROM_OVERLAY,
		.reason = REASON_UNKNOWN,
		.ifindex = config.overlay_ifindex,
		.family = f->family,
	};

	if (!outer)
		return -DROP_INVALID;
	point.src_label = bpf_ntohl(outer->vni) >> 8;
	if (vxlan_pop(ctx, f))
		return -DROP_WRITE_ERROR;
	trace(ctx, &point, 0);
	return 0;
}

/* `l3`: where the reply's IP header is, inside of a tunnel packet or not. */
static __always_inline int xdp_reply(context *ctx, struct flow *f, __u32 l3)
{
	__u32 tunnel = l3 - ETH_HLEN;
	struct way_back way = {};
	int ret = 0;

	if (f->hops <= 1 || !find_way_back(ctx, &way, f, packet_length(ctx) - tunnel))
		return XDP_PASS;
	trace_from(ctx, FROM_NETWORK, 0, IDENTITY_WORLD);
	if (tunnel)
		ret = leave_tunnel(ctx, f);
	if (!ret)
		ret = rewrite(ctx, f, DESTINATION, &way.client.address, way.client.port);
	if (!ret)
		ret = rewrite(ctx, f, SOURCE, &way.service.address, way.service.port);
	if (!ret)
		ret = decrement_ttl(ctx, f);
	return ret ? xdp_drop(ctx, ret) : transmit(ctx, &way.hop);
}

/* Out of the tunnel, for an address that requests were given here. */
static __always_inline int xdp_overlay(context *ctx)
{
	struct flow inner;

	if (parse_inner(ctx, &inner) || inner.kind != FLOW_PLAIN ||
	    !is_router(&inner.daddr, inner.family))
		return XDP_PASS;
	if (ecn_at(ctx, ETH_HLEN) != ecn_at(ctx, INNER_IP))
		return XDP_PASS; /* what the way met is carried over by the kernel's tunnel device */
	return xdp_reply(ctx, &inner, INNER_IP);
}

/* For this machine? A switch floods what it does not know, and a veth lets everything in. */
static __always_inline int is_for_us(context *ctx)
{
	const struct ethhdr *eth = header(ctx, 0, sizeof(*eth));

	for (int i = 0; eth && i < ETH_ALEN; i++) {
		if (eth->h_dest[i] != config.uplink_mac[i])
			return 0;
	}
	return !!eth;
}

SEC("xdp")
int xdp_entry(struct xdp_md *ctx)
{
	struct flow flow;
	int ret;

	if (!is_for_us(ctx) || parse(ctx, &flow) || flow.kind != FLOW_PLAIN)
		return XDP_PASS;
	if (is_vxlan(&flow))
		return xdp_overlay(ctx);
	ret = xdp_request(ctx, &flow);
	if (ret == XDP_PASS && !config.tunnel && is_node(&flow.daddr, flow.family))
		ret = xdp_reply(ctx, &flow, ETH_HLEN);
	return ret;
}

#endif
