/* The end of every program: a verdict, or a reason why there is none. */
#ifndef LAB_VERDICT_H
#define LAB_VERDICT_H

#include "icmp.h"

#define CONTINUE 0x100 /* not a verdict: the packet is someone else's business */
#define REJECT 0x1000  /* added to a drop reason: tell the sender */
#define LEAVING 0x2000 /* added to a drop reason: lost on its way out, by whatever way it came in */

/* A result of what comes after the decision to send a packet out of the node again. */
static __always_inline int leaving(int ret)
{
	return ret < 0 ? ret - LEAVING : ret;
}

/* A drop is counted and reported; a rejected packet and one whose time is over are answered too. */
static __always_inline int conclude_at(context *ctx, const struct flow *f,
				       struct drop_point *place, int ret)
{
	int reason = -(-ret & 0xff);

	if (ret >= 0)
		return ret;
	if (-ret & LEAVING)
		place->direction = DIRECTION_EGRESS;
	drop(ctx, place, reason);
	if (-ret & REJECT || reason == -DROP_TTL_EXCEEDED || reason == -DROP_FRAG_NEEDED)
		return icmp_answer(ctx, f, reason);
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
