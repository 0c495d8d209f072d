/* The uplink's XDP program: an object of its own, for its packets are of another type. Its maps
 * are those of datapath.bpf.c.
 *
 * hook_xdp.h        xdp_entry                     the node's uplink, with native acceleration
 */
#include "hook_xdp.h"

char _license[] SEC("license") = "GPL";
