"""The ids that flows still have when an agent starts."""

from __future__ import annotations

from lab.agent.services.remembered import NOTHING, LastIds, last_ids
from lab.bpf.codes import TupleFlag
from lab.bpf.structs import ct_entry, ipv4_ct_tuple, ipv6_ct_tuple


def test_ids_of_flows_of_both_families() -> None:
    service = bytes(ct_entry(rx_bytes=70000, rev_nat_index=3))
    there = bytes(ct_entry(rx_bytes=1 << 40, rev_nat_index=259))
    connections = [
        (bytes(ipv4_ct_tuple(flags=TupleFlag.SERVICE)), service),
        (bytes(ipv6_ct_tuple(flags=TupleFlag.SERVICE)), bytes(ct_entry(rx_bytes=2))),
        (bytes(ipv4_ct_tuple(flags=TupleFlag.OUT)), there),
    ]
    assert last_ids(connections) == LastIds(frontend=259, backend=70000)


def test_no_flows() -> None:
    assert last_ids([]) == NOTHING
