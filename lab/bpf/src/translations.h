/* The table of translations: two entries for each flow, keyed by the packet's header. OUT gives the
 * new source to requests, IN gives the old destination to replies.
 */
#ifndef LAB_TRANSLATIONS_H
#define LAB_TRANSLATIONS_H

#include "addresses.h"
#include "entering.h"

/* Where a flow goes to or comes from after translation. */
struct nat_key {
	union {
		struct ipv4_ct_tuple v4;
		struct ipv6_ct_tuple v6;
	};
} __attribute__((aligned(8)));

static __always_inline void nat_key(struct nat_key *key, const struct flow *f, __u8 flags)
{
	if (is_ipv4(f)) {
		key->v4.daddr = f->daddr.p[0];
		key->v4.saddr = f->saddr.p[0];
		key->v4.dport = f->dport;
		key->v4.sport = f->sport;
		key->v4.nexthdr = f->proto;
		key->v4.flags = flags;
	} else {
		addr_put(&key->v6.daddr, &f->daddr);
		addr_put(&key->v6.saddr, &f->saddr);
		key->v6.dport = f->dport;
		key->v6.sport = f->sport;
		key->v6.nexthdr = f->proto;
		key->v6.flags = flags;
	}
}

/* Key of the half that a flow's reply finds, which comes to this address and port. */
static __always_inline void nat_reply_key(struct nat_key *key, const struct flow *f,
					  const union v6addr *address, __be16 port, __u8 flags)
{
	if (is_ipv4(f)) {
		key->v4.daddr = address->p[0];
		key->v4.saddr = f->daddr.p[0];
		key->v4.dport = port;
		key->v4.sport = f->dport;
		key->v4.nexthdr = f->proto;
		key->v4.flags = flags;
	} else {
		addr_put(&key->v6.daddr, address);
		addr_put(&key->v6.saddr, &f->daddr);
		key->v6.dport = port;
		key->v6.sport = f->dport;
		key->v6.nexthdr = f->proto;
		key->v6.flags = flags;
	}
}

/* What a flow's packets get for an address and port; NULL when the flow has no such half, else where
 * that keeps the second of its last check.
 */
static __always_inline __u64 *nat_get(struct nat_target *to, const struct flow *f, __u8 flags)
{
	struct nat_key key;

	nat_key(&key, f, flags);
	if (is_ipv4(f)) {
		struct ipv4_nat_entry *entry =
			bpf_map_lookup_elem(&cilium_snat_v4_external, &key.v4);

		if (!entry)
			return NULL;
		addr_set4(&to->address, entry->to_addr);
		to->port = entry->to_port;
		return &entry->checked;
	} else {
		struct ipv6_nat_entry *entry =
			bpf_map_lookup_elem(&cilium_snat_v6_external, &key.v6);

		if (!entry)
			return NULL;
		addr_copy(&to->address, &entry->to_addr);
		to->port = entry->to_port;
		return &entry->checked;
	}
}

static __always_inline int nat_find(struct nat_target *to, const struct flow *f, __u8 flags)
{
	return nat_get(to, f, flags) != NULL;
}

/* Enter a half: with `only_new` not in the place of another. 0 or negative. */
static __always_inline int nat_insert(const struct nat_key *key, const struct flow *f,
				      const union v6addr *address, __be16 port, int only_new)
{
	int own = is_node(&f->saddr, f->family) || is_router(&f->saddr, f->family);

	if (is_ipv4(f)) {
		struct ipv4_nat_entry entry = {
			.created = f->now,
			.host_local = own,
			.to_addr = address->p[0],
			.to_port = port,
		};

		return only_new
			? enter_new(&cilium_snat_v4_external, TABLE_SNAT4, &key->v4, &entry)
			: enter(&cilium_snat_v4_external, TABLE_SNAT4, &key->v4, &entry);
	} else {
		struct ipv6_nat_entry entry = {
			.created = f->now,
			.host_local = own,
			.to_port = port,
		};

		addr_copy(&entry.to_addr, address);
		return only_new
			? enter_new(&cilium_snat_v6_external, TABLE_SNAT6, &key->v6, &entry)
			: enter(&cilium_snat_v6_external, TABLE_SNAT6, &key->v6, &entry);
	}
}

/* Is there a half under this key, and does it name this address and port? */
static __always_inline int nat_leads_to(const struct nat_key *key, const struct flow *f,
					const union v6addr *address, __be16 port)
{
	if (is_ipv4(f)) {
		const struct ipv4_nat_entry *entry =
			bpf_map_lookup_elem(&cilium_snat_v4_external, &key->v4);

		return entry && entry->to_port == port && entry->to_addr == address->p[0];
	} else {
		const struct ipv6_nat_entry *entry =
			bpf_map_lookup_elem(&cilium_snat_v6_external, &key->v6);

		return entry && entry->to_port == port && addr_equal(&entry->to_addr, address);
	}
}

#endif
