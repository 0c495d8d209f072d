"""`hubble list nodes` and `hubble list namespaces`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from lab.hubble.api import observer_pb2, relay_pb2
from lab.hubble.cli import connection, times
from lab.hubble.cli.terminal import Table, safe
from lab.hubble.service import table as services

OUTPUTS = ("json", "table", "wide")

_STATES = {
    relay_pb2.NODE_CONNECTED: "Connected",
    relay_pb2.NODE_UNAVAILABLE: "Unavailable",
    relay_pb2.NODE_GONE: "Gone",
    relay_pb2.NODE_ERROR: "Error",
}


def nodes(options: argparse.Namespace) -> None:
    """Print the nodes by name."""
    answer = _ask(options, "GetNodes", observer_pb2.GetNodesRequest())
    listed = sorted(answer.nodes, key=lambda node: node.name)
    if options.output == "json":
        _print_json(listed)
    else:
        _print(node_table(listed, wide=options.output == "wide").lines())


def namespaces(options: argparse.Namespace) -> None:
    """Print the namespaces by name."""
    answer = _ask(options, "GetNamespaces", observer_pb2.GetNamespacesRequest())
    if options.output == "json":
        _print_json(answer.namespaces)
        return
    wide = options.output == "wide"
    table = Table(["NAMESPACE", "CLUSTER"] if wide else ["NAMESPACE"])
    for each in answer.namespaces:
        row = [safe(each.namespace), safe(each.cluster)]
        table.add(row if wide else row[:1])
    _print(table.lines())


def node_table(listed: Iterable[observer_pb2.Node], *, wide: bool) -> Table:
    """NAME, STATUS, AGE, FLOWS/S and how full; wide adds version, address and TLS."""
    more = ["VERSION", "ADDRESS", "TLS"] if wide else []
    table = Table(["NAME", "STATUS", "AGE", "FLOWS/S", "CURRENT/MAX-FLOWS", *more])
    for node in listed:
        seconds = (node.uptime_ns + 5 * 10**8) // 10**9
        known = seconds > 0
        full = node.num_flows / node.max_flows * 100 if node.max_flows else 0.0
        row = [
            safe(node.name),
            _STATES.get(node.state, "Unknown"),
            times.span(node.uptime_ns) if known else "N/A",
            f"{node.seen_flows / seconds:.2f}" if known else "N/A",
            f"{node.num_flows}/{node.max_flows} ({full:6.2f}%)" if node.max_flows else "N/A",
        ]
        if wide:
            tls = "N/A"
            if node.HasField("tls"):
                tls = "Enabled" if node.tls.enabled else "Disabled"
            row += [safe(node.version) or "N/A", safe(node.address), tls]
        table.add(row)
    return table


def _ask(options: argparse.Namespace, method: str, request: Message) -> Any:
    limit = times.duration(options.request_timeout) / 10**9
    with connection.connect(options, times.duration(options.timeout) / 10**9) as channel:
        return services.call(channel, services.OBSERVER, method)(request, timeout=limit)


def _print_json(messages: Iterable[Message]) -> None:
    values = [MessageToDict(each, preserving_proto_field_name=True) for each in messages]
    sys.stdout.write(f"{json.dumps(values)}\n")


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
