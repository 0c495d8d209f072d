/* A packet's addresses, ports and offsets, the same for both address families. */
#ifndef LAB_FLOW_H
#define LAB_FLOW_H

#include <linux/in.h>
#include "codes.h"
#include "config.h"
#include "structs.h"

enum flow_kind {
	FLOW_PLAIN = 0,
	FLOW_LATER_FRAGMENT = 1, /* no L4 header; ports are its first fragment's, if known */
	FLOW_ICMP_ERROR = 2,	 /* speaks of another flow, which it quotes */
	FLOW_NEIGHBOUR = 3,	 /* IPv6 neighbour and group management: never left the link */
	FLOW_ICMP_OTHER = 4,	 /* a redirect, a timestamp ...: no identifier to translate by */
};

/* As in the header, except that an ICMP echo has its identifier as the source port of the
 * request and the destination port of the reply, so that the reply is the request reversed.
 */
struct flow {
	union v6addr saddr;
	union v6addr daddr;
	__be16 sport;
	__be16 dport;
	__u8 family;
	__u8 proto;
	__u8 tcp_flags; /* byte 13 of the TCP header, from 0: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 ... */
	__u8 kind;
	__u16 l4_off;
	__u8 hops; /* TTL or hop limit, as it came */
	__u8 is_socket; /* saddr is the cookie of a network namespace: a socket has no packet yet */
	__u32 now; /* seconds of CLOCK_MONOTONIC: one look at the clock per packet */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Does the packet open a connection? */
static __always_inline int is_syn(const struct flow *f)
{
	return f->tcp_flags & TCP_SYN && !(f->tcp_flags & TCP_ACK);
}

/* Does a node that sends the packet on tell the service with it? Once a connection, and with every
 * datagram.
 */
static __always_inline int tells_service(const struct flow *f)
{
	return f->proto != IPPROTO_TCP || is_syn(f);
}

/* Written so that the verifier drops all IPv6 code where the node has none. */
static __always_inline int is_ipv4(const struct flow *f)
{
	return !HAS_IPV6 || f->family == FAMILY_IPV4;
}

#define NSEC_PER_SEC 1000000000ULL

/* The coarse clock is exact enough, and a tenth of the price. */
static __always_inline __u32 now_seconds(void)
{
	return bpf_ktime_get_coarse_ns() / NSEC_PER_SEC;
}

static __always_inline void addr_copy(union v6addr *to, const union v6addr *from)
{
	to->d[0] = from->d[0];
	to->d[1] = from->d[1];
}

/* Into or out of a packed struct, whose members may not be pointed to. */
static __always_inline void addr_put(void *to, const void *from)
{
	__builtin_memcpy(to, from, sizeof(union v6addr));
}

static __always_inline void addr_set4(union v6addr *to, __be32 address)
{
	to->d[0] = 0;
	to->d[1] = 0;
	to->p[0] = address;
}

static __always_inline int addr_equal(const union v6addr *a, const union v6addr *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

/* An address of the configuration, which is volatile and may not be copied as a whole. */
static __always_inline void addr_config(union v6addr *to, const volatile union v6addr *from)
{
	to->d[0] = from->d[0];
	to->d[1] = from->d[1];
}

static __always_inline int addr_within(const union v6addr *a, const volatile union v6addr *net,
				       const volatile union v6addr *mask)
{
	return (a->d[0] & mask->d[0]) == net->d[0] && (a->d[1] & mask->d[1]) == net->d[1];
}

#endif
