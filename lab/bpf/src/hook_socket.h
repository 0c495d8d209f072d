/* Sockets of the node itself (cgroup v2 hooks): a connect() to a service becomes one to a backend
 * before there is any packet, so nothing has to be translated afterwards.
 *
 * lb_connect4/6   connect(): TCP, and UDP sockets with a fixed peer
 * lb_sendmsg4/6   sendto() without connect(): every datagram chooses, as every packet would
 * lb_recvmsg4/6   recvfrom(): the answer seems to come from the service
 * lb_getpeer4/6   getpeername(): the application sees whom it asked for
 *
 * Programs of all nodes sit on the lab's one cgroup; each serves its own network namespace only.
 */
#ifndef LAB_HOOK_SOCKET_H
#define LAB_HOOK_SOCKET_H

#include <bpf/bpf_core_read.h>
#include <linux/errno.h>
#include "addresses.h"
#include "select.h"

#define REFUSE 0
#define PROCEED 1

/* Family, protocol and the address in the call, as the destination of a flow. */
static __always_inline void socket_flow4(struct bpf_sock_addr *ctx, struct flow *f)
{
	f->family = FAMILY_IPV4;
	f->now = now_seconds();
	f->proto = ctx->protocol;
	f->daddr.p[0] = ctx->user_ip4;
	f->dport = ctx->user_port;
}

static __always_inline void socket_flow6(struct bpf_sock_addr *ctx, struct flow *f)
{
	f->family = FAMILY_IPV6;
	f->now = now_seconds();
	f->proto = ctx->protocol;
	f->daddr.p[0] = ctx->user_ip6[0];
	f->daddr.p[1] = ctx->user_ip6[1];
	f->daddr.p[2] = ctx->user_ip6[2];
	f->daddr.p[3] = ctx->user_ip6[3];
	f->dport = ctx->user_port;
}

/* How a call has its address. A socket for both families has those of IPv4 inside of IPv6's
 * (::ffff:a.b.c.d, RFC 4291, 2.5.5.2), and meets the programs for IPv6.
 */
enum socket_form { PLAIN4, PLAIN6, MAPPED4 };

static __always_inline int is_mapped(const struct bpf_sock_addr *ctx)
{
	return !ctx->user_ip6[0] && !ctx->user_ip6[1] && ctx->user_ip6[2] == bpf_htonl(0xffff);
}

static __always_inline void socket_flow_mapped(struct bpf_sock_addr *ctx, struct flow *f)
{
	f->family = FAMILY_IPV4;
	f->now = now_seconds();
	f->proto = ctx->protocol;
	f->daddr.p[0] = ctx->user_ip6[3];
	f->dport = ctx->user_port;
}

static __always_inline void socket_set(struct bpf_sock_addr *ctx, const union v6addr *address,
				       __be16 port, enum socket_form form)
{
	ctx->user_port = port;
	if (form == PLAIN4) {
		ctx->user_ip4 = address->p[0];
		return;
	}
	if (form == MAPPED4) {
		ctx->user_ip6[3] = address->p[0];
		return;
	}
	ctx->user_ip6[0] = address->p[0];
	ctx->user_ip6[1] = address->p[1];
	ctx->user_ip6[2] = address->p[2];
	ctx->user_ip6[3] = address->p[3];
}

static __always_inline int is_own_socket(struct bpf_sock_addr *ctx)
{
	return bpf_get_netns_cookie(ctx) == config.host_cookie;
}

/* Who asked for what: (socket, backend) -> service. */
static __always_inline void peer_key(struct socket_peer *key, __u64 cookie,
				     const union v6addr *address, __be16 port)
{
	key->cookie = cookie;
	addr_copy(&key->address, address);
	key->port = port;
	key->pad = 0;
	key->pad2 = 0;
}

/* Of the loopback interface: RFC 1122, 3.2.1.3; RFC 4291, 2.5.3. */
static __always_inline int is_loopback(const union v6addr *address, __u8 family)
{
	if (family == FAMILY_IPV4)
		return (address->p[0] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !address->d[0] && address->d[1] == bpf_cpu_to_be64(1);
}

/* The service that a socket asks for. Whichever node's NodePort it names, the choice is made here:
 * no other node has to send the connection on, and none refuses it for want of a backend of its
 * own.
 */
static __always_inline const struct lb4_service *asked_service(struct service_key *key,
							       struct flow *f)
{
	const struct lb4_service *svc = service_lookup(key, f, SCOPE_INTERNAL);

	if (svc || (!is_any_node(&f->daddr, f->family) && !is_loopback(&f->daddr, f->family)))
		return svc;
	return node_port_lookup(key, f, SCOPE_INTERNAL);
}

/* Nobody is behind the service. Its packets would go to the node's router, who knows no such
 * address: later profiles tell the caller at once (Cilium's __sock4_xlate_fwd).
 */
static __always_inline int without_backend(void)
{
	if (config.no_backend == NO_BACKEND_STACK)
		return PROCEED;
	/* Before Linux 5.18 the caller gets EPERM. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_set_retval))
		bpf_set_retval(-EHOSTUNREACH);
	return REFUSE;
}

/* Choose a backend for the destination in `f`. The client is the namespace: all of its sockets
 * share an affinity (Cilium's rule for socket-level balancing).
 */
static __always_inline int balance_socket(struct bpf_sock_addr *ctx, struct flow *f,
					  enum socket_form form)
{
	struct service_key key = {};
	const struct lb4_service *svc;
	struct socket_peer peer = {};
	struct backend backend = {};
	struct nat_target asked = {};

	svc = asked_service(&key, f);
	if (!svc)
		return PROCEED;
	if (!svc->count)
		return is_wildcard(&key) ? PROCEED : without_backend();
	f->saddr.d[0] = config.host_cookie;
	f->is_socket = 1;
	if (!select_affine(&backend, svc, f) &&
	    !backend_get(&backend, select_random(&key, svc->count), f->family))
		return PROCEED;
	if (svc->flags & SVC_AFFINITY)
		affinity_set(svc, f, backend.id);
	addr_copy(&asked.address, &f->daddr);
	asked.port = f->dport;
	peer_key(&peer, bpf_get_socket_cookie(ctx), &backend.address, backend.port);
	bpf_map_update_elem(&cilium_lb_reverse_sk, &peer, &asked, BPF_ANY);
	socket_set(ctx, &backend.address, backend.port, form);
	return PROCEED;
}

/* Name the service instead of the backend in an address that is on its way to the application. */
static __always_inline int restore_peer(struct bpf_sock_addr *ctx, const struct flow *f,
					enum socket_form form)
{
	struct socket_peer peer = {};
	const struct nat_target *asked;

	peer_key(&peer, bpf_get_socket_cookie(ctx), &f->daddr, f->dport);
	asked = bpf_map_lookup_elem(&cilium_lb_reverse_sk, &peer);
	if (asked)
		socket_set(ctx, &asked->address, asked->port, form);
	return PROCEED;
}

static __always_inline int ask4(struct bpf_sock_addr *ctx)
{
	struct flow f = {};

	if (!is_own_socket(ctx))
		return PROCEED;
	socket_flow4(ctx, &f);
	return balance_socket(ctx, &f, PLAIN4);
}

/* The flow of a call that meets the programs for IPv6: 0 when it is none of ours. */
static __always_inline int asked_over_ipv6(struct bpf_sock_addr *ctx, struct flow *f,
					   enum socket_form *form)
{
	if (!is_own_socket(ctx))
		return 0;
	*form = is_mapped(ctx) ? MAPPED4 : PLAIN6;
	if (*form == MAPPED4)
		socket_flow_mapped(ctx, f);
	else if (HAS_IPV6)
		socket_flow6(ctx, f);
	return *form == MAPPED4 || HAS_IPV6;
}

static __always_inline int ask6(struct bpf_sock_addr *ctx)
{
	struct flow f = {};
	enum socket_form form;

	return asked_over_ipv6(ctx, &f, &form) ? balance_socket(ctx, &f, form) : PROCEED;
}

static __always_inline int restore4(struct bpf_sock_addr *ctx)
{
	struct flow f = {};

	if (!is_own_socket(ctx))
		return PROCEED;
	socket_flow4(ctx, &f);
	return restore_peer(ctx, &f, PLAIN4);
}

static __always_inline int restore6(struct bpf_sock_addr *ctx)
{
	struct flow f = {};
	enum socket_form form;

	return asked_over_ipv6(ctx, &f, &form) ? restore_peer(ctx, &f, form) : PROCEED;
}

SEC("cgroup/connect4")
int lb_connect4(struct bpf_sock_addr *ctx)
{
	return ask4(ctx);
}

SEC("cgroup/connect6")
int lb_connect6(struct bpf_sock_addr *ctx)
{
	return ask6(ctx);
}

SEC("cgroup/sendmsg4")
int lb_sendmsg4(struct bpf_sock_addr *ctx)
{
	return ask4(ctx);
}

SEC("cgroup/sendmsg6")
int lb_sendmsg6(struct bpf_sock_addr *ctx)
{
	return ask6(ctx);
}

SEC("cgroup/recvmsg4")
int lb_recvmsg4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/recvmsg6")
int lb_recvmsg6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

SEC("cgroup/getpeername4")
int lb_getpeer4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/getpeername6")
int lb_getpeer6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

#endif
