/* Bob Jenkins' hash in the form the Linux kernel uses (include/linux/jhash.h): Maglev's flow hash
 * must be the same on every node and over time, which the kernel's own packet hash is not.
 */
#ifndef LAB_HASH_H
#define LAB_HASH_H

#include "flow.h"

#define JHASH_INITVAL 0xdeadbeef
#define FLOW_SEED 0x12345678

static __always_inline __u32 rotate(__u32 word, __u32 bits)
{
	return (word << bits) | (word >> (32 - bits));
}

static __always_inline __u32 jhash_3words(__u32 a, __u32 b, __u32 c, __u32 seed)
{
	seed += JHASH_INITVAL + (3 << 2);
	a += seed;
	b += seed;
	c += seed;
	c = (c ^ b) - rotate(b, 14);
	a = (a ^ c) - rotate(c, 11);
	b = (b ^ a) - rotate(a, 25);
	c = (c ^ b) - rotate(b, 16);
	a = (a ^ c) - rotate(c, 4);
	b = (b ^ a) - rotate(a, 14);
	c = (c ^ b) - rotate(b, 24);
	return c;
}

static __always_inline __u32 flow_hash(const struct flow *f, __be16 sport)
{
	__u32 source = f->saddr.p[0];

	if (f->family == FAMILY_IPV6) {
		source = jhash_3words(source, f->saddr.p[1], f->saddr.p[2], FLOW_SEED);
		source = jhash_3words(source, f->saddr.p[3], 0, FLOW_SEED);
	}
	return jhash_3words(source, (__u32)f->dport << 16 | sport, f->proto, FLOW_SEED);
}

#endif
