/* The end of every program: a verdict, or a reason why there is none. */
#ifndef LAB_VERDICT_H
#define LAB_VERDICT_H

#include "icmp.h"

#define CONTINUE 0x100 /* not a verdict: the packet is someone else's business */
#define REJECT 0x1000  /* added to a drop reason: tell the sender */

/* A drop is counted and reported; a rejected packet and one whose time is over are answered too. */
static __always_inline int conclude_at(context *ctx, const struct flow *f,
				       const struct drop_point *place, int ret)
{
	if (ret >= 0)
		return ret;
	drop(ctx, place, -(-ret & 0xff));
	if (-ret & REJECT || ret == -DROP_TTL_EXCEEDED || ret == -DROP_FRAG_NEEDED)
		return icmp_answer(ctx, f, -(-ret & 0xff));
	return TC_ACT_SHOT;
}

/* Where no pod is concerned. */
static __always_inline int conclude(context *ctx, const struct flow *f, __u8 direction,
				    __u32 src_label, int ret)
{
	struct drop_point place = {.direction = direction, .src_label = src_label};

	return conclude_at(ctx, f, &place, ret);
}

#endif
