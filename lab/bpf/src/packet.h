/* Access to packet bytes. */
#ifndef LAB_PACKET_H
#define LAB_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* A function that the verifier checks once, on its own, for any arguments: keeps the programs quick
 * to load, and the number of paths through them small. Its pointers may be NULL for all the
 * verifier knows, so it must ask.
 */
#define VERIFIED_ONCE __attribute__((noinline))

/* `len` bytes at `off` for direct access, or NULL when the packet is shorter. Bytes in page
 * fragments are pulled into the head first, which ends the life of every earlier pointer: copy
 * what is needed before asking for the next header.
 */
static __always_inline void *header(struct __sk_buff *ctx, __u32 off, __u32 len)
{
	void *start = (void *)(long)ctx->data + off;

	if (start + len <= (void *)(long)ctx->data_end)
		return start;
	if (bpf_skb_pull_data(ctx, off + len))
		return NULL;
	start = (void *)(long)ctx->data + off;
	if (start + len <= (void *)(long)ctx->data_end)
		return start;
	return NULL;
}

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

static __always_inline int set_macs(struct __sk_buff *ctx, const __u8 *source, const __u8 *dest)
{
	struct ethhdr *eth = header(ctx, 0, sizeof(*eth));

	if (!eth)
		return -1;
	__builtin_memcpy(eth->h_dest, dest, ETH_ALEN);
	__builtin_memcpy(eth->h_source, source, ETH_ALEN);
	return 0;
}

#endif
