/* From bytes to a flow. Every length and offset in the packet that is used later is checked here. */
#ifndef LAB_PARSE_H
#define LAB_PARSE_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "flow.h"
#include "fragments.h"
#include "packet.h"

/* Offsets into L4 headers, as a mask: it shows the verifier that they are bounded. No L4 header may
 * begin so far behind that its end is not among them.
 */
#define L4_OFFSETS 0x7ff
#define L4_FARTHEST (L4_OFFSETS - sizeof(struct tcphdr))

#define NOT_IP 1 /* parse(): ARP and everything else that is not the datapath's business */

#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff
#define IP6_MORE_FRAGMENTS 0x0001
#define IP6_FRAGMENT_OFFSET 0xfff8

#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACHABLE 3
#define ICMP4_ECHO 8
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER 12
#define ICMP6_LAST_ERROR 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

/* type, code, checksum, then identifier and sequence of an echo */
struct icmp_head {
	__u8 type;
	__u8 code;
	__be16 check;
	__be16 id;
	__be16 seq;
};

/* Of a link and never beyond: group management and multicast routers, which no router passes on for
 * want of hops (RFC 2710, 3810, 4286), and neighbours, who believe nothing that a router may have
 * passed on (RFC 4861, 3122, 3971). Who has other hops is no neighbour, or far away.
 */
static __always_inline int is_neighbourly(__u8 type, __u8 hops)
{
	if ((type >= 130 && type <= 132) || type == 143 || (type >= 151 && type <= 153))
		return hops == 1;
	return hops == 255 && ((type >= 133 && type <= 137) || (type >= 141 && type <= 142) ||
			       (type >= 148 && type <= 149));
}

static __always_inline int parse_icmp(struct flow *f, const struct icmp_head *icmp)
{
	__u8 echo = is_ipv4(f) ? ICMP4_ECHO : ICMP6_ECHO;
	__u8 reply = is_ipv4(f) ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;

	if (icmp->type == echo)
		f->sport = icmp->id;
	else if (icmp->type == reply)
		f->dport = icmp->id;
	else if (f->family == FAMILY_IPV6 && icmp->type <= ICMP6_LAST_ERROR)
		f->kind = FLOW_ICMP_ERROR;
	else if (f->family == FAMILY_IPV6)
		f->kind = is_neighbourly(icmp->type, f->hops) ? FLOW_NEIGHBOUR : FLOW_ICMP_OTHER;
	else if (icmp->type == ICMP4_UNREACHABLE || icmp->type == ICMP4_TIME_EXCEEDED ||
		 icmp->type == ICMP4_PARAMETER)
		f->kind = FLOW_ICMP_ERROR;
	else
		f->kind = FLOW_ICMP_OTHER;
	return 0;
}

/* `room`: bytes of L4 that the IP header promises and the packet has; `icmp_proto`: ICMP's number in
 * this family.
 */
static __always_inline int parse_l4(context *ctx, struct flow *f, __u32 off, __u32 room,
				    __u8 icmp_proto)
{
	if (f->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = header(ctx, off, sizeof(*tcp));

		if (room < sizeof(*tcp) || !tcp || tcp->doff < 5)
			return -DROP_CT_INVALID_HEADER;
		f->sport = tcp->source;
		f->dport = tcp->dest;
		f->tcp_flags = ((__u8 *)tcp)[13];
		return 0;
	}
	if (f->proto == IPPROTO_UDP) {
		struct udphdr *udp = header(ctx, off, sizeof(*udp));

		if (room < sizeof(*udp) || !udp)
			return -DROP_CT_INVALID_HEADER;
		f->sport = udp->source;
		f->dport = udp->dest;
		return 0;
	}
	if (f->proto == icmp_proto) {
		struct icmp_head *icmp = header(ctx, off, sizeof(*icmp));

		if (room < sizeof(*icmp) || !icmp)
			return -DROP_CT_INVALID_HEADER;
		return parse_icmp(f, icmp);
	}
	if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6) /* the other family's */
		return -DROP_CT_UNKNOWN_PROTO;
	return 0; /* other protocols have no ports; addresses are enough to route them */
}

static __always_inline int parse_ipv4(context *ctx, struct flow *f, __u32 l3)
{
	struct iphdr *ip = header(ctx, l3, sizeof(*ip));
	struct ipv4_frag_id id __attribute__((aligned(8))) = {};
	__u32 words, length, frag;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return -DROP_INVALID;
	words = (__u32)ip->ihl * 4;
	length = bpf_ntohs(ip->tot_len);
	frag = bpf_ntohs(ip->frag_off);
	if (length < words || l3 + length > packet_length(ctx))
		return -DROP_INVALID;
	f->family = FAMILY_IPV4;
	f->proto = ip->protocol;
	f->hops = ip->ttl;
	f->saddr.p[0] = ip->saddr;
	f->daddr.p[0] = ip->daddr;
	f->l4_off = l3 + words;
	if (!(frag & (IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET)))
		return parse_l4(ctx, f, l3 + words, length - words, IPPROTO_ICMP);

	id.daddr = ip->daddr;
	id.saddr = ip->saddr;
	id.id = ip->id;
	id.proto = ip->protocol;
	if (frag & IP_FRAGMENT_OFFSET)
		return later_fragment(f, &cilium_ipv4_frag_datagrams, &id);
	return first_fragment(f, parse_l4(ctx, f, l3 + words, length - words, IPPROTO_ICMP),
			      &cilium_ipv4_frag_datagrams, &id);
}

struct ipv6_option {
	__u8 next;
	__u8 words; /* 8 bytes each, without the first */
};

struct ipv6_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

/* So many are walked past (RFC 8883 names limits like this one). */
#define IPV6_MAX_EXTENSIONS 4

static __always_inline int is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

/* `ext`: the first 8 bytes of a header of that kind. */
static __always_inline __u32 extension_length(__u8 proto, const struct ipv6_fragment *ext)
{
	if (proto == IPPROTO_FRAGMENT)
		return sizeof(*ext);
	return 8 + (__u32)((const struct ipv6_option *)ext)->words * 8;
}

/* Past the headers that begin at `off`: where L4 does, or 0 when the packet ends before. `f` gets L4's
 * protocol, `id` and `frag` what a fragment header says.
 */
static __always_inline __u32 skip_extensions(context *ctx, struct flow *f, __u32 off,
					     struct ipv6_frag_id *id, __u32 *frag)
{
	struct ipv6_fragment ext;

	for (int i = 0; i < IPV6_MAX_EXTENSIONS && is_extension(f->proto); i++) {
		if (load_bytes(ctx, off, &ext, sizeof(ext)))
			return 0;
		if (f->proto == IPPROTO_FRAGMENT) {
			*frag = bpf_ntohs(ext.offset);
			id->id = ext.id;
		}
		off += extension_length(f->proto, &ext);
		f->proto = ext.next;
		if (*frag & IP6_FRAGMENT_OFFSET) /* nothing but data follows */
			break;
	}
	return off;
}

static __always_inline int parse_ipv6(context *ctx, struct flow *f, __u32 l3)
{
	struct ipv6hdr *ip = header(ctx, l3, sizeof(*ip));
	struct ipv6_frag_id id __attribute__((aligned(8))) = {};
	__u32 off = l3 + sizeof(*ip), end, frag = 0;

	if (!ip || ip->version != 6)
		return -DROP_INVALID;
	end = off + bpf_ntohs(ip->payload_len);
	if (end > packet_length(ctx))
		return -DROP_INVALID;
	if (end == off && packet_length(ctx) - off > 0xffff)
		end = packet_length(ctx); /* a jumbogram's length is in an option (RFC 2675) */
	f->family = FAMILY_IPV6;
	f->proto = ip->nexthdr;
	f->hops = ip->hop_limit;
	addr_put(&f->saddr, &ip->saddr);
	addr_put(&f->daddr, &ip->daddr);

	off = skip_extensions(ctx, f, off, &id, &frag);
	if (!off || off > end)
		return -DROP_INVALID;
	/* A chain that leads farther than an offset can, or goes on; but a later fragment holds data. */
	if (off > L4_FARTHEST || (is_extension(f->proto) && !(frag & IP6_FRAGMENT_OFFSET)))
		return -DROP_INVALID_EXTHDR;
	f->l4_off = off;
	if (!(frag & (IP6_MORE_FRAGMENTS | IP6_FRAGMENT_OFFSET)))
		return parse_l4(ctx, f, off & L4_OFFSETS, end - off, IPPROTO_ICMPV6);

	id.proto = f->proto;
	addr_put(&id.saddr, &f->saddr);
	addr_put(&id.daddr, &f->daddr);
	if (frag & IP6_FRAGMENT_OFFSET)
		return later_fragment(f, &cilium_ipv6_frag_datagrams, &id);
	return first_fragment(f, parse_l4(ctx, f, off & L4_OFFSETS, end - off, IPPROTO_ICMPV6),
			      &cilium_ipv6_frag_datagrams, &id);
}

/* 0, NOT_IP, or a negative drop reason. */
static __always_inline int parse(context *ctx, struct flow *f)
{
	__be16 type;

	if (!f)
		return -DROP_INVALID;
	__builtin_memset(f, 0, sizeof(*f));
	f->now = now_seconds();
	type = ether_type(ctx);
	if (type == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, f, ETH_HLEN);
	if (HAS_IPV6 && type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, f, ETH_HLEN);
	return NOT_IP;
}

#endif
