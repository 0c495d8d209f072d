/* The datapath: one object, so that every map exists once and one load serves all hooks.
 *
 * hook_uplink.h     from_netdev, to_netdev        the node's uplink
 * hook_overlay.h    from_overlay, to_overlay      cilium_vxlan
 * hook_host.h       from_host, to_host            cilium_host, cilium_net
 * hook_container.h  from_container, to_container  every pod's veth
 * hook_socket.h     lb_connect4 ...               the node's own sockets, by cgroup
 *
 * Below them: eastwest.h and nodeport.h decide, forward.h sends, nat.h and conntrack.h remember,
 * related.h, quote.h and icmp.h speak ICMP, rewrite.h changes packets, parse.h reads them, events.h
 * reports.
 */
#include "hook_uplink.h"
#include "hook_overlay.h"
#include "hook_host.h"
#include "hook_container.h"
#include "hook_socket.h"

char _license[] SEC("license") = "GPL";
