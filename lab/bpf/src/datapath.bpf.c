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
 * eastwest.h nodeport.h remote.h own.h      decide what becomes of a packet
 * related.h quote.h                         ICMP errors about others' packets
 * verdict.h icmp.h                          end it: drop, answer
 * forward.h nexthop.h neighbour.h           send it
 * dsr.h                                     tell another node the service, be told
 * service.h select.h hash.h                 find the service, choose a backend
 * nat.h translations.h                      remember translations
 * conntrack.h connection.h entering.h       remember connections
 * events.h                                  report
 * rewrite.h parse.h fragments.h             change packets, read them
 * addresses.h flow.h packet.h context_tc.h  what all of them are written on
 * maps.h structs.h codes.h config.h         what user space reads and writes
 */
#include "hook_uplink.h"
#include "hook_overlay.h"
#include "hook_host.h"
#include "hook_container.h"
#include "hook_socket.h"

char _license[] SEC("license") = "GPL";
