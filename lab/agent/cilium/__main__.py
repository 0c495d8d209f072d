"""`python -m lab.agent.cilium`: the command line. Standard library only: it starts in no time."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lab import output
from lab.agent.cilium import (
    balancer,
    bgp,
    counters,
    fill,
    flows,
    monitor,
    places,
    policies,
    status,
)
from lab.agent.cilium.asking import ask
from lab.bpf import tables
from lab.bpf.ledger import Ledger
from lab.bpf.maps import Map, PerCpuMap
from lab.bpf.object_info import map_info
from lab.errors import FileError, LabError

Lines = Iterable[str]
Command = Callable[[argparse.Namespace], Lines]

USAGE = 2


def _map(table: tables.Table) -> Iterable[tuple[Any, Any]]:
    kind = PerCpuMap if table.per_cpu else Map
    opened: Map[Any, Any] = kind.pinned(table)
    return opened.items()


def _listed() -> list[balancer.Listed]:
    return [
        *_listed_in(tables.SERVICES, tables.BACKENDS),
        *_listed_in(tables.SERVICES6, tables.BACKENDS6),
    ]


def _listed_in(services: tables.Table, backends: tables.Table) -> list[balancer.Listed]:
    by_id = {key.id: value for key, value in _map(backends)}
    return balancer.listing(dict(_map(services)), by_id)


def _modern() -> bool:
    """Whether the agent, if there is one, is of a current Cilium's kind."""
    try:
        return bool(ask()["config"]["profile"] == "modern")
    except LabError:
        return False


def _lb_list(_: argparse.Namespace) -> Lines:
    return balancer.bpf_lb_list(_listed(), modern=_modern())


def _service_list(_: argparse.Namespace) -> Lines:
    return balancer.service_list(_listed(), modern=_modern())


def _ct_list(_: argparse.Namespace) -> Lines:
    for table in (tables.CT_TCP, tables.CT_ANY, tables.CT_TCP6, tables.CT_ANY6):
        yield from flows.ct_list(_map(table))


def _nat_list(_: argparse.Namespace) -> Lines:
    now = int(time.monotonic())
    for table in (tables.SNAT, tables.SNAT6):
        yield from flows.nat_list(_map(table), now)


def _ipcache_list(_: argparse.Namespace) -> Lines:
    return places.ipcache_list(_map(tables.IPCACHE))


def _tunnel_list(_: argparse.Namespace) -> Lines:
    return places.tunnel_list(_map(tables.IPCACHE))


def _bpf_endpoint_list(_: argparse.Namespace) -> Lines:
    return places.endpoint_list(_map(tables.ENDPOINTS))


def _metrics_list(_: argparse.Namespace) -> Lines:
    return counters.metrics_list(_map(tables.METRICS))


def _status(arguments: argparse.Namespace) -> Lines:
    said = ask()
    lines = status.status(said, verbose=arguments.verbose)
    return [*lines, *fill.bpf_maps(_fills(said))] if arguments.verbose else lines


def _fills(said: Mapping[str, Any]) -> Iterator[fill.Row]:
    """The tables of the address families that the node has, as they are at this moment."""
    with Ledger.pinned() as books:
        for name, table, version in fill.TABLES:
            if version == 4 or said["config"].get("ipv6"):
                with Map[Any, Any].pinned(table) as opened:
                    found = books.read(opened)
                    size = int(map_info(opened.fd).max_entries)
                yield name, size, len(found.entries), found.evicted


def _endpoint_list(_: argparse.Namespace) -> Lines:
    return status.endpoint_list(ask())


def _bgp_peers(_: argparse.Namespace) -> Lines:
    return bgp.peers()


def _bgp_routes(arguments: argparse.Namespace) -> Lines:
    version = 4 if arguments.family == "ipv4" else 6
    if arguments.which == "advertised":
        return bgp.advertised(version, arguments.peer)
    return bgp.available(version)


def _bgp_policies(_: argparse.Namespace) -> Lines:
    return policies.policies(bgp.configuration())


def _monitor(arguments: argparse.Namespace) -> Lines:
    def name(index: int) -> str:
        try:
            return socket.if_indextoname(index)
        except OSError:
            return ""

    wanted = {"trace": ("->", "<-"), "drop": ("xx",)}.get(arguments.type, ("->", "<-", "xx", "??"))
    for event in monitor.events():
        line = monitor.text(event, name)
        if line is not None and line.startswith(wanted):
            yield line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cilium", description="The datapath of this node.")
    top = parser.add_subparsers(required=True, metavar="COMMAND")
    bpf = top.add_parser("bpf", help="what the maps hold").add_subparsers(required=True)
    for path, command, summary in (
        ("lb list", _lb_list, "frontends and backends"),
        ("ct list", _ct_list, "connections"),
        ("nat list", _nat_list, "source translations"),
        ("ipcache list", _ipcache_list, "identities and tunnel endpoints of addresses"),
        ("endpoint list", _bpf_endpoint_list, "addresses of this node"),
        ("tunnel list", _tunnel_list, "pod networks of other nodes"),
        ("metrics list", _metrics_list, "packets by what became of them"),
    ):
        noun, verb = path.split()
        verbs = bpf.add_parser(noun, help=summary).add_subparsers(required=True)
        leaf = verbs.add_parser(verb, help=summary)
        leaf.set_defaults(command=command)
        if noun == "ct":
            leaf.add_argument("which", nargs="?", choices=["global"], default="global")
    _add_leaf(top, "service", "list", _service_list, "services by their number")
    _add_leaf(top, "endpoint", "list", _endpoint_list, "pods of this node")
    _add_bgp(top)
    leaf = top.add_parser("status", help="the state of the agent")
    leaf.add_argument("--verbose", action="store_true", help="how it balances, too")
    leaf.set_defaults(command=_status)
    leaf = top.add_parser("monitor", help="events as they happen")
    leaf.add_argument("-t", "--type", choices=["trace", "drop"], help="only events of one kind")
    leaf.set_defaults(command=_monitor)
    return parser


def _add_leaf(top: Any, noun: str, verb: str, command: Command, summary: str) -> None:
    verbs = top.add_parser(noun, help=summary).add_subparsers(required=True)
    verbs.add_parser(verb, help=summary).set_defaults(command=command)


def _add_bgp(top: Any) -> None:
    verbs = top.add_parser("bgp", help="sessions and routes").add_subparsers(required=True)
    verbs.add_parser("peers", help="sessions").set_defaults(command=_bgp_peers)
    leaf = verbs.add_parser("route-policies", help="what is set on routes on their way")
    leaf.set_defaults(command=_bgp_policies)
    routes = verbs.add_parser("routes", help="what is, or can be, announced")
    routes.add_argument(
        "which", nargs="?", choices=["available", "advertised"], default="available"
    )
    routes.add_argument("family", nargs="?", choices=["ipv4", "ipv6"], default="ipv4")
    routes.add_argument("safi", nargs="?", choices=["unicast"], default="unicast")
    routes.add_argument("--peer", help="address of one peer")
    routes.set_defaults(command=_bgp_routes)


def main() -> int:
    """Parse, run, print; the exit code."""
    arguments = _parser().parse_args()
    try:
        for line in arguments.command(arguments):
            sys.stdout.write(line + "\n")
            if arguments.command is _monitor:
                sys.stdout.flush()
        sys.stdout.flush()
    except LabError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except (BrokenPipeError, KeyboardInterrupt):
        return 0
    except OSError as error:
        sys.stderr.write(f"error: {FileError.of(error)}\n")
        output.give_up()
        return FileError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
