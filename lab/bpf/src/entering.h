/* Entering something in a flow table, counted when it is new.
 *
 * A full table throws out what was used least recently, and the kernel tells nobody. But what was
 * entered, and neither removed by user space nor is there any more, was thrown out: that is how
 * lab/bpf/ledger.py knows.
 */
#ifndef LAB_ENTERING_H
#define LAB_ENTERING_H

#include "maps.h"

/* Index of a table's counter: the order of FLOW_TABLES in lab/bpf/ledger.py. */
enum flow_table {
	TABLE_CT_TCP4,
	TABLE_CT_ANY4,
	TABLE_CT_TCP6,
	TABLE_CT_ANY6,
	TABLE_SNAT4,
	TABLE_SNAT6,
};

static __always_inline void count_entered(__u32 table)
{
	__u64 *entered = bpf_map_lookup_elem(&cilium_flows_entered, &table);

	if (entered)
		(*entered)++; /* per processor and uninterrupted, as in count() of events.h */
}

/* Enter what must not be there yet; of several processors one succeeds, and counts. */
static __always_inline long enter_new(void *map, __u32 table, const void *key, const void *value)
{
	long failed = bpf_map_update_elem(map, key, value, BPF_NOEXIST);

	if (!failed)
		count_entered(table);
	return failed;
}

/* Enter or replace. What is evicted between the two calls is entered uncounted: the number of
 * evictions may come out too low by that, never too high.
 */
static __always_inline long enter(void *map, __u32 table, const void *key, const void *value)
{
	if (!enter_new(map, table, key, value))
		return 0;
	return bpf_map_update_elem(map, key, value, BPF_ANY);
}

#endif
