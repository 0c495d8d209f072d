/* For measurements: a fresh packet in front of another program, every time it runs.
 *
 * BPF_PROG_TEST_RUN repeats a program on one packet, which is then that program's own output and
 * always of the same flow. feed writes the headers of the next flow over what is there and hands
 * over by tail call; nothing, in the other program's place, tells what that alone costs.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOTHING 0xffff /* a verdict that no program has */

struct feed_config {
	__be32 vip;
	__be32 first_client;
	__u32 flows;	 /* after so many the first comes again; 0: never */
	__u8 tcp_flags;
	__u8 pad[3];
};

const volatile struct feed_config config SEC(".rodata.config");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} measured SEC(".maps");

static __u32 fed;

struct segment {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

#define CLIENTS 251
#define PORTS 28001 /* no common divisor with CLIENTS: seven million pairs before one comes again */

static __always_inline void write_flow(struct segment *s, __u32 number)
{
	s->eth.h_proto = bpf_htons(ETH_P_IP);
	s->ip.version = 4;
	s->ip.ihl = 5;
	s->ip.tot_len = bpf_htons(sizeof(s->ip) + sizeof(s->tcp));
	s->ip.ttl = 63;
	s->ip.protocol = IPPROTO_TCP;
	s->ip.saddr = bpf_htonl(bpf_ntohl(config.first_client) + number % CLIENTS);
	s->ip.daddr = config.vip;
	s->tcp.source = bpf_htons(32768 + number % PORTS);
	s->tcp.dest = bpf_htons(80);
	s->tcp.doff = 5;
	((__u8 *)&s->tcp)[13] = config.tcp_flags;
}

SEC("tc")
int feed(struct __sk_buff *ctx)
{
	struct segment *s = (void *)(long)ctx->data;

	if ((void *)(s + 1) > (void *)(long)ctx->data_end)
		return -1;
	write_flow(s, config.flows ? fed % config.flows : fed);
	fed++;
	bpf_set_hash(ctx, fed); /* as a network card or the sender's socket would have done */
	bpf_tail_call(ctx, &measured, 0);
	return -1;
}

SEC("tc")
int nothing(struct __sk_buff *ctx)
{
	(void)ctx;
	return NOTHING;
}

char _license[] SEC("license") = "GPL";
