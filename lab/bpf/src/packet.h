/* Checksums and Ethernet addresses, on top of context_tc.h or context_xdp.h. */
#ifndef LAB_PACKET_H
#define LAB_PACKET_H

#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include "context_tc.h"

/* A function that the verifier checks once, on its own, for any arguments: keeps the programs quick
 * to load, and the number of paths through them small. Its pointers may be NULL for all the
 * verifier knows, so it must ask.
 */
#define VERIFIED_ONCE __attribute__((noinline))

/* One's complement sum of two 32-bit sums (RFC 1071), not yet folded to 16 bits. */
static __always_inline __u32 csum_add(__u32 a, __u32 b)
{
	a += b;
	return a + (a < b);
}

static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* A checksum after a part of what it covers changed by `diff` (RFC 1624). */
static __always_inline __u16 csum_update(__u16 check, __u32 diff)
{
	return csum_fold(csum_add((__u16)~check, diff));
}

static __always_inline int set_macs(context *ctx, const __u8 *source, const __u8 *dest)
{
	struct ethhdr *eth = header(ctx, 0, sizeof(*eth));

	if (!eth)
		return -1;
	__builtin_memcpy(eth->h_dest, dest, ETH_ALEN);
	__builtin_memcpy(eth->h_source, source, ETH_ALEN);
	return 0;
}

#endif
