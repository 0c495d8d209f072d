"""Compact lines of hubble, of the article's time and of today."""

from __future__ import annotations

from lab.scenario import walk
from lab.scenario.reading import flows

ARTICLE = """\
Oct 31 15:43:41.382: 192.168.1.1:36946 <> default/web1-696bfbbbc4-jnxbc:80 to-overlay FORWARDED (TCP Flags: SYN)
Oct 31 15:56:12.739: 10.0.4.105:36956 -> default/web1-696bfbbbc4-jnxbc:80 to-endpoint FORWARDED (TCP Flags: SYN)
Oct 31 15:56:12.739: default/web1-696bfbbbc4-jnxbc:80 <> 10.0.4.105:36956 to-overlay FORWARDED (TCP Flags: SYN, ACK)
EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 5
"""  # noqa: E501 - as hubble prints them


def test_lines_of_the_article() -> None:
    sent_on, arrived, reply = flows.parse(ARTICLE)
    assert sent_on.left == "192.168.1.1:36946"
    assert sent_on.arrow == "<>"
    assert sent_on.right == "default/web1-696bfbbbc4-jnxbc:80"
    assert (sent_on.kind, sent_on.verdict) == ("to-overlay", "FORWARDED")
    assert sent_on.node == ""
    assert arrived.arrow == "->"
    assert reply.tcp_flags == "SYN, ACK"


def test_line_with_node_name_and_identities() -> None:
    line = (
        "Nov  2 08:01:02.003 [k8s-worker3]: 10.0.4.1:40001 (remote-node) -> "
        "default/web1-6:80 (ID:1234) Service backend not found DROPPED (UDP)"
    )
    (flow,) = flows.parse(line)
    assert flow.node == "k8s-worker3"
    assert (flow.left_identity, flow.right_identity) == ("remote-node", "ID:1234")
    assert (flow.kind, flow.verdict) == ("Service backend not found", "DROPPED")
    assert flow.tcp_flags == ""


def test_flows_of_one_connection() -> None:
    seen = flows.parse(ARTICLE)
    assert flows.with_port(seen, 36956) == seen[1:]
    assert flows.with_port(seen, 3695) == []


def test_ports_of_sides() -> None:
    assert flows.port_of("10.0.4.105:36956") == 36956
    assert flows.port_of("default/web1") is None
    assert flows.port_of("[fd00::1]:80") == 80


def test_shapes_are_the_kinds_of_line_once_each() -> None:
    seen = flows.parse(ARTICLE + ARTICLE)
    assert walk.shapes(seen) == [
        "<> to-overlay FORWARDED (TCP Flags: SYN)",
        "-> to-endpoint FORWARDED (TCP Flags: SYN)",
        "<> to-overlay FORWARDED (TCP Flags: SYN, ACK)",
    ]


def test_sources_are_those_of_packets_towards_the_pod() -> None:
    assert walk.sources(flows.parse(ARTICLE)) == {"192.168.1.1:36946", "10.0.4.105:36956"}
