/* A bad wire: some packets are lost, some arrive with a bit turned, some come too fast.
 *
 * Attached to a bridge's port (the far end of a node's cable), so that nothing of it is on the
 * node: ingress is what the node sends, egress what it is about to get. lab/bpf/impair.py.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define MILLION 1000000
#define SECOND_NS 1000000000ULL
#define BITS 8

struct impairment {
	__u32 lost;      /* of a million packets */
	__u32 corrupted; /* of a million packets */
	__u64 rate;      /* bytes a second; 0: as fast as it comes */
	__u64 burst;     /* bytes that may come at once */
};

const volatile struct impairment config SEC(".rodata.config");

/* The token bucket of the rate: bytes that may pass now. */
struct bucket {
	struct bpf_spin_lock lock;
	__u64 tokens;
	__u64 filled; /* ns of CLOCK_MONOTONIC */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct bucket);
	__uint(max_entries, 1);
} buckets SEC(".maps");

static __always_inline int hit(__u32 of_a_million)
{
	return of_a_million && bpf_get_prandom_u32() % MILLION < of_a_million;
}

/* May a packet of so many bytes pass? It pays for itself if it may. */
static __always_inline int conforms(__u64 bytes)
{
	__u32 only = 0;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &only);
	__u64 now = bpf_ktime_get_ns(), idle, tokens;
	int passes;

	if (!bucket)
		return 1;
	bpf_spin_lock(&bucket->lock);
	/* After a second of silence the bucket is full: rate * idle cannot overflow. */
	idle = now - bucket->filled < SECOND_NS ? now - bucket->filled : SECOND_NS;
	tokens = bucket->tokens + config.rate * idle / SECOND_NS;
	if (tokens > config.burst || idle == SECOND_NS)
		tokens = config.burst;
	passes = tokens >= bytes;
	bucket->tokens = passes ? tokens - bytes : tokens;
	bucket->filled = now;
	bpf_spin_unlock(&bucket->lock);
	return passes;
}

/* Turn one bit of what the Ethernet frame carries; checksums stay as they were. */
static __always_inline void turn_a_bit(struct __sk_buff *ctx)
{
	__u32 dice = bpf_get_prandom_u32(), offset;
	__u8 byte;

	if (ctx->len <= ETH_HLEN)
		return;
	offset = ETH_HLEN + dice / BITS % (ctx->len - ETH_HLEN);
	if (bpf_skb_load_bytes(ctx, offset, &byte, sizeof(byte)))
		return;
	byte ^= 1 << dice % BITS;
	bpf_skb_store_bytes(ctx, offset, &byte, sizeof(byte), 0);
}

SEC("tc")
int impair(struct __sk_buff *ctx)
{
	if (hit(config.lost) || (config.rate && !conforms(ctx->len)))
		return TC_ACT_SHOT;
	if (hit(config.corrupted))
		turn_a_bit(ctx);
	return TC_ACT_UNSPEC; /* the next impairment of this wire, if there is one */
}

char _license[] SEC("license") = "GPL";
