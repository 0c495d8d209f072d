/* Where a packet goes next, by the kernel's routing table and neighbours. */
#ifndef LAB_NEXTHOP_H
#define LAB_NEXTHOP_H

#include "flow.h"
#include "packet.h"

#define AF_INET 2
#define AF_INET6 10

/* Ask as for a packet that came in by this interface; BPF_FIB_LKUP_RET_*. */
static __always_inline long next_hop(context *ctx, struct bpf_fib_lookup *fib,
				     const struct flow *f)
{
	fib->ifindex = interface(ctx);
	fib->family = is_ipv4(f) ? AF_INET : AF_INET6;
	fib->l4_protocol = f->proto;
	fib->sport = f->sport;
	fib->dport = f->dport;
	if (is_ipv4(f)) {
		fib->ipv4_src = f->saddr.p[0];
		fib->ipv4_dst = f->daddr.p[0];
	} else {
		addr_put(fib->ipv6_src, &f->saddr);
		addr_put(fib->ipv6_dst, &f->daddr);
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
}

#endif
