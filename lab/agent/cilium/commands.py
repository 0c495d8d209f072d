"""What each command does: looks, and hands on what is to be written."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from lab.agent.cilium import (
    balancer,
    balancer_maps,
    bgp,
    counters,
    fill,
    flows,
    maps,
    monitor,
    notification,
    places,
    policies,
    status,
    text,
)
from lab.agent.cilium.asking import ask
from lab.agent.cilium.columns import Rows, columns, grouped
from lab.bpf import tables
from lab.errors import InputError, LabError

Lines = Iterable[str]

JSON = "json"


def lb_list(arguments: Namespace) -> Lines:
    modern = _modern()
    if arguments.frontends:
        found = maps.entries(tables.SERVICES, tables.SERVICES6)
        return _listing(balancer_maps.frontends(found, modern=modern), arguments)
    if arguments.backends:
        found = maps.entries(tables.BACKENDS, tables.BACKENDS6)
        return _listing(balancer_maps.backends(found), arguments)
    if arguments.revnat:
        found = maps.entries(tables.REVERSE_NAT, tables.REVERSE_NAT6)
        return _listing(balancer_maps.reverse_nat(found), arguments)
    if arguments.source_ranges:
        found = maps.entries(tables.SOURCE_RANGE, tables.SOURCE_RANGE6)
        return _listing(balancer_maps.source_ranges(found), arguments)
    return _listing(balancer.bpf_lb_list(maps.frontends(), modern=modern), arguments)


def maglev_list(arguments: Namespace) -> Lines:
    return _listing(balancer_maps.maglev(maps.maglev_tables()), arguments)


def maglev_get(arguments: Namespace) -> Lines:
    found = maps.maglev_tables()
    if arguments.id not in found:
        raise InputError(
            f"service {arguments.id} has no Maglev table on this node\n"
            "  numbers of services: cilium service list; of those with a table: "
            "cilium bpf lb maglev list"
        )
    one = {arguments.id: found[arguments.id]}
    return _listing(balancer_maps.maglev(one), arguments)


def service_list(arguments: Namespace) -> Lines:
    modern = _modern()
    found = balancer.services(maps.frontends(), modern=modern)
    if arguments.output == JSON:
        return _document([asdict(each) for each in found])
    return columns(balancer.service_list(found, modern=modern))


def service_get(arguments: Namespace) -> Lines:
    found = balancer.services(maps.frontends(), modern=_modern())
    lines = balancer.service_get(found, arguments.id)
    if lines is None:
        raise InputError(
            f"no service of this node has the id {arguments.id}\n"
            "  those that there are: cilium service list"
        )
    return lines


def ct_list(arguments: Namespace) -> Lines:
    found = maps.entries(*maps.CONNECTIONS)
    if arguments.output == JSON:
        return _entries(found)
    return flows.ct_list(found, _now() if arguments.time_diff else None)


def ct_flush(_: Namespace) -> Lines:
    return _flushed(maps.CONNECTIONS)


def nat_list(arguments: Namespace) -> Lines:
    found = maps.entries(*maps.TRANSLATIONS)
    return _entries(found) if arguments.output == JSON else flows.nat_list(found, _now())


def nat_flush(_: Namespace) -> Lines:
    return _flushed(maps.TRANSLATIONS)


def fragment_list(arguments: Namespace) -> Lines:
    found = maps.entries(tables.FRAGMENTS, tables.FRAGMENTS6)
    return _entries(found) if arguments.output == JSON else columns(flows.fragment_list(found))


def ipcache_list(arguments: Namespace) -> Lines:
    return _listing(places.ipcache_list(maps.entries(tables.IPCACHE)), arguments)


def ipcache_get(arguments: Namespace) -> Lines:
    found = maps.identity(arguments.address)
    if found is None:
        raise InputError(
            f"{arguments.address} does not map to any identity on this node\n"
            "  what is known of addresses: cilium bpf ipcache list"
        )
    return [places.ipcache_get(str(arguments.address), found)]


def tunnel_list(arguments: Namespace) -> Lines:
    return _listing(places.tunnel_list(maps.entries(tables.IPCACHE)), arguments)


def bpf_endpoint_list(arguments: Namespace) -> Lines:
    return _listing(places.endpoint_list(maps.entries(tables.ENDPOINTS)), arguments)


def metrics_list(arguments: Namespace) -> Lines:
    found = counters.counters(maps.entries(tables.METRICS))
    if arguments.output == JSON:
        return _document([asdict(each) for each in found])
    return columns(counters.metrics_list(found))


def agent_status(arguments: Namespace) -> Lines:
    said = ask()
    if arguments.output == JSON:
        return _document(said)
    lines = status.status(said, verbose=arguments.verbose)
    return [*lines, *fill.bpf_maps(maps.fills(said))] if arguments.verbose else lines


def endpoint_list(arguments: Namespace) -> Lines:
    said = ask()
    if arguments.output == JSON:
        return _document(said["endpoints"])
    return columns(status.endpoint_list(said))


def identity_list(arguments: Namespace) -> Lines:
    said = ask()
    if arguments.output == JSON:
        return _document(said["identities"])
    return columns(status.identity_list(said))


def node_list(arguments: Namespace) -> Lines:
    said = ask()
    if arguments.output == JSON:
        return _document(said["nodes"])
    return columns(status.node_list(said))


def bgp_peers(_: Namespace) -> Lines:
    return bgp.peers()


def bgp_routes(arguments: Namespace) -> Lines:
    version = 4 if arguments.family == "ipv4" else 6
    if arguments.which == "advertised":
        return bgp.advertised(version, arguments.peer)
    return bgp.available(version)


def bgp_policies(_: Namespace) -> Lines:
    return policies.policies(bgp.configuration())


def events(arguments: Namespace) -> Iterator[str]:
    """Lines of the monitor, without end."""
    wanted = notification.Selection(
        *(frozenset(each) for each in (arguments.type, arguments.sources)),
        *(frozenset(each) for each in (arguments.destinations, arguments.related)),
    )
    for event in monitor.events():
        if not wanted.admits(event):
            continue
        if arguments.json:
            yield from notification.as_json(event, monitor.interface)
        elif arguments.verbose > 1 or arguments.hex:
            yield from notification.whole(event, monitor.interface, in_hex=arguments.hex)
        else:
            yield from notification.brief(event, monitor.interface)


def _modern() -> bool:
    """Whether the agent, if there is one, is of a current Cilium's kind."""
    try:
        return bool(ask()["config"]["profile"] == "modern")
    except LabError:
        return False


def _now() -> int:
    """Seconds of the clock that the maps go by."""
    return int(time.monotonic())


def _listing(rows: Rows, arguments: Namespace) -> Lines:
    return _document(grouped(rows)) if arguments.output == JSON else columns(rows)


def _entries(found: maps.Entries) -> Lines:
    return _document([{"key": text.values(k), "value": text.values(v)} for k, v in found])


def _document(value: Any) -> Lines:
    return [json.dumps(value, indent=2)]


def _flushed(wanted: Iterable[tables.Table]) -> Lines:
    for path, count in maps.flush(*wanted):
        yield f"Flushed {count} entries from {path}"
