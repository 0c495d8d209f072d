/* One connection's entry: how far the connection is, how long its entry is kept, what was reported. */
#ifndef LAB_CONNECTION_H
#define LAB_CONNECTION_H

#include "events.h"
#include "flow.h"

/* One whose time is over is as good as gone; the agent collects them now and then. */
static __always_inline int ct_expired(const struct ct_entry *entry, const struct flow *f)
{
	return entry->lifetime < f->now;
}

#define CT_CLOSED (CT_RX_CLOSING | CT_TX_CLOSING) /* both: neither side sends any more */

static __always_inline int ct_alive(const struct ct_entry *entry)
{
	return (entry->flags & CT_CLOSED) != CT_CLOSED;
}

static __always_inline __u32 ct_lifetime(const struct ct_entry *entry, const struct flow *f)
{
	if (f->proto != IPPROTO_TCP)
		return config.ct_any_seconds;
	if (!ct_alive(entry))
		return config.ct_close_seconds;
	if (entry->flags & CT_SEEN_NON_SYN)
		return config.ct_tcp_seconds;
	return config.ct_syn_seconds;
}

/* Monitor aggregation: report a TCP flag not seen before in this direction, and something every
 * few seconds. `rx`: the packet came in, as seen from the owner of the entry.
 */
static __always_inline __u32 ct_report(struct ct_entry *entry, __u8 tcp_flags, int rx, __u32 now)
{
	__u8 seen = rx ? entry->rx_flags_seen : entry->tx_flags_seen;
	__u32 last = rx ? entry->last_rx_report : entry->last_tx_report;
	__u8 all = seen | (tcp_flags & config.report_flags);

	if (all == seen && now <= last + config.report_seconds)
		return 0;
	if (rx) {
		entry->rx_flags_seen = all;
		entry->last_rx_report = now;
	} else {
		entry->tx_flags_seen = all;
		entry->last_tx_report = now;
	}
	return ALWAYS;
}

static __always_inline void ct_close(struct ct_entry *entry, __u8 tcp_flags, int rx)
{
	if (tcp_flags & TCP_RST)
		entry->flags |= CT_CLOSED;
	else
		entry->flags |= rx ? CT_RX_CLOSING : CT_TX_CLOSING;
}

/* Note a packet of a known flow; tells whether to report it. Processors that do so at the same time
 * lose no packet from the counters, but of two flags set at once one may get lost (as in Cilium): the
 * next packet sets it again, and after a connection's last one its entry lives until it is evicted or
 * its time as an open one is over.
 */
VERIFIED_ONCE __u32 ct_touch(struct ct_entry *entry, const struct flow *f, __u32 bytes, int rx)
{
	__u32 now, monitor = ALWAYS, end;

	if (!entry || !f)
		return 0;
	now = f->now;
	if (f->tcp_flags && !(f->tcp_flags & TCP_SYN) && !(entry->flags & CT_SEEN_NON_SYN))
		entry->flags |= CT_SEEN_NON_SYN;
	if (f->tcp_flags & (TCP_FIN | TCP_RST))
		ct_close(entry, f->tcp_flags, rx);
	else if (ct_alive(entry))
		monitor = ct_report(entry, f->tcp_flags, rx, now);
	end = now + ct_lifetime(entry, f);
	/* Once a second is enough, and spares the cache line. Closed entries, too: a reset out of the
	 * window ends nothing, and what goes on is not forgotten.
	 */
	if (entry->lifetime != end)
		entry->lifetime = end;
	if (rx) {
		__sync_fetch_and_add(&entry->rx_packets, 1);
		__sync_fetch_and_add(&entry->rx_bytes, bytes);
	} else {
		__sync_fetch_and_add(&entry->tx_packets, 1);
		__sync_fetch_and_add(&entry->tx_bytes, bytes);
	}
	return monitor;
}

/* A SYN for a flow that either side closed starts it anew (RFC 9293, 3.6.1: port reuse): who opens
 * it again knows that it is over, whatever the other side was still to send.
 */
static __always_inline int ct_reopens(const struct ct_entry *entry, const struct flow *f)
{
	return is_syn(f) && entry->flags & CT_CLOSED;
}

static __always_inline void ct_first_packet(struct ct_entry *entry, const struct flow *f,
					    __u32 bytes, __u8 flags)
{
	__u32 now = f->now;

	if (flags == TUPLE_IN) {
		entry->rx_packets = 1;
		entry->rx_bytes = bytes;
		entry->rx_flags_seen = f->tcp_flags & config.report_flags;
		entry->last_rx_report = now;
	} else if (flags == TUPLE_OUT) {
		entry->tx_packets = 1;
		entry->tx_bytes = bytes;
		entry->tx_flags_seen = f->tcp_flags & config.report_flags;
		entry->last_tx_report = now;
	}
	if (f->tcp_flags && !(f->tcp_flags & TCP_SYN))
		entry->flags |= CT_SEEN_NON_SYN; /* picked up in the middle of its life */
	if (f->tcp_flags & (TCP_FIN | TCP_RST)) /* or at its end */
		ct_close(entry, f->tcp_flags, flags == TUPLE_IN);
	entry->lifetime = now + ct_lifetime(entry, f);
}

#endif
