/* Connection tracking: who opened a flow, how far it is, what was reported of it.
 *
 * An entry is keyed by the flow as its opener sent it, with OUT where it left a pod, the host or
 * a load balancer, IN where it arrived at a pod, SERVICE for the choice of a backend.
 */
#ifndef LAB_CONNTRACK_H
#define LAB_CONNTRACK_H

#include "flow.h"
#include "entering.h"
#include "events.h"

/* What is known of a packet's flow. The values of `status` are those of enum trace_reason. */
struct tracked {
	__u32 monitor; /* 0: nothing in this packet is worth an event */
	__u16 flags;   /* enum ct_flag */
	__u16 rev_nat_index;
	__u8 status;
	__u8 stale; /* what is new has an old entry in its place: see ct_replace() */
	__u8 pad[2];
	__u32 identity; /* of who sent the packet, where that was looked up; else 0 */
};

/* Key of the flow when its source opened it (`reply` 0) or its destination did (1). */
static __always_inline void ct_key4(struct ipv4_ct_tuple *key, const struct flow *f, __u8 flags,
				    int reply)
{
	key->daddr = reply ? f->daddr.p[0] : f->saddr.p[0];
	key->saddr = reply ? f->saddr.p[0] : f->daddr.p[0];
	key->dport = reply ? f->sport : f->dport;
	key->sport = reply ? f->dport : f->sport;
	key->nexthdr = f->proto;
	key->flags = flags;
}

static __always_inline void ct_key6(struct ipv6_ct_tuple *key, const struct flow *f, __u8 flags,
				    int reply)
{
	addr_put(&key->daddr, reply ? &f->daddr : &f->saddr);
	addr_put(&key->saddr, reply ? &f->saddr : &f->daddr);
	key->dport = reply ? f->sport : f->dport;
	key->sport = reply ? f->dport : f->sport;
	key->nexthdr = f->proto;
	key->flags = flags;
}

/* Each map in a call of its own: only then the verifier knows which one it is and makes the call
 * a direct one. Behind a pointer that may be either it would stay indirect, three times the price;
 * SEPARATE keeps the compiler from making one call of the two.
 */
#define SEPARATE(RESULT) asm volatile("" : "+r"(RESULT))

static __always_inline struct ct_entry *ct_get4(const struct flow *f, __u8 flags, int reply)
{
	struct ipv4_ct_tuple key __attribute__((aligned(8)));
	struct ct_entry *entry;

	ct_key4(&key, f, flags, reply);
	if (f->proto == IPPROTO_TCP) {
		entry = bpf_map_lookup_elem(&cilium_ct4_global, &key);
		SEPARATE(entry);
		return entry;
	}
	return bpf_map_lookup_elem(&cilium_ct_any4_global, &key);
}

static __always_inline struct ct_entry *ct_get6(const struct flow *f, __u8 flags, int reply)
{
	struct ipv6_ct_tuple key __attribute__((aligned(8)));
	struct ct_entry *entry;

	ct_key6(&key, f, flags, reply);
	if (f->proto == IPPROTO_TCP) {
		entry = bpf_map_lookup_elem(&cilium_ct6_global, &key);
		SEPARATE(entry);
		return entry;
	}
	return bpf_map_lookup_elem(&cilium_ct_any6_global, &key);
}

static __always_inline struct ct_entry *ct_get(const struct flow *f, __u8 flags, int reply)
{
	return is_ipv4(f) ? ct_get4(f, flags, reply) : ct_get6(f, flags, reply);
}

/* One whose time is over is as good as gone; the agent collects them now and then. */
static __always_inline int ct_expired(const struct ct_entry *entry, const struct flow *f)
{
	return entry->lifetime < f->now;
}

/* The entry, or NULL. */
static __always_inline struct ct_entry *ct_find(const struct flow *f, __u8 flags, int reply)
{
	struct ct_entry *entry = ct_get(f, flags, reply);

	return entry && !ct_expired(entry, f) ? entry : NULL;
}

#define CT_CLOSED (CT_RX_CLOSING | CT_TX_CLOSING) /* both: neither side sends any more */

static __always_inline int ct_alive(const struct ct_entry *entry)
{
	return (entry->flags & CT_CLOSED) != CT_CLOSED;
}

static __always_inline __u32 ct_lifetime(const struct ct_entry *entry, const struct flow *f)
{
	if (f->proto != IPPROTO_TCP)
		return config.ct_any_seconds;
	if (!ct_alive(entry))
		return config.ct_close_seconds;
	if (entry->flags & CT_SEEN_NON_SYN)
		return config.ct_tcp_seconds;
	return config.ct_syn_seconds;
}

/* Monitor aggregation: report a TCP flag not seen before in this direction, and something every
 * few seconds. `rx`: the packet came in, as seen from the owner of the entry.
 */
static __always_inline __u32 ct_report(struct ct_entry *entry, __u8 tcp_flags, int rx, __u32 now)
{
	__u8 seen = rx ? entry->rx_flags_seen : entry->tx_flags_seen;
	__u32 last = rx ? entry->last_rx_report : entry->last_tx_report;
	__u8 all = seen | (tcp_flags & config.report_flags);

	if (all == seen && now <= last + config.report_seconds)
		return 0;
	if (rx) {
		entry->rx_flags_seen = all;
		entry->last_rx_report = now;
	} else {
		entry->tx_flags_seen = all;
		entry->last_tx_report = now;
	}
	return ALWAYS;
}

static __always_inline void ct_close(struct ct_entry *entry, __u8 tcp_flags, int rx)
{
	if (tcp_flags & TCP_RST)
		entry->flags |= CT_CLOSED;
	else
		entry->flags |= rx ? CT_RX_CLOSING : CT_TX_CLOSING;
}

/* Note a packet of a known flow; tells whether to report it. */
VERIFIED_ONCE __u32 ct_touch(struct ct_entry *entry, const struct flow *f, __u32 bytes, int rx)
{
	__u32 now, monitor = ALWAYS, end;

	if (!entry || !f)
		return 0;
	now = f->now;
	if (f->tcp_flags && !(f->tcp_flags & TCP_SYN) && !(entry->flags & CT_SEEN_NON_SYN))
		entry->flags |= CT_SEEN_NON_SYN;
	if (f->tcp_flags & (TCP_FIN | TCP_RST))
		ct_close(entry, f->tcp_flags, rx);
	else if (ct_alive(entry))
		monitor = ct_report(entry, f->tcp_flags, rx, now);
	end = now + ct_lifetime(entry, f);
	/* Once a second is enough, and spares the cache line; a closed entry is not prolonged. */
	if (entry->lifetime != end && (ct_alive(entry) || f->tcp_flags & (TCP_FIN | TCP_RST)))
		entry->lifetime = end;
	if (rx) {
		__sync_fetch_and_add(&entry->rx_packets, 1);
		__sync_fetch_and_add(&entry->rx_bytes, bytes);
	} else {
		__sync_fetch_and_add(&entry->tx_packets, 1);
		__sync_fetch_and_add(&entry->tx_bytes, bytes);
	}
	return monitor;
}

/* A SYN for a flow that either side closed starts it anew (RFC 9293, 3.6.1: port reuse): who opens
 * it again knows that it is over, whatever the other side was still to send.
 */
static __always_inline int ct_reopens(const struct ct_entry *entry, const struct flow *f)
{
	return is_syn(f) && entry->flags & CT_CLOSED;
}

/* Find the flow's entry and note the packet in it: 1, or 0 and REASON_NEW when there is none.
 *
 * `reply` 0: as its source opened it, 1: is it a reply to what its destination opened? `flags`
 * tells how the flow was entered. What is known goes out by value: a pointer to the entry would
 * double the verifier's work in all that follows.
 */
static __always_inline int ct_lookup(struct tracked *t, const struct flow *f, __u32 bytes,
				     __u8 flags, int reply)
{
	struct ct_entry *entry;

	t->status = REASON_NEW;
	t->monitor = ALWAYS;
	t->flags = 0;
	t->rev_nat_index = 0;
	entry = ct_get(f, flags, reply);
	t->stale = entry && !reply;
	if (!entry || ct_expired(entry, f) || (!reply && ct_reopens(entry, f)))
		return 0;
	t->status = reply ? REASON_REPLY : REASON_ESTABLISHED;
	t->monitor = ct_touch(entry, f, bytes, (flags == TUPLE_IN) != reply);
	t->flags = entry->flags;
	t->rev_nat_index = entry->rev_nat_index;
	return 1;
}

/* Is what was found entered, and for this service? One port may ask for the backend by its own
 * address and by that of several services, or of one that was made anew: the last one asked answers.
 */
static __always_inline int ct_serves(const struct tracked *t, __u16 rev_nat_index, __u16 flags)
{
	return t->status != REASON_NEW && t->rev_nat_index == rev_nat_index &&
	       (t->flags & flags) == flags;
}

/* An ICMP error has no entry of its own: it belongs to the flow that it quotes. */
static __always_inline void ct_related(struct tracked *t)
{
	t->status = REASON_RELATED;
	t->monitor = ALWAYS;
	t->flags = 0;
	t->rev_nat_index = 0;
}

/* What the caller of ct_create() knows of a new flow. */
struct ct_init {
	__u32 identity; /* of who opened it */
	__u32 backend_id; /* SERVICE entries only */
	__u16 rev_nat_index;
	__u16 flags; /* enum ct_flag */
	__u16 ifindex;
	__u8 stale; /* as in struct tracked */
	__u8 pad;
};

static __always_inline void ct_first_packet(struct ct_entry *entry, const struct flow *f,
					    __u32 bytes, __u8 flags)
{
	__u32 now = f->now;

	if (flags == TUPLE_IN) {
		entry->rx_packets = 1;
		entry->rx_bytes = bytes;
		entry->rx_flags_seen = f->tcp_flags & config.report_flags;
		entry->last_rx_report = now;
	} else if (flags == TUPLE_OUT) {
		entry->tx_packets = 1;
		entry->tx_bytes = bytes;
		entry->tx_flags_seen = f->tcp_flags & config.report_flags;
		entry->last_tx_report = now;
	}
	if (f->tcp_flags && !(f->tcp_flags & TCP_SYN))
		entry->flags |= CT_SEEN_NON_SYN; /* picked up in the middle of its life */
	if (f->tcp_flags & (TCP_FIN | TCP_RST)) /* or at its end */
		ct_close(entry, f->tcp_flags, flags == TUPLE_IN);
	entry->lifetime = now + ct_lifetime(entry, f);
}

/* Begin anew in the place of an old entry of the same flow, as a busy client's ports come again
 * before the agent has collected them: cheaper by far than to have the map exchange one for the
 * other. 0 when it was evicted meanwhile.
 */
static __always_inline int ct_replace(const struct flow *f, __u8 flags,
				      const struct ct_entry *entry)
{
	struct ct_entry *old = ct_get(f, flags, 0);

	if (!old)
		return 0;
	*old = *entry;
	return 1;
}

/* Enter a flow as its source opened it. 0 or a negative reason. */
VERIFIED_ONCE int ct_create(const struct flow *f, const struct ct_init *init, __u32 bytes,
			    __u8 flags)
{
	struct ct_entry entry = {};
	long failed;

	if (!f || !init)
		return -DROP_CT_CREATE_FAILED;
	entry.rev_nat_index = init->rev_nat_index;
	entry.flags = init->flags;
	entry.ifindex = init->ifindex;
	entry.src_sec_id = init->identity;
	entry.rx_bytes = init->backend_id;
	ct_first_packet(&entry, f, bytes, flags);
	if (init->stale && ct_replace(f, flags, &entry))
		return 0;
	if (is_ipv4(f)) {
		struct ipv4_ct_tuple key __attribute__((aligned(8)));

		ct_key4(&key, f, flags, 0);
		failed = f->proto == IPPROTO_TCP
			? enter(&cilium_ct4_global, TABLE_CT_TCP4, &key, &entry)
			: enter(&cilium_ct_any4_global, TABLE_CT_ANY4, &key, &entry);
	} else {
		struct ipv6_ct_tuple key __attribute__((aligned(8)));

		ct_key6(&key, f, flags, 0);
		failed = f->proto == IPPROTO_TCP
			? enter(&cilium_ct6_global, TABLE_CT_TCP6, &key, &entry)
			: enter(&cilium_ct_any6_global, TABLE_CT_ANY6, &key, &entry);
	}
	return failed ? -DROP_CT_CREATE_FAILED : 0;
}

#endif
