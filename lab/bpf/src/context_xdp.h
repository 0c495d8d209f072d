/* The packet as XDP programs get it: a frame in memory, before there is a socket buffer.
 *
 * The counterpart of context_tc.h, function by function; include it before everything else.
 */
#ifndef LAB_CONTEXT_H
#define LAB_CONTEXT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

typedef struct xdp_md context;

/* Frames do not come in parts: a program that does not ask for those gets none. */
static __always_inline __u32 packet_length(const context *ctx)
{
	__u32 length = ctx->data_end - ctx->data;

	asm volatile("" : "+r"(length)); /* only pointers are subtracted, never one and a sum */
	return length;
}

static __always_inline __u32 interface(const context *ctx)
{
	return ctx->ingress_ifindex;
}

/* See context_tc.h. */
static __always_inline void *data_start(const volatile context *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *data_end(const volatile context *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* `len` bytes at `off` for direct access, or NULL when the frame is shorter. */
static __always_inline void *header(context *ctx, __u32 off, __u32 len)
{
	void *start = data_start(ctx) + off;

	return start + len <= data_end(ctx) ? start : NULL;
}

static __always_inline __be16 ether_type(context *ctx)
{
	const struct ethhdr *eth = header(ctx, 0, sizeof(*eth));

	return eth ? eth->h_proto : 0;
}

/* Nobody has computed one yet. */
static __always_inline __u32 packet_hash(context *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline long load_bytes(context *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, off, to, len);
}

static __always_inline long store_bytes(context *ctx, __u32 off, void *from, __u32 len)
{
	return bpf_xdp_store_bytes(ctx, off, from, len);
}

/* See context_tc.h. Here every checksum is a full one: no offload comes before XDP, which is why
 * the far end of a veth has to compute them (lab/emulation/offloads.py).
 */
static __always_inline long mend_checksum(context *ctx, __u32 off, __u32 diff, __u64 flags)
{
	/* The mask tells the verifier that the offset is bounded: L4_OFFSETS of parse.h. */
	__u16 *check = header(ctx, off & 0x7ff, sizeof(*check));
	__u64 sum;

	if (!check)
		return -1;
	if (flags & BPF_F_MARK_MANGLED_0 && !*check)
		return 0;
	sum = (__u64)(__u16)~*check + diff;
	sum = (sum & 0xffffffff) + (sum >> 32);
	for (int i = 0; i < 3; i++)
		sum = (sum & 0xffff) + (sum >> 16);
	*check = ~sum;
	if (flags & BPF_F_MARK_MANGLED_0 && !*check)
		*check = 0xffff;
	return 0;
}

static __always_inline int has_room(const context *ctx, __u32 extra, __u32 mtu)
{
	return packet_length(ctx) + extra <= ETH_HLEN + mtu;
}

/* `extra` bytes more between Ethernet and IP header: the Ethernet header moves forward. */
static __always_inline long grow(context *ctx, __u32 extra)
{
	struct ethhdr eth;

	if (bpf_xdp_load_bytes(ctx, 0, &eth, sizeof(eth)) ||
	    bpf_xdp_adjust_head(ctx, -(int)extra))
		return -1;
	return bpf_xdp_store_bytes(ctx, 0, &eth, sizeof(eth));
}

#endif
