/* Direct server return: the request keeps its client's address, and the backend's node answers
 * the client itself, with the service's address. The ingress node tells it that address on the SYN
 * of a TCP connection and on every UDP datagram: in an IP option, or in an option of an IPv6
 * destination options header. Native routing only: a tunnel has no use for it.
 */
#ifndef LAB_DSR_H
#define LAB_DSR_H

#include "service.h"
#include "translations.h"

#define DSR_OPTION4 0x9a /* copied into fragments, number 26: Cilium's choice */
#define DSR_OPTION6 0x1b /* who does not know it skips it, and it stays as it is: Cilium's choice */
#define DSR_LENGTH4 sizeof(struct dsr_option4)
#define DSR_LENGTH6 sizeof(struct dsr_option6)
#define AFTER_IP4_HEADER (ETH_HLEN + sizeof(struct iphdr))
#define IP4_LONGEST_HEADER 60 /* 15 words, RFC 791 */
#define AFTER_IP6_HEADER (ETH_HLEN + sizeof(struct ipv6hdr))

struct dsr_option4 {
	__u8 type;
	__u8 length;
	__be16 port;
	__be32 address;
};

/* A whole destination options header (RFC 8200, 4.6). */
struct dsr_option6 {
	__u8 next;
	__u8 words; /* 8 bytes each, without the first */
	__u8 type;
	__u8 length; /* of what follows */
	union v6addr address;
	__be16 port;
	__u16 pad;
} __attribute__((packed));

/* What a packet grows by. */
static __always_inline __u32 dsr_length(const struct flow *f)
{
	return is_ipv4(f) ? DSR_LENGTH4 : DSR_LENGTH6;
}

/* Does this service's traffic go that way? The agent says so of each, by its own annotation or by the
 * lab's mode: hybrid is TCP's services. (Cilium: nodeport_uses_dsr of bpf/lib/nodeport.h)
 */
static __always_inline int uses_dsr(const struct lb4_service *svc)
{
	return !config.tunnel && svc->flags2 & SVC2_FORWARD_DSR;
}

/* An IP header's fixed part with the option; others come behind it. */
struct dsr_head4 {
	struct iphdr ip;
	struct dsr_option4 option;
};

struct dsr_head6 {
	struct ipv6hdr ip;
	struct dsr_option6 option;
} __attribute__((aligned(8)));

/* Put the option behind the header's fixed part, if the longest header there can be has room. */
static __always_inline int dsr_insert4(context *ctx, struct flow *f,
				       const struct nat_target *service)
{
	struct dsr_head4 head = {};
	__be32 first;
	__u32 diff;

	if (f->l4_off + DSR_LENGTH4 > ETH_HLEN + IP4_LONGEST_HEADER)
		return -DROP_CT_INVALID_HEADER;
	if (load_bytes(ctx, ETH_HLEN, &head, sizeof(head.ip)))
		return -DROP_WRITE_ERROR;
	first = *(__be32 *)&head;
	head.ip.ihl += DSR_LENGTH4 / 4;
	head.ip.tot_len = bpf_htons(bpf_ntohs(head.ip.tot_len) + DSR_LENGTH4);
	head.option.type = DSR_OPTION4;
	head.option.length = DSR_LENGTH4;
	head.option.port = service->port;
	head.option.address = service->address.p[0];
	/* Updated, not computed anew: that would hide damage that the packet came with. */
	diff = bpf_csum_diff(&first, 4, (__be32 *)&head, 4, 0);
	diff = bpf_csum_diff(NULL, 0, (__be32 *)&head.option, DSR_LENGTH4, diff);
	head.ip.check = csum_update(head.ip.check, diff);
	if (grow(ctx, DSR_LENGTH4) || store_bytes(ctx, ETH_HLEN, &head, sizeof(head)))
		return -DROP_WRITE_ERROR;
	return 0;
}

/* Put the header behind the IPv6 header, before all others but one for every hop, which would have
 * to come first. No checksum covers it.
 */
static __always_inline int dsr_insert6(context *ctx, const struct nat_target *service)
{
	struct dsr_head6 head = {};

	if (load_bytes(ctx, ETH_HLEN, &head, sizeof(head.ip)) || !head.ip.payload_len ||
	    head.ip.nexthdr == IPPROTO_HOPOPTS)
		return -DROP_WRITE_ERROR;
	head.option.next = head.ip.nexthdr;
	head.option.words = DSR_LENGTH6 / 8 - 1;
	head.option.type = DSR_OPTION6;
	head.option.length = DSR_LENGTH6 - offsetof(struct dsr_option6, address);
	addr_put(&head.option.address, &service->address);
	head.option.port = service->port;
	head.ip.nexthdr = IPPROTO_DSTOPTS;
	head.ip.payload_len = bpf_htons(bpf_ntohs(head.ip.payload_len) + DSR_LENGTH6);
	if (grow(ctx, DSR_LENGTH6) || store_bytes(ctx, ETH_HLEN, &head, sizeof(head)))
		return -DROP_WRITE_ERROR;
	return 0;
}

/* Tell the backend's node the service. Every fragment of a datagram is told: each is forwarded
 * on its own.
 */
VERIFIED_ONCE int dsr_insert(context *ctx, struct flow *f, const struct nat_target *service)
{
	int ret;

	if (!f || !service)
		return -DROP_WRITE_ERROR;
	if (!has_room(ctx, dsr_length(f), config.uplink_mtu))
		return -DROP_FRAG_NEEDED;
	ret = is_ipv4(f) ? dsr_insert4(ctx, f, service) : dsr_insert6(ctx, service);
	if (!ret)
		f->l4_off += dsr_length(f);
	return ret;
}

/* Tell it where that has to be: replies will not come this way. `service` becomes the address that is
 * told. 0 or a negative reason.
 */
static __always_inline int dsr_tell(context *ctx, struct flow *f, __u16 rev_nat_index,
				    struct nat_target *service)
{
	if (!tells_service(f))
		return 0;
	if (!frontend_get(service, rev_nat_index, f->family))
		return -DROP_NO_SERVICE;
	return dsr_insert(ctx, f, service);
}

static __always_inline int dsr_read4(context *ctx, const struct flow *f, struct nat_target *service)
{
	struct dsr_option4 option;

	if (f->l4_off < AFTER_IP4_HEADER + DSR_LENGTH4 ||
	    load_bytes(ctx, AFTER_IP4_HEADER, &option, sizeof(option)) ||
	    option.type != DSR_OPTION4 || option.length != DSR_LENGTH4)
		return 0;
	addr_set4(&service->address, option.address);
	service->port = option.port;
	return 1;
}

static __always_inline int dsr_read6(context *ctx, const struct flow *f, struct nat_target *service)
{
	struct dsr_head6 head;

	if (f->l4_off < AFTER_IP6_HEADER + DSR_LENGTH6 ||
	    load_bytes(ctx, ETH_HLEN, &head, sizeof(head)) ||
	    head.ip.nexthdr != IPPROTO_DSTOPTS || head.option.words != DSR_LENGTH6 / 8 - 1 ||
	    head.option.type != DSR_OPTION6 ||
	    head.option.length != DSR_LENGTH6 - offsetof(struct dsr_option6, address))
		return 0;
	addr_put(&service->address, &head.option.address);
	service->port = head.option.port;
	return 1;
}

/* The service's address that an ingress node told, if it told one: only a frontend that this node
 * knows as well, or anyone could make it answer with any address.
 */
static __always_inline int dsr_read(context *ctx, const struct flow *f,
				    struct nat_target *service)
{
	const struct lb4_service *svc;
	struct service_key key = {};
	struct flow asked = {};

	if (!(is_ipv4(f) ? dsr_read4(ctx, f, service) : dsr_read6(ctx, f, service)))
		return 0;
	asked.family = f->family;
	asked.proto = f->proto;
	addr_copy(&asked.daddr, &service->address);
	asked.dport = service->port;
	svc = service_lookup(&key, &asked, SCOPE_EXTERNAL);
	if (!svc && is_any_node(&asked.daddr, f->family))
		svc = node_port_lookup(&key, &asked, SCOPE_EXTERNAL);
	return svc && !is_wildcard(&key);
}

/* Remember the service for the replies of the flow that begins here. Every datagram tells it anew;
 * most tell nothing new.
 */
VERIFIED_ONCE int dsr_learn(context *ctx, const struct flow *f)
{
	struct nat_target service = {};
	struct nat_key key;

	if (!f || !dsr_read(ctx, f, &service))
		return 0;
	nat_reply_key(&key, f, &f->saddr, f->sport, TUPLE_OUT);
	return nat_leads_to(&key, f, &service.address, service.port) ||
	       !nat_insert(&key, f, &service.address, service.port, 0);
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
