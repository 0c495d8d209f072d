"""`bpf ct list`, `bpf nat list` and `bpf frag list`: connections, translations, fragments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.agent.cilium.columns import Rows
from lab.agent.cilium.text import protocol, with_port
from lab.bpf.codes import CtFlag, TupleFlag
from lab.bpf.structs import (
    ct_entry,
    frag_l4ports,
    ipv4_ct_tuple,
    ipv4_frag_id,
    ipv4_nat_entry,
    ipv6_ct_tuple,
    ipv6_frag_id,
    ipv6_nat_entry,
)

Tuple = ipv4_ct_tuple | ipv6_ct_tuple
Translation = ipv4_nat_entry | ipv6_nat_entry
Datagram = ipv4_frag_id | ipv6_frag_id

_FLAG_WORDS = (
    (CtFlag.RX_CLOSING, "RxClosing"),
    (CtFlag.TX_CLOSING, "TxClosing"),
    (CtFlag.NAT46, "Nat46"),
    (CtFlag.LB_LOOPBACK, "LBLoopback"),
    (CtFlag.SEEN_NON_SYN, "SeenNonSyn"),
    (CtFlag.NODE_PORT, "NodePort"),
    (CtFlag.PROXY_REDIRECT, "ProxyRedirect"),
    (CtFlag.DSR, "DSR"),
)


def ct_list(entries: Iterable[tuple[Tuple, ct_entry]], now: int | None = None) -> Iterator[str]:
    """One line a connection, from whoever opened it to whom it was opened; with `now`, in seconds
    of CLOCK_MONOTONIC, how much longer it is known.
    """
    for key, value in entries:
        # The maps' addresses are named for the reply, their ports for the original direction.
        opener, other = with_port(key.daddr, key.sport), with_port(key.saddr, key.dport)
        yield f"{_head(key)} {opener} -> {other} {_expiry(value, now)} {_state(key, value)}"


def nat_list(entries: Iterable[tuple[Tuple, Translation]], now: int) -> Iterator[str]:
    """One line a direction of a translated flow; `now` in seconds of CLOCK_MONOTONIC."""
    for key, value in entries:
        way = "XLATE_DST" if key.flags & TupleFlag.IN else "XLATE_SRC"
        yield (
            f"{_head(key)} {with_port(key.saddr, key.sport)} -> "
            f"{with_port(key.daddr, key.dport)} {way} {with_port(value.to_addr, value.to_port)} "
            f"Created={max(now - value.created, 0)}sec HostLocal={value.host_local}"
        )


def fragment_list(entries: Iterable[tuple[Datagram, frag_l4ports]]) -> Rows:
    """Datagrams whose first fragment was seen, with the ports that it told."""
    rows = [
        (
            str(key.id),
            protocol(key.proto),
            with_port(key.saddr, value.sport),
            with_port(key.daddr, value.dport),
        )
        for key, value in entries
    ]
    return [("ID", "PROTO", "SOURCE ADDRESS:PORT", "DEST ADDRESS:PORT"), *sorted(rows)]


def _expiry(value: ct_entry, now: int | None) -> str:
    left = "" if now is None else f" (remaining: {value.lifetime - now} sec(s))"
    return f"expires={value.lifetime}{left}"


def _head(key: Tuple) -> str:
    way = "IN" if key.flags & TupleFlag.IN else "OUT"
    if key.flags & TupleFlag.SERVICE:
        way = "SVC"
    related = " related" if key.flags & TupleFlag.RELATED else ""
    return f"{protocol(key.nexthdr)} {way}{related}"


def _state(key: Tuple, value: ct_entry) -> str:
    words = " ".join(word for flag, word in _FLAG_WORDS if value.flags & flag)
    flags = f"{value.flags:#06x} [ {words + ' ' if words else ''}]"
    if key.flags & TupleFlag.SERVICE:
        return f"RevNAT={value.rev_nat_index} BackendID={value.rx_bytes} Flags={flags}"
    return (
        f"RxPackets={value.rx_packets} RxBytes={value.rx_bytes} "
        f"RxFlagsSeen={value.rx_flags_seen:#04x} LastRxReport={value.last_rx_report} "
        f"TxPackets={value.tx_packets} TxBytes={value.tx_bytes} "
        f"TxFlagsSeen={value.tx_flags_seen:#04x} LastTxReport={value.last_tx_report} "
        f"Flags={flags} RevNAT={value.rev_nat_index} "
        f"SourceSecurityID={value.src_sec_id} IfIndex={value.ifindex}"
    )
