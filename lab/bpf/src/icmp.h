/* ICMP errors of our own: the packet at hand is turned into the answer to its sender. */
#ifndef LAB_ICMP_H
#define LAB_ICMP_H

#include "addresses.h"
#include "dsr.h"
#include "forward.h"

#define ICMP4_CODE_PORT 3
#define ICMP4_CODE_FRAG_NEEDED 4
#define ICMP6_UNREACHABLE 1
#define ICMP6_CODE_PORT 4
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ANSWER_TTL 64

/* IP header, ICMP header and quote: RFC 792 wants the header and 8 bytes, RFC 4443 as much as
 * fits; what the receiver needs to find its socket is in both.
 */
struct answer4 {
	struct iphdr ip;
	struct icmp_head icmp;
	__u8 quote[28];
};

struct answer6 {
	struct ipv6hdr ip;
	struct icmp_head icmp;
	__u8 quote[56]; /* with a fragment header, or 8 bytes less */
};

static __always_inline int swap_macs(context *ctx)
{
	struct ethhdr *eth = header(ctx, 0, sizeof(*eth));
	__u8 mac[ETH_ALEN];

	if (!eth)
		return -1;
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	return 0;
}

static __always_inline int answer_ipv4(context *ctx, const struct flow *f,
				       const union v6addr *from, __u8 type, __u8 code)
{
	struct answer4 a = {};

	if (type == ICMP4_UNREACHABLE && code == ICMP4_CODE_FRAG_NEEDED)
		a.icmp.seq = bpf_htons(config.uplink_mtu - DSR_LENGTH4); /* next-hop MTU, RFC 1191 */

	/* A header with options would need a longer quote: no answer to those. */
	if (f->l4_off != ETH_HLEN + sizeof(struct iphdr) ||
	    load_bytes(ctx, ETH_HLEN, a.quote, sizeof(a.quote)) ||
	    bpf_skb_change_tail(ctx, ETH_HLEN + sizeof(a), 0))
		return -DROP_WRITE_ERROR;
	a.ip.version = 4;
	a.ip.ihl = 5;
	a.ip.tot_len = bpf_htons(sizeof(a));
	a.ip.ttl = ANSWER_TTL;
	a.ip.protocol = IPPROTO_ICMP;
	a.ip.saddr = from->p[0];
	a.ip.daddr = f->saddr.p[0];
	a.ip.check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&a.ip, sizeof(a.ip), 0));
	a.icmp.type = type;
	a.icmp.code = code;
	a.icmp.check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&a.icmp,
					       sizeof(a.icmp) + sizeof(a.quote), 0));
	return store_bytes(ctx, ETH_HLEN, &a, sizeof(a)) ? -DROP_WRITE_ERROR : 0;
}

static __always_inline int answer_ipv6(context *ctx, const struct flow *f,
				       const union v6addr *from, __u8 type, __u8 code)
{
	__u32 quoted = f->l4_off - ETH_HLEN + 8, length = sizeof(struct icmp_head) + quoted;
	__be32 pseudo[2] = {bpf_htonl(length), bpf_htonl(IPPROTO_ICMPV6)};
	struct answer6 a = {};
	__u32 sum;

	if (type == ICMP6_TOO_BIG) /* the low half of the MTU's 32 bits, RFC 4443, 3.2 */
		a.icmp.seq = bpf_htons(config.uplink_mtu - DSR_LENGTH6);
	/* Other headers in front of the ports would need a longer quote: no answer to those. */
	if (quoted < 48 || quoted > sizeof(a.quote) ||
	    load_bytes(ctx, ETH_HLEN, a.quote, quoted) ||
	    bpf_skb_change_tail(ctx, ETH_HLEN + sizeof(a.ip) + length, 0))
		return -DROP_WRITE_ERROR;
	a.ip.version = 6;
	a.ip.payload_len = bpf_htons(length);
	a.ip.nexthdr = IPPROTO_ICMPV6;
	a.ip.hop_limit = ANSWER_TTL;
	addr_put(&a.ip.saddr, from);
	addr_put(&a.ip.daddr, &f->saddr);
	a.icmp.type = type;
	a.icmp.code = code;
	/* Unlike ICMP over IPv4, the sum covers a pseudo header (RFC 4443, 2.3). */
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&a.ip.saddr, 32, 0);
	sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&a.icmp, sizeof(a.icmp) + sizeof(a.quote), sum);
	a.icmp.check = csum_fold(sum);
	return store_bytes(ctx, ETH_HLEN, &a, sizeof(a.ip) + length) ? -DROP_WRITE_ERROR : 0;
}

static __always_inline int is_single_host(const union v6addr *address, __u8 family)
{
	__u8 first = address->addr[0];

	if (!HAS_IPV6 || family == FAMILY_IPV4)
		return first && first != 127 && first < 224;
	if (!address->d[0] && !address->p[2] && bpf_ntohl(address->p[3]) <= 1)
		return 0; /* :: and ::1 */
	return first != 0xff;
}

/* May the packet be answered with an error at all? (RFC 1122, 3.2.2; RFC 4443, 2.4) */
static __always_inline int may_answer(const struct flow *f)
{
	return f->kind == FLOW_PLAIN && is_single_host(&f->saddr, f->family);
}

static __always_inline int answer4(context *ctx, const struct flow *f,
				   const union v6addr *from, int reason)
{
	if (reason == -DROP_NO_SERVICE)
		return answer_ipv4(ctx, f, from, ICMP4_UNREACHABLE, ICMP4_CODE_PORT);
	if (reason == -DROP_FRAG_NEEDED)
		return answer_ipv4(ctx, f, from, ICMP4_UNREACHABLE, ICMP4_CODE_FRAG_NEEDED);
	return answer_ipv4(ctx, f, from, ICMP4_TIME_EXCEEDED, 0);
}

static __always_inline int answer6(context *ctx, const struct flow *f,
				   const union v6addr *from, int reason)
{
	if (reason == -DROP_NO_SERVICE)
		return answer_ipv6(ctx, f, from, ICMP6_UNREACHABLE, ICMP6_CODE_PORT);
	if (reason == -DROP_FRAG_NEEDED)
		return answer_ipv6(ctx, f, from, ICMP6_TOO_BIG, 0);
	return answer_ipv6(ctx, f, from, ICMP6_TIME_EXCEEDED, 0);
}

/* Where the packet came from: through the tunnel, up to the node's own stack, or out again. */
static __always_inline int send_back(context *ctx, const struct flow *f)
{
	const struct remote_endpoint_info *info;

	if (config.tunnel && interface(ctx) == config.overlay_ifindex) {
		info = ipcache_of(&f->saddr, f->family);
		if (!info || !info->tunnel_endpoint)
			return TC_ACT_SHOT;
		return encapsulate(ctx, info->tunnel_endpoint, IDENTITY_REMOTE_NODE);
	}
	/* What the node itself sends has come in by no interface. */
	return bpf_redirect(interface(ctx), ctx->ingress_ifindex ? 0 : BPF_F_INGRESS);
}

/* Send the packet's sender an ICMP error, back the way it came. A verdict, or negative. */
VERIFIED_ONCE int icmp_answer(context *ctx, const struct flow *f, int reason)
{
	union v6addr from;
	int ret;

	if (!f || !may_answer(f))
		return TC_ACT_SHOT;
	if (reason == -DROP_NO_SERVICE) /* the service's address says that nobody is behind it */
		addr_copy(&from, &f->daddr);
	else
		node_address(&from, f->family);
	ret = is_ipv4(f) ? answer4(ctx, f, &from, reason) : answer6(ctx, f, &from, reason);
	if (ret || swap_macs(ctx))
		return TC_ACT_SHOT;
	return send_back(ctx, f);
}

#endif
