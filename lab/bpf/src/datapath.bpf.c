/* The datapath: one object, so that every map exists once and one load serves all hooks.
 *
 * hook_uplink.h     from_netdev, to_netdev        the node's uplink
 * hook_overlay.h    from_overlay, to_overlay      cilium_vxlan
 * hook_host.h       from_host, to_host            cilium_host, cilium_net
 * hook_container.h  from_container, to_container  every pod's veth
 * hook_socket.h     lb_connect4 ...               the node's own sockets, by cgroup
 *
 * Below them, from top to bottom:
 *
 * eastwest.h nodeport.h remote.h dsr.h      decide what becomes of a packet
 * related.h quote.h icmp.h                  ICMP errors: others', and our own
 * verdict.h forward.h nexthop.h neighbour.h  end it: drop, answer, send
 * service.h select.h hash.h                 find the service, choose a backend
 * conntrack.h connection.h                  remember connections
 * nat.h translations.h entering.h           remember translations
 * rewrite.h parse.h fragments.h             change packets, read them
 * addresses.h flow.h packet.h context_tc.h  what all of them are written on
 * events.h                                  report
 * maps.h structs.h codes.h config.h         what user space reads and writes
 */
#include "hook_uplink.h"
#include "hook_overlay.h"
#include "hook_host.h"
#include "hook_container.h"
#include "hook_socket.h"

char _license[] SEC("license") = "GPL";
