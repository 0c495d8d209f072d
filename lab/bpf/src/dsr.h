/* Direct server return: the request keeps its client's address, and the backend's node answers
 * the client itself, with the service's address. The ingress node tells it that address in an IP
 * option, on the SYN of a TCP connection and on every UDP datagram. IPv4 and native routing only:
 * a tunnel has no use for it, and IPv6 requests take the way with SNAT.
 */
#ifndef LAB_DSR_H
#define LAB_DSR_H

#include "nat.h"

#define DSR_OPTION 0x9a /* copied into fragments, number 26: Cilium's choice */
#define DSR_LENGTH 8
#define AFTER_IP_HEADER (ETH_HLEN + sizeof(struct iphdr))

struct dsr_option {
	__u8 type;
	__u8 length;
	__be16 port;
	__be32 address;
};

static __always_inline int is_syn(const struct flow *f)
{
	return f->tcp_flags & TCP_SYN && !(f->tcp_flags & TCP_ACK);
}

/* Does this service's traffic go that way? */
static __always_inline int uses_dsr(const struct lb4_service *svc, const struct flow *f)
{
	if (config.tunnel || f->family != FAMILY_IPV4)
		return 0;
	if (svc->flags2 & SVC2_FORWARD_DSR || config.forwarding == FORWARD_DSR)
		return 1;
	return config.forwarding == FORWARD_HYBRID && f->proto == IPPROTO_TCP;
}

/* An IP header with the option and no other. */
struct dsr_head {
	struct iphdr ip;
	struct dsr_option option;
};

/* Put the option behind the IP header, which must have none yet. */
VERIFIED_ONCE int dsr_insert(context *ctx, struct flow *f, __be32 address, __be16 port)
{
	struct dsr_head head = {};
	__be32 first;
	__u32 diff;

	if (!f || f->kind != FLOW_PLAIN || f->l4_off != AFTER_IP_HEADER)
		return -DROP_WRITE_ERROR;
	if (!has_room(ctx, DSR_LENGTH, config.uplink_mtu))
		return -DROP_FRAG_NEEDED;
	if (load_bytes(ctx, ETH_HLEN, &head, sizeof(head.ip)))
		return -DROP_WRITE_ERROR;
	first = *(__be32 *)&head;
	head.ip.ihl = sizeof(head) / 4;
	head.ip.tot_len = bpf_htons(bpf_ntohs(head.ip.tot_len) + DSR_LENGTH);
	head.option.type = DSR_OPTION;
	head.option.length = DSR_LENGTH;
	head.option.port = port;
	head.option.address = address;
	/* Updated, not computed anew: that would hide damage that the packet came with. */
	diff = bpf_csum_diff(&first, 4, (__be32 *)&head, 4, 0);
	diff = bpf_csum_diff(NULL, 0, (__be32 *)&head.option, DSR_LENGTH, diff);
	head.ip.check = csum_update(head.ip.check, diff);
	if (grow(ctx, DSR_LENGTH) || store_bytes(ctx, ETH_HLEN, &head, sizeof(head)))
		return -DROP_WRITE_ERROR;
	f->l4_off += DSR_LENGTH;
	return 0;
}

/* The service's address that an ingress node told, if it told one: only a frontend that this node
 * knows as well, or anyone could make it answer with any address.
 */
static __always_inline int dsr_read(context *ctx, const struct flow *f,
				    struct nat_target *service)
{
	struct service_key key = {};
	struct dsr_option option;
	struct flow asked = {};

	if (f->family != FAMILY_IPV4 || f->l4_off < AFTER_IP_HEADER + DSR_LENGTH ||
	    load_bytes(ctx, AFTER_IP_HEADER, &option, sizeof(option)) ||
	    option.type != DSR_OPTION || option.length != DSR_LENGTH)
		return 0;
	asked.family = FAMILY_IPV4;
	asked.proto = f->proto;
	asked.daddr.p[0] = option.address;
	asked.dport = option.port;
	if (!service_lookup(&key, &asked, SCOPE_EXTERNAL) || is_wildcard(&key))
		return 0;
	addr_set4(&service->address, option.address);
	service->port = option.port;
	return 1;
}

/* Every datagram tells the service anew; most tell nothing new. */
static __always_inline int dsr_known(const struct flow *reply, const struct nat_target *service)
{
	struct nat_target known = {};

	return nat_find(&known, reply, TUPLE_OUT) && known.port == service->port &&
	       addr_equal(&known.address, &service->address);
}

/* Remember the service for the replies of the flow that begins here. */
VERIFIED_ONCE int dsr_learn(context *ctx, const struct flow *f)
{
	struct nat_target service = {};
	struct flow reply = {};

	if (!f || !dsr_read(ctx, f, &service))
		return 0;
	reply.family = f->family;
	reply.proto = f->proto;
	addr_copy(&reply.saddr, &f->daddr);
	addr_copy(&reply.daddr, &f->saddr);
	reply.sport = f->dport;
	reply.dport = f->sport;
	return dsr_known(&reply, &service) ||
	       !nat_insert(&reply, TUPLE_OUT, &service.address, service.port, 0);
}

/* Give a reply the service's address. */
VERIFIED_ONCE int dsr_reply(context *ctx, struct flow *f)
{
	struct nat_target service = {};

	if (!f || !nat_find(&service, f, TUPLE_OUT))
		return -DROP_NAT_NO_MAPPING;
	return rewrite(ctx, f, SOURCE, &service.address, service.port);
}

#endif
