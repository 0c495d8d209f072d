"""Prints what a GetFlows stream brings: flows and losses to stdout, news of nodes to stderr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from lab.hubble.api import flow_pb2, observer_pb2, relay_pb2
from lab.hubble.cli import json_lines, texts, times
from lab.hubble.cli.terminal import Painter, Table, safe

OUTPUTS = ("compact", "dict", "json", "jsonpb", "table")

SEPARATOR = "------------"
NAMES_WIDTH = 50
"""Characters of node names in a message before "(and N more)"."""

_MEANINGS = {
    flow_pb2.FORWARDED: "forwarded",
    flow_pb2.REDIRECTED: "forwarded",
    flow_pb2.DROPPED: "dropped",
    flow_pb2.ERROR: "dropped",
    flow_pb2.AUDIT: "undecided",
    flow_pb2.TRACED: "undecided",
    flow_pb2.TRANSLATED: "undecided",
}


@dataclass(frozen=True)
class Style:
    """How to print. `generation` is one of texts.GENERATIONS, `time_format` of times.FORMATS."""

    output: str = "compact"
    generation: str = "current"
    node_name: bool = False
    translate: bool = True
    color: bool = False
    time_format: str = "StampMilli"
    debug: bool = False
    """Print news of nodes that connect or leave, too."""
    silent: bool = False
    """Print no news of nodes at all."""


class FlowPrinter:
    """Writes responses in one style; `close` writes what a table was waiting for."""

    def __init__(self, style: Style, out: TextIO, err: TextIO) -> None:
        self._style = style
        self._out = out
        self._err = err
        self._painter = Painter(style.color and style.output in ("compact", "dict"))
        self._table: Table | None = None
        self._printed = 0

    def write(self, response: observer_pb2.GetFlowsResponse) -> None:
        """Print one response of any kind; one that is newer than this program is skipped."""
        kind = response.WhichOneof("response_types")
        if kind == "flow":
            self._flow(response)
        elif kind == "node_status":
            self._node_status(response)
        elif kind == "lost_events":
            self._lost(response)

    def close(self) -> None:
        if self._table is not None:
            self._print(*self._table.lines())
            self._table = None
        self._out.flush()

    def _flow(self, response: observer_pb2.GetFlowsResponse) -> None:
        output = self._style.output
        if output == "json" and self._style.generation == "0.8":
            self._print(json_lines.text(response.flow))
        elif output in ("json", "jsonpb"):
            self._print(json_lines.text(response))
        elif output == "dict":
            self._dict(self._flow_fields(response.flow))
        elif output == "table":
            self._row([value for _, value in self._flow_fields(response.flow)])
        else:
            self._print(self._compact(response.flow))
        self._out.flush()

    def _compact(self, flow: flow_pb2.Flow) -> str:
        generation = self._style.generation
        left, right = self._hosts(flow)
        if generation != "0.8":
            left = f"{left} {self._identity(flow.source.identity)}"
            right = f"{right} {self._identity(flow.destination.identity)}"
        arrow = texts.arrow(flow)
        if arrow == "<-":
            # The client stays on the left, so that the eye can follow a conversation.
            left, right = right, left
        node = f" [{safe(flow.node_name)}]" if self._style.node_name else ""
        return (
            f"{self._time(flow)}{node}: {left} {arrow} {right}"
            f" {safe(texts.flow_type(flow, generation))} {self._verdict(flow)}"
            f" ({safe(texts.summary(flow, generation))})"
        )

    def _flow_fields(self, flow: flow_pb2.Flow) -> list[tuple[str, str]]:
        generation = self._style.generation
        source, destination = self._hosts(flow)
        return [
            ("TIMESTAMP", self._time(flow)),
            *([("NODE", safe(flow.node_name))] if self._style.node_name else []),
            ("SOURCE", source),
            ("DESTINATION", destination),
            ("TYPE", safe(texts.flow_type(flow, generation))),
            ("VERDICT", self._verdict(flow)),
            ("SUMMARY", safe(texts.summary(flow, generation))),
        ]

    def _hosts(self, flow: flow_pb2.Flow) -> tuple[str, str]:
        paint = self._painter.paint
        source, destination = (
            paint("host", texts.with_port(safe(host), paint("port", str(port or ""))))
            for host, port in zip(
                texts.hosts(flow, translate=self._style.translate), texts.ports(flow), strict=True
            )
        )
        return source, destination

    def _identity(self, number: int) -> str:
        return self._painter.paint("identity", texts.identity(number))

    def _verdict(self, flow: flow_pb2.Flow) -> str:
        word = texts.verdict(flow, self._style.generation)
        meaning = _MEANINGS.get(flow.verdict)
        return self._painter.paint(meaning, word) if meaning else word

    def _lost(self, response: observer_pb2.GetFlowsResponse) -> None:
        lost = response.lost_events
        source = texts.enum_name(flow_pb2.LostEventSource, lost.source)
        count = f"CPU({lost.cpu.value}) - {lost.num_events_lost}"
        fields = [
            ("TIMESTAMP", ""),
            *([("NODE", "")] if self._style.node_name else []),
            ("SOURCE", source),
            ("DESTINATION", ""),
            ("TYPE", "EVENTS LOST"),
            ("VERDICT", ""),
            ("SUMMARY", count),
        ]
        if self._style.output in ("json", "jsonpb"):
            legacy = self._style.output == "json" and self._style.generation == "0.8"
            self._print(json_lines.text(lost if legacy else response))
        elif self._style.output == "table":
            self._row([value for _, value in fields])
        elif self._style.output == "dict":
            self._dict([field for field in fields if field[0] != "DESTINATION"])
        else:
            self._print(f"EVENTS LOST: {source} CPU({lost.cpu.value}) {lost.num_events_lost}")
        self._out.flush()

    def _node_status(self, response: observer_pb2.GetFlowsResponse) -> None:
        status = response.node_status
        if self._style.silent:
            return
        if not self._style.debug and status.state_change not in (
            relay_pb2.NODE_ERROR,
            relay_pb2.NODE_UNAVAILABLE,
        ):
            return
        self._err.writelines(f"{line}\n" for line in self._news(response))
        self._err.flush()

    def _news(self, response: observer_pb2.GetFlowsResponse) -> list[str]:
        """Lines for stderr about a change of nodes."""
        if self._style.output in ("json", "jsonpb"):
            return [json_lines.text(response)]
        at = times.write(response.time.ToNanoseconds(), self._style.time_format)
        status = response.node_status
        if self._style.output != "dict":
            return [f"{at} [{safe(response.node_name)}]: {node_status(status)}"]
        separator = [SEPARATOR] if self._printed else []
        self._printed += 1  # the next flow stands apart from it
        state = texts.enum_name(relay_pb2.NodeState, status.state_change)
        message = json.dumps(safe(status.message)) if status.message else "N/A"
        fields = [("TIMESTAMP", at), ("STATE", state), ("NODES", safe(_names(status.node_names)))]
        return [*separator, *_dict_lines([*fields, ("MESSAGE", message)])]

    def _time(self, flow: flow_pb2.Flow) -> str:
        if not flow.HasField("time"):
            return "N/A"
        return times.write(flow.time.ToNanoseconds(), self._style.time_format)

    def _row(self, row: Sequence[str]) -> None:
        if self._table is None:
            node = ["NODE"] if self._style.node_name else []
            header = ["TIMESTAMP", *node, "SOURCE", "DESTINATION", "TYPE", "VERDICT", "SUMMARY"]
            self._table = Table(header)
        self._table.add(row)

    def _dict(self, fields: Sequence[tuple[str, str]]) -> None:
        if self._printed:
            self._print(SEPARATOR)
        self._print(*_dict_lines(fields))

    def _print(self, *lines: str) -> None:
        self._out.writelines(f"{line}\n" for line in lines)
        self._printed += len(lines)


def node_status(status: relay_pb2.NodeStatusEvent) -> str:
    """A relay's news of nodes as a sentence."""
    names = safe(_names(status.node_names))
    count = len(status.node_names)
    if status.state_change == relay_pb2.NODE_CONNECTED:
        return f"Receiving flows from {count} nodes: {names}"
    if status.state_change == relay_pb2.NODE_UNAVAILABLE:
        return f"{count} nodes are unavailable: {names}"
    if status.state_change == relay_pb2.NODE_GONE:
        return f"{count} nodes removed from cluster: {names}"
    if status.state_change == relay_pb2.NODE_ERROR:
        return f'Error "{safe(status.message)}" on {count} nodes: {names}'
    return f"unknown node status {status.state_change} on {count} nodes: {names}"


def _dict_lines(fields: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{key:>11}: {value}" for key, value in fields]


def _names(names: Sequence[str]) -> str:
    """Names joined by commas; those beyond the width are counted instead, but for the first."""
    length = 0
    for index, name in enumerate(names):
        length += len(name) + 2
        if length > NAMES_WIDTH and index:
            return f"{', '.join(names[:index])} (and {len(names) - index} more)"
    return ", ".join(names)
