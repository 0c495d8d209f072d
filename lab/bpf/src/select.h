/* Choosing a backend: the one the flow has, the one the client has, or a new one. */
#ifndef LAB_SELECT_H
#define LAB_SELECT_H

#include "hash.h"
#include "service.h"

struct backend {
	union v6addr address;
	__be16 port;
	__u8 state;
	__u8 pad;
	__u32 id;
};

static __always_inline int backend_get(struct backend *b, __u32 id, __u8 family)
{
	b->id = id;
	if (!HAS_IPV6 || family == FAMILY_IPV4) {
		const struct lb4_backend *found = bpf_map_lookup_elem(&cilium_lb4_backends_v3, &id);

		if (!found)
			return 0;
		addr_set4(&b->address, found->address);
		b->port = found->port;
		b->state = found->flags;
		return 1;
	} else {
		const struct lb6_backend *found = bpf_map_lookup_elem(&cilium_lb6_backends_v3, &id);

		if (!found)
			return 0;
		addr_put(&b->address, &found->address);
		b->port = found->port;
		b->state = found->flags;
		return 1;
	}
}

static __always_inline __u32 select_random(struct service_key *key, __u16 count)
{
	const struct lb4_service *slot;

	service_key_slot(key, bpf_get_prandom_u32() % count + 1);
	slot = service_at(key);
	return slot ? slot->backend_id : 0;
}

/* The same backend on every node for the same client address, port and protocol; with session
 * affinity the port is left out, so that all of a client's flows agree.
 */
static __always_inline __u32 select_maglev(const struct lb4_service *svc, const struct flow *f)
{
	__u16 id = svc->rev_nat_index;
	__be16 sport = svc->flags & SVC_AFFINITY ? 0 : f->sport;
	__u64 index = flow_hash(f, sport) % config.maglev_size;
	__u32 zero = 0;
	void *table = is_ipv4(f) ? bpf_map_lookup_elem(&cilium_lb4_maglev, &id)
					       : bpf_map_lookup_elem(&cilium_lb6_maglev, &id);
	__u32 *backends;

	if (!table)
		return 0;
	backends = bpf_map_lookup_elem(table, &zero);
	/* The remainder is in range; the verifier learns it from this comparison only, which must be
	 * one of all 64 bits of the very register that is added.
	 */
	asm volatile("" : "+r"(index));
	if (!backends || index >= config.maglev_size)
		return 0;
	return backends[index];
}

static __always_inline int uses_maglev(const struct lb4_service *svc)
{
	__u8 algorithm = svc->backend_id >> ALGORITHM_SHIFT;

	return algorithm ? algorithm == ALGORITHM_MAGLEV : config.default_maglev;
}

static __always_inline __u32 select_new(struct service_key *key, const struct lb4_service *svc,
					const struct flow *f, __u8 scope)
{
	__u32 id = 0;

	/* Inside the cluster nobody needs nodes to agree: random, as Cilium does. */
	if (uses_maglev(svc) && scope == SCOPE_EXTERNAL)
		id = select_maglev(svc, f);
	return id ? id : select_random(key, svc->count);
}

static __always_inline void affinity_key4(struct lb4_affinity_key *key, const struct flow *f,
					  __u16 rev_nat_index)
{
	key->client = f->saddr.d[0];
	key->rev_nat_id = rev_nat_index;
	key->bits = f->is_socket;
	key->pad1 = 0;
	key->pad2 = 0;
}

static __always_inline void affinity_key6(struct lb6_affinity_key *key, const struct flow *f,
					  __u16 rev_nat_index)
{
	addr_put(&key->client, &f->saddr);
	key->rev_nat_id = rev_nat_index;
	key->bits = f->is_socket;
	key->pad1 = 0;
	key->pad2 = 0;
}

/* The backend this client used last, or 0 when the time is over or it left the service. The clock
 * has whole seconds: what it calls two seconds may be little more than one, so the time is over
 * when it tells more than that, up to a second late but never early.
 */
static __always_inline __u32 affinity_get(const struct lb4_service *svc, const struct flow *f)
{
	struct lb_affinity_match match = {.rev_nat_id = svc->rev_nat_index};
	const struct lb_affinity_val *seen;

	if (is_ipv4(f)) {
		struct lb4_affinity_key key __attribute__((aligned(8)));

		affinity_key4(&key, f, svc->rev_nat_index);
		seen = bpf_map_lookup_elem(&cilium_lb4_affinity, &key);
	} else {
		struct lb6_affinity_key key __attribute__((aligned(8)));

		affinity_key6(&key, f, svc->rev_nat_index);
		seen = bpf_map_lookup_elem(&cilium_lb6_affinity, &key);
	}
	if (!seen || seen->last_used + (svc->backend_id & AFFINITY_SECONDS) < f->now)
		return 0;
	match.backend_id = seen->backend_id;
	return bpf_map_lookup_elem(&cilium_lb_affinity_match, &match) ? seen->backend_id : 0;
}

static __always_inline void affinity_set(const struct lb4_service *svc, const struct flow *f,
					 __u32 backend_id)
{
	struct lb_affinity_val val = {.last_used = f->now, .backend_id = backend_id};

	if (is_ipv4(f)) {
		struct lb4_affinity_key key __attribute__((aligned(8)));

		affinity_key4(&key, f, svc->rev_nat_index);
		bpf_map_update_elem(&cilium_lb4_affinity, &key, &val, BPF_ANY);
	} else {
		struct lb6_affinity_key key __attribute__((aligned(8)));

		affinity_key6(&key, f, svc->rev_nat_index);
		bpf_map_update_elem(&cilium_lb6_affinity, &key, &val, BPF_ANY);
	}
}

/* The backend that earlier packets of the flow went to, as long as it exists and the service is
 * the same: a terminating one keeps its flows, but a SYN that reuses their port begins a new one
 * elsewhere.
 */
static __always_inline int select_known(struct backend *b, const struct lb4_service *svc,
					const struct flow *f, __u8 *stale)
{
	struct ct_entry *entry = ct_get(f, TUPLE_SERVICE, 0);
	__u32 end;

	*stale = !!entry;
	if (!entry || ct_expired(entry, f) || entry->rev_nat_index != svc->rev_nat_index ||
	    !backend_get(b, entry->rx_bytes, f->family))
		return 0;
	if (is_syn(f) && (b->state != BACKEND_ACTIVE || entry->flags & CT_CLOSED))
		return 0;
	if (f->tcp_flags & (TCP_FIN | TCP_RST))
		entry->flags |= CT_CLOSED; /* replies do not come by here: this end is all to be seen */
	if (f->tcp_flags && !is_syn(f) && !(entry->flags & CT_SEEN_NON_SYN))
		entry->flags |= CT_SEEN_NON_SYN;
	end = f->now + ct_lifetime(entry, f);
	if (entry->lifetime != end) /* spares the cache line within the second */
		entry->lifetime = end;
	return 1;
}

/* The backend the client has, as long as it takes new flows. */
static __always_inline int select_affine(struct backend *b, const struct lb4_service *svc,
					 const struct flow *f)
{
	__u32 id = svc->flags & SVC_AFFINITY ? affinity_get(svc, f) : 0;

	return id && backend_get(b, id, f->family) && b->state == BACKEND_ACTIVE;
}

/* A backend for the flow; 0 or a negative reason. A service that has none for new flows may still
 * have the one that this flow has.
 */
VERIFIED_ONCE int select_backend(struct backend *b, struct service_key *key,
				 const struct lb4_service *svc, const struct flow *f, __u8 scope)
{
	struct ct_init init = {};
	int ret;

	if (!b || !key || !svc || !f)
		return -DROP_NO_SERVICE;
	if (!select_known(b, svc, f, &init.stale)) {
		if (!svc->count)
			return -DROP_NO_SERVICE;
		if (!select_affine(b, svc, f) &&
		    !backend_get(b, select_new(key, svc, f, scope), f->family))
			return -DROP_NO_SERVICE;
		init.backend_id = b->id;
		init.rev_nat_index = svc->rev_nat_index;
		ret = ct_create(f, &init, 0, TUPLE_SERVICE);
		if (ret)
			return ret;
	}
	if (svc->flags & SVC_AFFINITY)
		affinity_set(svc, f, b->id);
	return 0;
}

#endif
