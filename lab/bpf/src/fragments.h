/* Fragments: only the first of a datagram has ports (RFC 791), so they are remembered for the
 * others. A fragment that overtakes the first one cannot be placed and is dropped.
 */
#ifndef LAB_FRAGMENTS_H
#define LAB_FRAGMENTS_H

#include "flow.h"
#include "maps.h"

static __always_inline int later_fragment(struct flow *f, void *map, const void *id)
{
	const struct frag_l4ports *ports = bpf_map_lookup_elem(map, id);

	if (!ports)
		return -DROP_FRAG_NOT_FOUND;
	f->kind = FLOW_LATER_FRAGMENT;
	f->sport = ports->sport;
	f->dport = ports->dport;
	return 0;
}

/* `parsed`: what parse_l4() said of the fragment. */
static __always_inline int first_fragment(struct flow *f, int parsed, void *map, const void *id)
{
	struct frag_l4ports ports = {.sport = f->sport, .dport = f->dport};

	if (!parsed)
		bpf_map_update_elem(map, id, &ports, BPF_ANY);
	return parsed;
}

#endif
