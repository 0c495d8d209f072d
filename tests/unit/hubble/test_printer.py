"""What the command prints of flows, character by character, in each output and both generations."""

from __future__ import annotations

import io
import json

import pytest

from lab.hubble.api import flow_pb2, observer_pb2, relay_pb2
from lab.hubble.cli import json_lines
from lab.hubble.cli.printer import FlowPrinter, Style
from lab.hubble.cli.terminal import Table, safe

from .printed import flow


def printed(response: observer_pb2.GetFlowsResponse, **style: object) -> str:
    out, err = io.StringIO(), io.StringIO()
    printer = FlowPrinter(Style(**style), out, err)  # type: ignore[arg-type]
    printer.write(response)
    printer.close()
    return out.getvalue() + err.getvalue()


POLICY = {"event_type": {"type": 5}, "policy_match_type": 2, "traffic_direction": "INGRESS"}


@pytest.mark.parametrize(
    ("changes", "style", "line"),
    [
        (
            {},
            {},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 (host) -> default/web1-x:80 (ID:35812)"
            " to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {},
            {"generation": "0.8", "node_name": True},
            "Oct 31 15:43:41.382 [k8s-worker3]: 10.0.3.103:48278 -> default/web1-x:80"
            " to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {"is_reply": True},
            {},
            "Oct 31 15:43:41.382: default/web1-x:80 (ID:35812) <- 10.0.3.103:48278 (host)"
            " to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {"is_reply": None, "event_type": {"type": 4, "sub_type": 4}},
            {"generation": "0.8"},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 <> default/web1-x:80"
            " to-overlay FORWARDED (TCP Flags: SYN)",
        ),
        (
            {"verdict": "DROPPED", "event_type": {"type": 1, "sub_type": 158}, "is_reply": None},
            {},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 (host) <> default/web1-x:80 (ID:35812)"
            " Service backend not found DROPPED (TCP Flags: SYN)",
        ),
        (
            POLICY,
            {},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 (host) -> default/web1-x:80 (ID:35812)"
            " policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN)",
        ),
        (
            {**POLICY, "verdict": "DROPPED", "drop_reason": 133, "is_reply": None},
            {},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 (host) <> default/web1-x:80 (ID:35812)"
            " policy-verdict:L3-L4 INGRESS DENIED (TCP Flags: SYN)",
        ),
        (
            {**POLICY, "verdict": "DROPPED", "drop_reason": 133, "is_reply": None},
            {"generation": "0.8"},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 <> default/web1-x:80"
            " Policy denied DROPPED (TCP Flags: SYN)",
        ),
        (
            {"event_type": {"type": 7}, "verdict": "TRANSLATED", "sock_xlate_point": 2},
            {},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 (host) -> default/web1-x:80 (ID:35812)"
            " post-xlate-fwd TRANSLATED (TCP Flags: SYN)",
        ),
        (
            {"destination_service": {"name": "web1-lb", "namespace": "shop"}, "destination": {}},
            {"generation": "0.8"},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 -> shop/web1-lb:80"
            " to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {"destination": {}, "destination_names": ["a.example", "b.example"]},
            {"generation": "0.8", "time_format": "RFC3339Milli"},
            "2021-10-31T15:43:41.382Z: 10.0.3.103:48278 -> a.example,b.example:80"
            " to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {},
            {"generation": "0.8", "translate": False},
            "Oct 31 15:43:41.382: 10.0.3.103:48278 -> 10.0.3.150:80"
            " to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {
                "IP": {"source": "fd00::1", "destination": "fd00::2", "ipVersion": "IPv6"},
                "destination": {"identity": 2},
                "auth_type": "SPIRE",
            },
            {},
            "Oct 31 15:43:41.382: [fd00::1]:48278 (host) -> [fd00::2]:80 (world)"
            " to-endpoint FORWARDED (TCP Flags: SYN; SPIRE)",
        ),
        (
            {"IP": None, "l4": None, "ethernet": {"source": "0a:01", "destination": "0a:02"}},
            {"generation": "0.8"},
            "Oct 31 15:43:41.382: 0a:01 -> 0a:02 to-endpoint FORWARDED (TCP Flags: SYN)",
        ),
        (
            {"l7": {"type": "RESPONSE", "dns": {"observation_source": "proxy"}}, "time": None},
            {"generation": "0.8"},
            "N/A: 10.0.3.103:48278 -> default/web1-x:80 dns-response proxy FORWARDED"
            " (TCP Flags: SYN)",
        ),
    ],
)
def test_compact(changes: dict[str, object], style: dict[str, object], line: str) -> None:
    assert printed(flow(**changes), **style) == f"{line}\n"


def test_names_from_the_network_cannot_command_the_terminal() -> None:
    evil = flow(
        destination={"namespace": "default", "pod_name": "x\x1b[2J\n\x07"}, Summary="\x9b1m"
    )
    assert "default/x^[[2J\n^G:80" not in printed(evil)
    assert "\x1b" not in printed(evil)
    assert "default/x^[[2J" in printed(evil)
    assert safe("a\x1bb\x9bc\x7f") == "a^[b\\x9bc^?"


def test_dict_puts_a_line_between_flows() -> None:
    out = io.StringIO()
    printer = FlowPrinter(Style(output="dict", node_name=True), out, io.StringIO())
    printer.write(flow())
    printer.write(flow())
    one = (
        "  TIMESTAMP: Oct 31 15:43:41.382\n"
        "       NODE: k8s-worker3\n"
        "     SOURCE: 10.0.3.103:48278\n"
        "DESTINATION: default/web1-x:80\n"
        "       TYPE: to-endpoint\n"
        "    VERDICT: FORWARDED\n"
        "    SUMMARY: TCP Flags: SYN\n"
    )
    assert out.getvalue() == f"{one}------------\n{one}"


def test_table_is_as_wide_as_its_widest_cell() -> None:
    assert printed(flow(), output="table") == (
        "TIMESTAMP             SOURCE             DESTINATION         TYPE          VERDICT     SUMMARY\n"  # noqa: E501
        "Oct 31 15:43:41.382   10.0.3.103:48278   default/web1-x:80   to-endpoint   FORWARDED   TCP Flags: SYN\n"  # noqa: E501
    )


def test_json_is_the_response_and_was_the_flow() -> None:
    response = flow()
    response.node_name = "k8s-worker3"
    now, then = printed(response, output="json"), printed(response, output="json", generation="0.8")
    assert json.loads(now)["flow"]["l4"] == {"TCP": {"source_port": 48278, "destination_port": 80}}
    assert json.loads(now)["node_name"] == "k8s-worker3"
    assert json.loads(then)["is_reply"] is False
    assert printed(response, output="jsonpb", generation="0.8") == now
    for text in (now, then):
        assert next(json_lines.read_flows([text], "x")).flow == response.flow


def test_lost_events() -> None:
    lost = observer_pb2.GetFlowsResponse(
        lost_events=flow_pb2.LostEvent(source=flow_pb2.HUBBLE_RING_BUFFER, num_events_lost=12)
    )
    assert printed(lost) == "EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 12\n"
    assert "    SUMMARY: CPU(0) - 12\n" in printed(lost, output="dict")


def test_news_of_nodes_go_to_stderr() -> None:
    names = [f"k8s-worker{n}" for n in range(1, 7)]
    response = observer_pb2.GetFlowsResponse(
        node_name="relay",
        node_status=relay_pb2.NodeStatusEvent(
            state_change=relay_pb2.NODE_UNAVAILABLE, node_names=names
        ),
    )
    response.time.FromJsonString("2021-10-31T15:43:41.382Z")
    assert printed(response) == (
        "Oct 31 15:43:41.382 [relay]: 6 nodes are unavailable:"
        " k8s-worker1, k8s-worker2, k8s-worker3 (and 3 more)\n"
    )
    response.node_status.state_change = relay_pb2.NODE_CONNECTED
    assert printed(response) == ""
    assert "Receiving flows from 6 nodes" in printed(response, debug=True)


def test_news_of_nodes_between_flows_as_fields() -> None:
    news = observer_pb2.GetFlowsResponse(
        node_name="relay",
        node_status=relay_pb2.NodeStatusEvent(
            state_change=relay_pb2.NODE_ERROR, node_names=["k8s-worker1"], message='no "ring"'
        ),
    )
    news.time.FromJsonString("2021-10-31T15:43:41.382Z")
    both = io.StringIO()
    printer = FlowPrinter(Style(output="dict"), both, both)
    for response in (news, flow(), news):
        printer.write(response)
    one = (
        "  TIMESTAMP: Oct 31 15:43:41.382\n"
        "      STATE: NODE_ERROR\n"
        "      NODES: k8s-worker1\n"
        '    MESSAGE: "no \\"ring\\""\n'
    )
    first, shown, last = both.getvalue().split("------------\n")
    assert (first, last) == (one, one)
    assert shown.startswith("  TIMESTAMP: Oct 31 15:43:41.382\n     SOURCE: ")
    news.node_status.message = ""
    assert "    MESSAGE: N/A\n" in printed(news, output="dict")


def test_colours_name_meanings() -> None:
    line = printed(flow(), generation="0.8", color=True)
    assert "\x1b[36mdefault/web1-x:\x1b[33m80\x1b[0m\x1b[0m" in line
    assert "\x1b[32mFORWARDED\x1b[0m" in line


def test_table_of_one_column() -> None:
    table = Table(["NAMESPACE"])
    table.add(["default"])
    assert table.lines() == ["NAMESPACE", "default"]
