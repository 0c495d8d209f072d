/* Connection tracking: finding the entry of a flow, and entering it.
 *
 * An entry is keyed by the flow as its opener sent it, with OUT where it left a pod, the host or
 * a load balancer, IN where it arrived at a pod, SERVICE for the choice of a backend.
 */
#ifndef LAB_CONNTRACK_H
#define LAB_CONNTRACK_H

#include "connection.h"
#include "entering.h"
#include "flow.h"

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

/* Key of the flow when its source opened it (`reply` 0) or its destination did (1). Its addresses are
 * named as in the reply, its ports as in the request: Cilium's quirk, so that dumps read the same.
 */
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

/* The entry, or NULL. */
static __always_inline struct ct_entry *ct_find(const struct flow *f, __u8 flags, int reply)
{
	struct ct_entry *entry = ct_get(f, flags, reply);

	return entry && !ct_expired(entry, f) ? entry : NULL;
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
