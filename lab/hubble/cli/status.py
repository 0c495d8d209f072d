"""`hubble status`: is the server well, and how full are its rings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from lab.errors import LabError
from lab.hubble.api import health_pb2, observer_pb2
from lab.hubble.cli import connection, json_lines, texts, times
from lab.hubble.cli.terminal import Table, safe
from lab.hubble.service import table as services

OUTPUTS = ("compact", "dict", "json", "table")


class NotHealthy(LabError):
    """The server answered that it is not serving."""


def run(options: argparse.Namespace) -> None:
    """Ask for health, then for the status, and print both."""
    limit = times.duration(options.request_timeout) / 10**9
    with connection.connect(options, times.duration(options.timeout) / 10**9) as channel:
        check = services.call(channel, services.HEALTH, "Check")
        request = health_pb2.HealthCheckRequest(service=services.HEALTH_NAME)
        health = check(request, timeout=limit).status
        serving = health == health_pb2.HealthCheckResponse.SERVING
        if options.output == "compact":
            name = health_pb2.HealthCheckResponse.ServingStatus.Name(health)
            word = "Ok" if serving else f"Unavailable: {name}"
            sys.stdout.write(f"Healthcheck (via {options.server}): {word}\n")
        if not serving:
            raise NotHealthy(f"the Hubble server at {options.server} is not healthy")
        ask = services.call(channel, services.OBSERVER, "ServerStatus")
        answer = ask(observer_pb2.ServerStatusRequest(), timeout=limit)
    sys.stdout.writelines(
        f"{line}\n" for line in lines(answer, options.output, texts.generation_of(answer.version))
    )


def lines(
    status: observer_pb2.ServerStatusResponse, output: str, generation: str = "current"
) -> list[str]:
    """The status in one of OUTPUTS; `generation` is one of texts.GENERATIONS."""
    if output == "json":
        return [json_lines.text(status)]
    if output == "table":
        fields = list(_fields(status))
        table = Table([key for key, _ in fields])
        table.add([value for _, value in fields])
        return table.lines()
    if output == "dict":
        short = {"NUM UNAVAILABLE NODES": "NUM UNAVAIL. NODES"}
        return [f"{short.get(key, key):>19}: {value}" for key, value in _fields(status)]
    return list(_compact(status, generation))


def _compact(status: observer_pb2.ServerStatusResponse, generation: str) -> Iterator[str]:
    share = f" ({status.num_flows / status.max_flows:.2%})" if status.max_flows else ""
    grouped = "" if generation == "0.8" else ","
    flows, most = (f"{count:{grouped}}" for count in (status.num_flows, status.max_flows))
    yield f"Current/Max Flows: {flows}/{most}{share}"
    seconds = status.uptime_ns / 10**9
    average = f"{status.seen_flows / seconds:.2f}" if seconds else "N/A"
    yield f"Flows/s: {_rate(status, average)}"
    connected, unavailable = status.num_connected_nodes, status.num_unavailable_nodes
    if status.HasField("num_connected_nodes"):
        total = ""
        if status.HasField("num_unavailable_nodes"):
            total = f"/{connected.value + unavailable.value}"
        yield f"Connected Nodes: {connected.value}{total}"
    if unavailable.value:
        yield f"Unavailable Nodes: {unavailable.value}"
        yield from (f"  - {safe(name)}" for name in sorted(status.unavailable_nodes))
        more = unavailable.value - len(status.unavailable_nodes)
        if more > 0 and status.unavailable_nodes:
            yield f"  - and {more} more..."


def _fields(status: observer_pb2.ServerStatusResponse) -> Iterator[tuple[str, str]]:
    yield "NUM FLOWS", f"{status.num_flows:,}"
    yield "MAX FLOWS", f"{status.max_flows:,}"
    yield "SEEN FLOWS", f"{status.seen_flows:,}"
    yield "FLOWS PER SECOND", _rate(status, "N/A")
    yield "UPTIME", times.span(status.uptime_ns)
    for key, field in (
        ("NUM CONNECTED NODES", "num_connected_nodes"),
        ("NUM UNAVAILABLE NODES", "num_unavailable_nodes"),
    ):
        yield key, str(getattr(status, field).value) if status.HasField(field) else "N/A"
    yield "VERSION", safe(status.version)


def _rate(status: observer_pb2.ServerStatusResponse, unknown: str) -> str:
    return f"{status.flows_rate:.2f}" if status.flows_rate > 0 else unknown
