"""`python -m lab.agent.cilium`: the command line. Standard library only: it starts in no time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from lab import output
from lab.agent.cilium import commands, notification
from lab.errors import FileError, LabError

Command = Callable[[argparse.Namespace], commands.Lines]


def parser() -> argparse.ArgumentParser:
    """All commands there are; argparse ends the process with 2 and a usage for any other."""
    found = argparse.ArgumentParser(prog="cilium", description="The datapath of this node.")
    top = found.add_subparsers(required=True, metavar="COMMAND")
    _add_bpf(_noun(top, "bpf", "what the maps hold"))
    verbs = _noun(top, "service", "services by their number")
    _add(verbs, "list", commands.service_list, "all services with their backends")
    leaf = verbs.add_parser("get", help="one service")
    leaf.add_argument("id", type=int)
    leaf.set_defaults(command=commands.service_get)
    _add_list(top, "endpoint", commands.endpoint_list, "pods of this node")
    _add_list(top, "identity", commands.identity_list, "security identities and their labels")
    _add_list(top, "node", commands.node_list, "nodes and the networks of their pods")
    _add_bgp(_noun(top, "bgp", "sessions and routes"))
    leaf = _add(top, "status", commands.agent_status, "the state of the agent")
    leaf.add_argument("--verbose", action="store_true", help="how it balances, too")
    _add_monitor(top.add_parser("monitor", help="events as they happen"))
    return found


def _noun(above: Any, name: str, summary: str) -> Any:
    """A word that needs another one behind it."""
    return above.add_parser(name, help=summary).add_subparsers(required=True)


def _add(above: Any, name: str, command: Command, summary: str) -> argparse.ArgumentParser:
    """A command whose answer can be had as JSON, too."""
    leaf: argparse.ArgumentParser = above.add_parser(name, help=summary)
    leaf.add_argument("-o", "--output", choices=[commands.JSON], help="instead of text")
    leaf.set_defaults(command=command)
    return leaf


def _add_list(above: Any, noun: str, command: Command, summary: str) -> None:
    """A word that only a list is asked of."""
    _add(_noun(above, noun, summary), "list", command, summary)


def _add_bpf(nouns: Any) -> None:
    _add_balancer(_noun(nouns, "lb", "frontends and backends"))
    _add_flows(nouns)
    verbs = _noun(nouns, "ipcache", "identities and tunnel endpoints of addresses")
    _add(verbs, "list", commands.ipcache_list, "of all addresses")
    leaf = verbs.add_parser("get", help="of one address")
    leaf.add_argument("address", type=ip_address)
    leaf.set_defaults(command=commands.ipcache_get)
    _add_list(nouns, "endpoint", commands.bpf_endpoint_list, "addresses of this node")
    _add_list(nouns, "tunnel", commands.tunnel_list, "pod networks of other nodes")
    _add_list(nouns, "metrics", commands.metrics_list, "packets by what became of them")


def _add_flows(nouns: Any) -> None:
    verbs = _noun(nouns, "ct", "connections")
    leaf = _add(verbs, "list", commands.ct_list, "all connections")
    leaf.add_argument("which", nargs="?", choices=["global"], default="global")
    leaf.add_argument(
        "-d", "--time-diff", action="store_true", help="how much longer each is known"
    )
    leaf = verbs.add_parser("flush", help="forget all connections")
    leaf.add_argument("which", choices=["global"])
    leaf.set_defaults(command=commands.ct_flush)
    verbs = _noun(nouns, "nat", "source translations")
    _add(verbs, "list", commands.nat_list, "all translations")
    verbs.add_parser("flush", help="forget all translations").set_defaults(
        command=commands.nat_flush
    )
    verbs = _noun(nouns, "frag", "datagrams that came in parts")
    _add(verbs, "list", commands.fragment_list, "those whose first part was seen")


def _add_balancer(verbs: Any) -> None:
    leaf = _add(verbs, "list", commands.lb_list, "frontends with their backends")
    alone = leaf.add_mutually_exclusive_group()
    for flag, summary in (
        ("--frontends", "the services map, slot by slot"),
        ("--backends", "the backends map"),
        ("--revnat", "the reverse NAT map"),
        ("--source-ranges", "the source ranges map"),
    ):
        alone.add_argument(flag, action="store_true", help=summary)
    tables = _noun(verbs, "maglev", "lookup tables of services with several backends")
    _add(tables, "list", commands.maglev_list, "tables of all services")
    leaf = _add(tables, "get", commands.maglev_get, "the table of one service")
    leaf.add_argument("id", type=int, help="of the service")


def _add_bgp(verbs: Any) -> None:
    verbs.add_parser("peers", help="sessions").set_defaults(command=commands.bgp_peers)
    leaf = verbs.add_parser("route-policies", help="what is set on routes on their way")
    leaf.set_defaults(command=commands.bgp_policies)
    routes = verbs.add_parser("routes", help="what is, or can be, announced")
    routes.add_argument(
        "which", nargs="?", choices=["available", "advertised"], default="available"
    )
    routes.add_argument("family", nargs="?", choices=["ipv4", "ipv6"], default="ipv4")
    routes.add_argument("safi", nargs="?", choices=["unicast"], default="unicast")
    routes.add_argument("--peer", help="address of one peer")
    routes.set_defaults(command=commands.bgp_routes)


def _add_monitor(leaf: argparse.ArgumentParser) -> None:
    leaf.add_argument(
        "-t", "--type", action="append", default=[], choices=list(notification.TYPES),
        help="only events of this kind; may be given again",
    )  # fmt: skip
    for flag, name, summary in (
        ("--from", "sources", "only events of this endpoint's program (its id)"),
        ("--to", "destinations", "only events of packets for this endpoint"),
        ("--related-to", "related", "only events that have to do with this endpoint"),
    ):
        leaf.add_argument(
            flag, dest=name, metavar="ID", type=int, action="append", default=[], help=summary
        )
    leaf.add_argument(
        "-v", "--verbose", action="count", default=0, help="-vv: all that the header says"
    )
    leaf.add_argument("--hex", action="store_true", help="and the packet's bytes")
    leaf.add_argument("-j", "--json", action="store_true", help="a JSON object an event")
    leaf.set_defaults(command=commands.events)


def main() -> int:
    """Parse, run, print; the exit code."""
    arguments = parser().parse_args()
    try:
        for line in arguments.command(arguments):
            sys.stdout.write(line + "\n")
            if arguments.command is commands.events:
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
