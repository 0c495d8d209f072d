/* The packet as tc programs get it: a socket buffer.
 *
 * context_xdp.h is the same for XDP. Both have one guard: the first one included wins, and what
 * is included after it works on either.
 */
#ifndef LAB_CONTEXT_H
#define LAB_CONTEXT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

typedef struct __sk_buff context;

static __always_inline __u32 packet_length(const context *ctx)
{
	return ctx->len;
}

static __always_inline __u32 interface(const context *ctx)
{
	return ctx->ifindex;
}

/* Network order, as in the Ethernet header. */
static __always_inline __be16 ether_type(const context *ctx)
{
	return ctx->protocol;
}

static __always_inline __u32 packet_hash(context *ctx)
{
	return bpf_get_hash_recalc(ctx);
}

/* Pointers that C sees as 32 bits wide: read anew each time (volatile), lest the compiler keeps one
 * and cuts it to that width.
 */
static __always_inline void *data_start(const volatile context *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *data_end(const volatile context *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* `len` bytes at `off` for direct access, or NULL when the packet is shorter. Bytes in page
 * fragments are pulled into the head first, which ends the life of every earlier pointer: copy
 * what is needed before asking for the next header.
 */
static __always_inline void *header(context *ctx, __u32 off, __u32 len)
{
	void *start = data_start(ctx) + off;

	if (start + len <= data_end(ctx))
		return start;
	if (bpf_skb_pull_data(ctx, off + len))
		return NULL;
	start = data_start(ctx) + off;
	if (start + len <= data_end(ctx))
		return start;
	return NULL;
}

static __always_inline long load_bytes(context *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, off, to, len);
}

static __always_inline long store_bytes(context *ctx, __u32 off, const void *from, __u32 len)
{
	return bpf_skb_store_bytes(ctx, off, from, len, 0);
}

/* Mend an L4 checksum at `off` after what it covers changed by `diff`: `flags` has
 * BPF_F_PSEUDO_HDR when that was an address, BPF_F_MARK_MANGLED_0 when a sum of zero means none.
 * The helper knows whether the packet carries a full checksum, one of the pseudo header only
 * (CHECKSUM_PARTIAL, offload pending) or a device's sum.
 */
static __always_inline long mend_checksum(context *ctx, __u32 off, __u32 diff, __u64 flags)
{
	return bpf_l4_csum_replace(ctx, off, 0, diff, flags);
}

/* Can the packet grow by `extra` bytes and still pass a link of this MTU? One that is segmented
 * later always can.
 */
static __always_inline int has_room(const context *ctx, __u32 extra, __u32 mtu)
{
	return ctx->gso_segs || ctx->len + extra <= ETH_HLEN + mtu;
}

/* `extra` bytes more between Ethernet and IP header. */
static __always_inline long grow(context *ctx, __u32 extra)
{
	return bpf_skb_adjust_room(ctx, extra, BPF_ADJ_ROOM_NET, 0);
}

#endif
