/* datapath.bpf.c for a node without IPv6. */
#define HAS_IPV6 0
#include "datapath.bpf.c"
