/* Services: is there one at this address and port, who may use it, what replies look like. */
#ifndef LAB_SERVICE_H
#define LAB_SERVICE_H

#include "addresses.h"
#include "conntrack.h"
#include "rewrite.h"

#define AFFINITY_SECONDS 0x00ffffff
#define ALGORITHM_SHIFT 24

/* A frontend or one of its slots, in either family. */
struct service_key {
	union {
		struct lb4_key v4;
		struct lb6_key v6;
	};
	__u8 family;
};

static __always_inline struct lb4_service *service_at(const struct service_key *key)
{
	if (!HAS_IPV6 || key->family == FAMILY_IPV4)
		return bpf_map_lookup_elem(&cilium_lb4_services_v2, &key->v4);
	return bpf_map_lookup_elem(&cilium_lb6_services_v2, &key->v6);
}

static __always_inline void service_key(struct service_key *key, const struct flow *f, __u8 scope,
					__u16 slot)
{
	key->family = f->family;
	if (is_ipv4(f)) {
		key->v4.address = f->daddr.p[0];
		key->v4.dport = f->dport;
		key->v4.backend_slot = slot;
		key->v4.proto = f->proto;
		key->v4.scope = scope;
		key->v4.pad[0] = 0;
		key->v4.pad[1] = 0;
	} else {
		addr_copy(&key->v6.address, &f->daddr);
		key->v6.dport = f->dport;
		key->v6.backend_slot = slot;
		key->v6.proto = f->proto;
		key->v6.scope = scope;
		key->v6.pad[0] = 0;
		key->v6.pad[1] = 0;
	}
}

static __always_inline void service_key_port(struct service_key *key, __be16 port, __u8 proto)
{
	if (!HAS_IPV6 || key->family == FAMILY_IPV4) {
		key->v4.dport = port;
		key->v4.proto = proto;
	} else {
		key->v6.dport = port;
		key->v6.proto = proto;
	}
}

static __always_inline void service_key_slot(struct service_key *key, __u16 slot)
{
	if (!HAS_IPV6 || key->family == FAMILY_IPV4)
		key->v4.backend_slot = slot;
	else
		key->v6.backend_slot = slot;
}

static __always_inline void service_key_scope(struct service_key *key, __u8 scope)
{
	if (!HAS_IPV6 || key->family == FAMILY_IPV4)
		key->v4.scope = scope;
	else
		key->v6.scope = scope;
}

/* The frontend a flow is for, or NULL. First the exact protocol, then the entry for any
 * protocol, then (where the profile has them) the wildcard for unlisted ports, whose `count` is 0
 * and whose key has dport 0. `key` becomes that of the entry found.
 */
static __always_inline struct lb4_service *service_lookup(struct service_key *key,
							  const struct flow *f, __u8 scope)
{
	struct lb4_service *svc;

	service_key(key, f, SCOPE_EXTERNAL, 0);
	svc = service_at(key);
	if (!svc && f->proto != IPPROTO_ICMP && f->proto != IPPROTO_ICMPV6) {
		service_key_port(key, f->dport, 0); /* an echo's identifier is no port */
		svc = service_at(key);
	}
	if (!svc && config.wildcard_services) {
		service_key_port(key, 0, 0);
		svc = service_at(key);
	}
	if (svc && scope == SCOPE_INTERNAL && svc->flags2 & SVC2_TWO_SCOPES) {
		service_key_scope(key, SCOPE_INTERNAL);
		svc = service_at(key);
	}
	return svc;
}

/* The NodePort that a flow to some node's address is for. It is the same service at all of them,
 * and a node has it at its own address and at the unspecified one.
 */
static __always_inline struct lb4_service *node_port_lookup(struct service_key *key,
							    struct flow *f, __u8 scope)
{
	union v6addr asked;
	struct lb4_service *svc;

	addr_copy(&asked, &f->daddr);
	addr_set4(&f->daddr, 0); /* IPv6's unspecified address as well */
	svc = service_lookup(key, f, scope);
	addr_copy(&f->daddr, &asked);
	return svc;
}

static __always_inline int is_wildcard(const struct service_key *key)
{
	return key->family == FAMILY_IPV4 ? !key->v4.dport : !key->v6.dport;
}

/* The policy under which the client is listed, 0 if it is not. */
static __always_inline __u8 source_range(const struct flow *f, __u16 rev_nat_index)
{
	const __u8 *listed;

	if (is_ipv4(f)) {
		struct lb4_src_range_key key = {
			.prefixlen = 64,
			.rev_nat_id = rev_nat_index,
			.addr = f->saddr.p[0],
		};

		listed = bpf_map_lookup_elem(&cilium_lb4_source_range, &key);
	} else {
		struct lb6_src_range_key key __attribute__((aligned(8))) = {
			.prefixlen = 160,
			.rev_nat_id = rev_nat_index,
		};

		addr_put(&key.addr, &f->saddr);
		listed = bpf_map_lookup_elem(&cilium_lb6_source_range, &key);
	}
	return listed ? *listed : 0;
}

/* May a client outside of the cluster use the service? 0 or a negative reason. A prefix counts
 * under its own policy only: while the agent goes from one to the other both are there.
 */
static __always_inline int service_admits(const struct lb4_service *svc, const struct flow *f)
{
	__u8 listed;

	if (!(svc->flags & SVC_ROUTABLE))
		return -DROP_IS_CLUSTER_IP;
	if (!(svc->flags & SVC_SOURCE_RANGE))
		return 0;
	listed = source_range(f, svc->rev_nat_index);
	if (svc->flags2 & SVC2_SOURCE_RANGE_DENY)
		return listed == RANGE_DENY ? -DROP_NOT_IN_SRC_RANGE : 0;
	return listed == RANGE_ALLOW ? 0 : -DROP_NOT_IN_SRC_RANGE;
}

/* May the packet go to this backend? Asked before translation: the answer that a packet gets whose
 * time is over quotes it, and its sender knows it by the service's address only.
 */
static __always_inline int may_travel(const struct flow *f, const union v6addr *backend)
{
	const struct endpoint_info *ep;

	if (f->hops > 1)
		return 1;
	ep = endpoint_of(backend, f->family);
	return ep && ep->flags & ENDPOINT_HOST;
}

/* The frontend of a rev_nat_index; 0 when the service is gone. */
static __always_inline int frontend_get(struct nat_target *to, __u16 rev_nat_index, __u8 family)
{
	if (!HAS_IPV6 || family == FAMILY_IPV4) {
		const struct lb4_reverse_nat *nat =
			bpf_map_lookup_elem(&cilium_lb4_reverse_nat, &rev_nat_index);

		if (!nat)
			return 0;
		addr_set4(&to->address, nat->address);
		to->port = nat->port;
	} else {
		const struct lb6_reverse_nat *nat =
			bpf_map_lookup_elem(&cilium_lb6_reverse_nat, &rev_nat_index);

		if (!nat)
			return 0;
		addr_put(&to->address, &nat->address);
		to->port = nat->port;
	}
	return 1;
}

/* Give a reply the frontend's address as its source; it keeps its own when the service is gone. */
VERIFIED_ONCE int reverse_nat(context *ctx, struct flow *f, __u16 rev_nat_index)
{
	struct nat_target to = {};

	if (!f || !frontend_get(&to, rev_nat_index, f->family))
		return 0;
	return rewrite(ctx, f, SOURCE, &to.address, to.port);
}

#endif
