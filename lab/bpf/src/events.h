/* What the programs tell user space: counters for everything, events for what matters.
 *
 * An event is a header (struct trace_notify or drop_notify) and the packet's first bytes. Behind
 * them, in the last eight bytes of its record in the ring, stands the time at which it was made:
 * the reader comes by every few milliseconds, and nodes that a packet passes in microseconds must
 * not look as if it had passed them in any order.
 *
 * Records of both kinds have one size. What the reader finds in the ring is an array, which it
 * takes as a whole; record by record would cost it more than the events cost the packets.
 */
#ifndef LAB_EVENTS_H
#define LAB_EVENTS_H

#include "flow.h"
#include "maps.h"
#include "packet.h"

#define CAPTURE_LENGTH 128
#define TRACE_VERSION 1
#define DROP_VERSION 3 /* the first of Cilium's that is as long as its trace_notify */
#define DROP_IPV6 1
#define ALWAYS CAPTURE_LENGTH /* as `monitor`: report this packet whatever was reported before */

struct trace_event {
	struct trace_notify notify;
	__u8 packet[CAPTURE_LENGTH];
	__u64 time; /* CLOCK_MONOTONIC, nanoseconds */
};

struct drop_event {
	struct drop_notify notify;
	__u8 packet[CAPTURE_LENGTH];
	__u64 time;
};

_Static_assert(sizeof(struct drop_event) == sizeof(struct trace_event), "the ring is an array");

/* Not inlined for its callers' stack's sake. */
VERIFIED_ONCE int count_first(__u32 bytes, __u8 reason, __u8 direction)
{
	struct metrics_key key = {.reason = reason, .dir = direction};
	struct metrics_value first = {.count = 1, .bytes = bytes};

	return bpf_map_update_elem(&cilium_metrics, &key, &first, BPF_ANY);
}

static __always_inline void count(__u32 bytes, __u8 reason, __u8 direction)
{
	struct metrics_key key = {.reason = reason, .dir = direction};
	struct metrics_value *value = bpf_map_lookup_elem(&cilium_metrics, &key);

	if (value) {
		/* per processor; no other tc or XDP program interrupts this one (softirqs are off) */
		value->count++;
		value->bytes += bytes;
		return;
	}
	count_first(bytes, reason, direction);
}

/* Keeps made = read + lost true: called once for every event, stored or not. */
static __always_inline void count_event(int stored)
{
	__u32 zero = 0;
	struct event_counts *counts = bpf_map_lookup_elem(&cilium_event_counts, &zero);

	if (!counts)
		return;
	counts->made++;
	if (!stored)
		counts->lost++;
}

static __always_inline __u16 capture(context *ctx, void *to)
{
	__u64 len = packet_length(ctx);

	if (len > CAPTURE_LENGTH)
		len = CAPTURE_LENGTH;
	/* The verifier must see the bounds on the very register that is passed. */
	asm volatile("" : "+r"(len));
	if (len < 1 || len > CAPTURE_LENGTH || load_bytes(ctx, 0, to, len))
		return 0;
	return len;
}

static __always_inline void fill_header(context *ctx, struct capture_header *head,
					__u8 type, __u8 subtype, __u16 source)
{
	head->type = type;
	head->subtype = subtype;
	head->source = source;
	head->hash = packet_hash(ctx);
	head->len_orig = packet_length(ctx);
	head->version = type == EVENT_DROP ? DROP_VERSION : TRACE_VERSION;
}

static __always_inline int is_ipv6(context *ctx)
{
	return ether_type(ctx) == bpf_htons(ETH_P_IPV6);
}

/* What a trace event says beside the packet. */
struct trace_point {
	__u8 obs;
	__u8 reason;
	__u16 source;
	__u16 dst_id;
	__u8 family;
	__u8 pad;
	__u32 src_label;
	__u32 dst_label;
	__u32 ifindex;
};

/* `sender`: the source before translation, where an event tells it; else NULL. */
VERIFIED_ONCE int emit_trace(context *ctx, const struct trace_point *point,
			     const union v6addr *sender)
{
	struct trace_event *event;

	if (!point)
		return 0;
	event = bpf_ringbuf_reserve(&cilium_events, sizeof(*event), 0);
	count_event(!!event);
	if (!event)
		return 0;
	fill_header(ctx, &event->notify.head, EVENT_TRACE, point->obs, point->source);
	event->notify.src_label = point->src_label;
	event->notify.dst_label = point->dst_label;
	event->notify.dst_id = point->dst_id;
	event->notify.reason = point->reason;
	event->notify.flags = point->family == FAMILY_IPV6;
	event->notify.ifindex = point->ifindex;
	event->notify.orig_ip.d[0] = sender ? sender->d[0] : 0;
	event->notify.orig_ip.d[1] = sender ? sender->d[1] : 0;
	event->notify.head.len_cap = capture(ctx, event->packet);
	event->time = bpf_ktime_get_ns();
	/* No wake-up: the reader polls every few milliseconds, which is what keeps events cheap. */
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int is_from(__u8 obs)
{
	return obs >= FROM_ENDPOINT && obs <= FROM_NETWORK;
}

/* Would an event for this packet be made? Spares the work of finding out its labels. */
static __always_inline int traced(__u8 obs, __u32 monitor)
{
	if (config.aggregation >= AGGREGATE_LOW && is_from(obs))
		return 0;
	return config.aggregation < AGGREGATE_MEDIUM || monitor;
}

static __always_inline void trace(context *ctx, const struct trace_point *point,
				  __u32 monitor)
{
	if (traced(point->obs, monitor))
		emit_trace(ctx, point, NULL);
}

/* A packet's arrival at a program: reported only without aggregation. */
static __always_inline void trace_from(context *ctx, __u8 obs, __u16 source, __u32 label)
{
	struct trace_point point = {
		.obs = obs,
		.reason = REASON_UNKNOWN,
		.source = source,
		.src_label = label,
		.ifindex = interface(ctx),
		.family = is_ipv6(ctx) ? FAMILY_IPV6 : FAMILY_IPV4,
	};

	trace(ctx, &point, 0);
}

/* Where a drop happened. */
struct drop_point {
	__u32 src_label;
	__u32 dst_label;
	__u32 dst_id;
	__u16 source;
	__u8 direction;
	__u8 pad;
};

/* Count and report a drop; the verdict that ends it. `reason` is negative, as it was returned. */
VERIFIED_ONCE int drop(context *ctx, const struct drop_point *point, int reason)
{
	struct drop_event *event;

	if (!point)
		return TC_ACT_SHOT;
	count(packet_length(ctx), -reason, point->direction);
	event = bpf_ringbuf_reserve(&cilium_events, sizeof(*event), 0);
	count_event(!!event);
	if (!event)
		return TC_ACT_SHOT;
	fill_header(ctx, &event->notify.head, EVENT_DROP, -reason, point->source);
	event->notify.src_label = point->src_label;
	event->notify.dst_label = point->dst_label;
	event->notify.dst_id = point->dst_id;
	event->notify.line = 0;
	event->notify.file = 0;
	event->notify.ext_error = 0;
	event->notify.ifindex = interface(ctx);
	event->notify.flags = is_ipv6(ctx) ? DROP_IPV6 : 0;
	__builtin_memset(event->notify.pad, 0, sizeof(event->notify.pad));
	event->notify.ip_trace_id = 0;
	event->notify.head.len_cap = capture(ctx, event->packet);
	event->time = bpf_ktime_get_ns();
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return TC_ACT_SHOT;
}

#endif
