"""Counters with Hubble's names and labels."""
# ruff: noqa: E501

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lab.errors import InputError
from lab.hubble.metrics.exporter import DEFAULT, FlowMetrics
from lab.hubble.observer import Observer

from . import article
from .article import ACK, FIN, REPLY, SYN, TO_ENDPOINT, TO_OVERLAY, TO_STACK


def scraped(*configuration: str) -> list[str]:
    observer = Observer("k8s-worker3", article.pod_node())
    registry = CollectorRegistry()
    registry.register(FlowMetrics(observer, configuration))
    probe = ("10.0.3.103", 48278)
    world = article.frame(article.POD, "203.0.113.9", ports=(4000, 443), flags=SYN)
    for event in (
        article.trace(TO_ENDPOINT, article.client_to_pod(SYN, *probe), source=77),
        article.trace(TO_ENDPOINT, article.client_to_pod(ACK | FIN, *probe), source=77),
        article.trace(TO_STACK, article.pod_to(*probe, SYN | ACK), reason=REPLY, source=77),
        article.trace(TO_STACK, world, identities=(article.POD_IDENTITY, 2), source=77),
        article.trace(TO_OVERLAY, article.frame(article.CLIENT, article.POD, protocol=1)),
        article.drop(158, article.client_to_pod(SYN), identities=(2, 0)),
        article.policy_verdict(0, article.client_to_pod(SYN), match=4),
        b"\x04garbage",
    ):
        observer.feed(event, at=1)
    observer.lost(17)
    text = generate_latest(registry).decode()
    return [
        line
        for line in text.splitlines()
        if not line.startswith("#") and "_created" not in line and "ring_flows" not in line
    ]


ALWAYS = [
    'hubble_lost_events_total{source="perf_event_ring_buffer"} 17.0',
    'hubble_lost_events_total{source="hubble_ring_buffer"} 0.0',
    "hubble_malformed_events_total 1.0",
]


@pytest.mark.parametrize(
    ("configuration", "lines"),
    [
        (
            "flow",
            [
                'hubble_flows_processed_total{protocol="TCP",subtype="to-endpoint",type="Trace",verdict="FORWARDED"} 2.0',
                'hubble_flows_processed_total{protocol="TCP",subtype="to-stack",type="Trace",verdict="FORWARDED"} 2.0',
                'hubble_flows_processed_total{protocol="ICMPv4",subtype="to-overlay",type="Trace",verdict="FORWARDED"} 1.0',
                'hubble_flows_processed_total{protocol="TCP",subtype="",type="Drop",verdict="DROPPED"} 1.0',
                'hubble_flows_processed_total{protocol="TCP",subtype="",type="PolicyVerdict",verdict="FORWARDED"} 1.0',
            ],
        ),
        ("drop", ['hubble_drop_total{protocol="TCP",reason="SERVICE_BACKEND_NOT_FOUND"} 1.0']),
        (
            "tcp",
            [
                'hubble_tcp_flags_total{family="IPv4",flag="SYN"} 3.0',
                'hubble_tcp_flags_total{family="IPv4",flag="FIN"} 1.0',
                'hubble_tcp_flags_total{family="IPv4",flag="SYN-ACK"} 1.0',
            ],
        ),
        (
            "port-distribution",
            [
                'hubble_port_distribution_total{port="80",protocol="TCP"} 3.0',
                'hubble_port_distribution_total{port="443",protocol="TCP"} 1.0',
            ],
        ),
        ("icmp", ['hubble_icmp_total{family="IPv4",type="EchoRequest"} 1.0']),
        (
            "flows-to-world:port",
            ['hubble_flows_to_world_total{port="443",protocol="TCP",verdict="FORWARDED"} 1.0'],
        ),
        (
            "policy",
            ['hubble_policy_verdicts_total{action="forwarded",direction="ingress",match="all"} 1.0'],
        ),
        (
            "drop:sourceContext=pod|reserved-identity;destinationContext=workload;labelsContext=source_ip,traffic_direction",
            [
                'hubble_drop_total{destination="default/web1",protocol="TCP",'
                'reason="SERVICE_BACKEND_NOT_FOUND",source="reserved:world",'
                'source_ip="192.168.1.1",traffic_direction="unknown"} 1.0'
            ],
        ),
        ("dns", []),
    ],
)  # fmt: skip
def test_metric(configuration: str, lines: list[str]) -> None:
    assert scraped(configuration) == [*lines, *ALWAYS]


def test_the_articles_configuration_is_accepted() -> None:
    assert len(scraped(*DEFAULT)) == 1 + 3 + 5 + 2 + 1 + len(ALWAYS)


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ("flows", "unknown Hubble metric 'flows': want one of flow, drop, tcp"),
        ("flow:sourceContext=name", "unknown sourceContext 'name'"),
        ("flow:labelsContext=source_color", "unknown labelsContext 'source_color'"),
    ],
)
def test_mistakes_are_named(configuration: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        scraped(configuration)
