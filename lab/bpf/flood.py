"""Fills a node's flow tables with the flows of strangers, and takes them out again.

    python -m lab.bpf.flood translations 10.0.4.7:80 10.0.1.1     every port of 10.0.1.1 to that pod
    python -m lab.bpf.flood connections                         as many as the table holds
    python -m lab.bpf.flood clear

Runs on the node. The strangers' addresses are those set aside for benchmarks (RFC 2544), which
nobody else in a lab has: they tell the flooded entries from all others.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab.bpf.codes import TupleFlag
from lab.bpf.config import NodeConfig
from lab.bpf.ledger import Entry, Ledger
from lab.bpf.maps import Map
from lab.bpf.object_info import pinned_entries
from lab.bpf.structs import ct_entry, ipv4_nat_entry
from lab.bpf.tables import CT_TCP, GLOBALS, SNAT, Table

STRANGERS = IPv4Network("198.18.0.0/15")
TCP = 6
HTTP = 80
LIFETIME = 6 * 3600
"""Seconds for which the agent's garbage collection leaves a stranger's connection alone."""

_KEY = struct.Struct(">IIHHBB")
"""ipv4_ct_tuple."""
_TARGET = struct.Struct(">IHxx")
"""The last fields of ipv4_nat_entry, and its padding."""


def translations(pod: IPv4Address, port: int, source: IPv4Address) -> int:
    """Take every port that the node could use as `source` towards a pod; how many it took.

    Ports in use are left to their flows. Each of the others gets what a real flow has: a
    connection, and a translation in each direction.
    """
    with Ledger.pinned() as books, _open(SNAT) as nat, _open(CT_TCP) as connections:
        taken = {key for key, _ in nat.raw_items()}
        flows = [flow for flow in _translated(pod, port, source) if flow[1][0][0] not in taken]
        _enter(books, connections, [connection for connection, _ in flows])
        _enter(books, nat, [entry for _, entries in flows for entry in entries])
        return len(flows)


def connections() -> int:
    """Enter as many connections as the table holds: whoever was used least recently goes."""
    room = pinned_entries(GLOBALS)[CT_TCP.name]
    service = IPv4Address("198.19.255.254")
    with Ledger.pinned() as books, _open(CT_TCP) as table:
        entries = (_connection(_stranger(n), service, HTTP, 1024 + n % 60000) for n in range(room))
        _enter(books, table, entries)
    return room


def _enter(books: Ledger, table: Map[Any, Any], entries: Iterable[Entry]) -> None:
    """What an earlier flood has left stays as it is: the books are about new entries."""
    there = {key for key, _ in table.raw_items()}
    books.add(table, [entry for entry in entries if entry[0] not in there])


def clear() -> int:
    """Remove all entries of strangers; how many there were."""
    removed = 0
    for table in (SNAT, CT_TCP):
        with Ledger.pinned() as books, _open(table) as opened:
            removed += books.remove(opened, strangers(table, opened.raw_items()))
    return removed


def strangers(table: Table, entries: Iterable[Entry]) -> list[bytes]:
    """Keys of the entries that name a stranger: their keys do, or what they translate to."""
    low, high = (int(STRANGERS[at]).to_bytes(4, "big") for at in (0, -1))
    named = ipv4_nat_entry.to_addr.offset
    target = slice(named, named + 4) if table is SNAT else slice(0)
    return [
        key
        for key, value in entries
        if any(low <= address <= high for address in (key[:4], key[4:8], value[target]))
    ]


def _translated(
    pod: IPv4Address, port: int, source: IPv4Address
) -> Iterator[tuple[Entry, tuple[Entry, Entry]]]:
    """A flow for every port, as the programs write it: nat.h, conntrack.h."""
    low, high = NodeConfig.snat_ports
    for number in range(low, high + 1):
        client = _stranger(number)
        reply = _KEY.pack(int(source), int(pod), number, port, TCP, TupleFlag.IN)
        request = _KEY.pack(int(pod), client, port, number, TCP, TupleFlag.OUT)
        yield (
            _connection(client, pod, port, number),
            ((reply, _translation(client, number)), (request, _translation(int(source), number))),
        )


def _connection(client: int, peer: IPv4Address, port: int, own_port: int) -> Entry:
    """An open connection; its key names addresses for the reply and ports for the request."""
    return _KEY.pack(client, int(peer), port, own_port, TCP, TupleFlag.OUT), _alive()


def _translation(address: int, port: int) -> bytes:
    return bytes(ipv4_nat_entry.to_addr.offset) + _TARGET.pack(address, port)


@lru_cache(maxsize=1)
def _alive() -> bytes:
    """The state of a connection that lives long."""
    return bytes(ct_entry(lifetime=int(time.monotonic()) + LIFETIME))


def _stranger(number: int) -> int:
    return int(STRANGERS.network_address) + 1 + number % (STRANGERS.num_addresses - 1024)


def _open(table: Any) -> Map[Any, Any]:
    return Map.pinned(table)


def main(words: list[str]) -> int:
    """0 when it was done, 2 when the words make no sense."""
    if words == ["clear"]:
        sys.stdout.write(f"{clear()} entries removed\n")
    elif words == ["connections"]:
        sys.stdout.write(f"{connections()} connections entered\n")
    elif len(words) == 3 and words[0] == "translations":
        pod, _, port = words[1].partition(":")
        taken = translations(IPv4Address(pod), int(port), IPv4Address(words[2]))
        sys.stdout.write(f"{taken} ports taken\n")
    else:
        sys.stderr.write(__doc__ or "")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
