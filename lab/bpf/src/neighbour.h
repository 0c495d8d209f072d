/* A pod's only neighbour is its gateway: the router address, at the node's end of the veth. The
 * programs answer for it, so the veth needs no address: cilium_host alone has it.
 */
#ifndef LAB_NEIGHBOUR_H
#define LAB_NEIGHBOUR_H

#include "addresses.h"
#include "parse.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2

/* An Ethernet frame with ARP for IPv4 (RFC 826). */
struct arp_packet {
	struct ethhdr eth;
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 op;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender_ip;
	__u8 target_mac[ETH_ALEN];
	__be32 target_ip;
} __attribute__((packed));

/* Answer a request for the gateway's MAC address. A verdict, or a negative reason. */
static __always_inline int answer_arp(context *ctx)
{
	struct arp_packet *arp = header(ctx, 0, sizeof(*arp));
	const struct endpoint_info *ep;
	union v6addr sender;

	if (!arp || arp->op != bpf_htons(ARP_REQUEST) || arp->target_ip != config.router_ip)
		return TC_ACT_OK;
	addr_set4(&sender, arp->sender_ip);
	ep = endpoint_of(&sender, FAMILY_IPV4);
	if (!ep || ep->ifindex != interface(ctx))
		return -DROP_INVALID_SIP;
	arp->op = bpf_htons(ARP_REPLY);
	arp->target_ip = arp->sender_ip;
	arp->sender_ip = config.router_ip;
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, ep->node_mac, ETH_ALEN);
	__builtin_memcpy(arp->eth.h_dest, arp->target_mac, ETH_ALEN);
	__builtin_memcpy(arp->eth.h_source, ep->node_mac, ETH_ALEN);
	return bpf_redirect(interface(ctx), 0);
}

#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_TARGET_ADDRESS 2
#define ND_ROUTER_SOLICITED_OVERRIDE 0xe0000000

/* A neighbour advertisement with its one option (RFC 4861, 4.4 and 4.6.1). */
struct advertisement {
	struct ipv6hdr ip;
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 flags;
	union v6addr target;
	__u8 option;
	__u8 option_words;
	__u8 mac[ETH_ALEN];
};

static __always_inline __u16 advertisement_check(struct advertisement *a)
{
	__be32 pseudo[2] = {bpf_htonl(32), bpf_htonl(IPPROTO_ICMPV6)};
	__u32 sum = bpf_csum_diff(NULL, 0, (__be32 *)&a->ip.saddr, 32, 0);

	sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), sum);
	return csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&a->type, 32, sum));
}

/* Ethernet header and advertisement in place of the solicitation. */
static __always_inline int advertise(context *ctx, struct advertisement *a,
				     const struct endpoint_info *ep)
{
	a->ip.version = 6;
	a->ip.payload_len = bpf_htons(32);
	a->ip.nexthdr = IPPROTO_ICMPV6;
	a->ip.hop_limit = 255; /* receivers refuse any other: proof that it was not routed */
	a->type = ND_ADVERTISEMENT;
	a->flags = bpf_htonl(ND_ROUTER_SOLICITED_OVERRIDE);
	a->option = ND_TARGET_ADDRESS;
	a->option_words = 1;
	__builtin_memcpy(a->mac, ep->node_mac, ETH_ALEN);
	a->check = advertisement_check(a);
	if (bpf_skb_change_tail(ctx, ETH_HLEN + sizeof(*a), 0) ||
	    store_bytes(ctx, ETH_HLEN, a, sizeof(*a)) ||
	    set_macs(ctx, ep->node_mac, ep->mac))
		return -DROP_WRITE_ERROR;
	return bpf_redirect(interface(ctx), 0);
}

/* Answer the pod `ep` that looks for its gateway; what else neighbours say is left to the stack. A
 * verdict.
 */
VERIFIED_ONCE int answer_solicitation(context *ctx, const struct flow *f,
				      const struct endpoint_info *ep)
{
	struct advertisement a = {};
	union v6addr target;
	__u8 type;

	if (!f || !ep || load_bytes(ctx, f->l4_off, &type, 1) || type != ND_SOLICITATION ||
	    load_bytes(ctx, f->l4_off + 8, &target, sizeof(target)) ||
	    !is_router(&target, FAMILY_IPV6))
		return TC_ACT_OK;
	addr_put(&a.ip.saddr, &target);
	addr_put(&a.ip.daddr, &f->saddr);
	addr_copy(&a.target, &target);
	return advertise(ctx, &a, ep);
}

#endif
