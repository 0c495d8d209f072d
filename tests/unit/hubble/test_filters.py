"""One test a filter field, over a handful of flows, and how fields and lists combine."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from lab.errors import InputError
from lab.hubble.api import flow_pb2
from lab.hubble.filters.compile import BUILDERS, Context, compile_filters
from lab.hubble.filters.message_view import MessageView
from lab.hubble.lookup import Endpoint, Service
from lab.hubble.observer import Observer
from lab.hubble.query import Selection, select
from lab.hubble.record import Record

from . import article
from .article import ACK, FIN, REPLY, RST, SYN, TO_ENDPOINT, TO_OVERLAY, TO_STACK

NAMES = ("probe", "answer", "overlay", "dropped", "verdict", "dns", "ping", "six", "vip")


def observer() -> Observer:
    directory = article.pod_node()
    dns = Endpoint(4711, 12, "kube-system", "coredns-5d4dd4b4db-x2x8z", ("k8s:k8s-app=kube-dns",))
    directory.endpoints[article.packed("10.0.3.7")] = dns
    directory.services[article.packed("10.96.0.10"), 53] = Service("kube-system", "kube-dns")
    log = Observer("k8s-worker3", directory, node_labels=("k8s:zone=a",))
    probe = ("10.0.3.103", 48278)
    for event in (
        article.trace(TO_ENDPOINT, article.client_to_pod(SYN, *probe), source=77, interface=7),
        article.trace(TO_STACK, article.pod_to(*probe, SYN | ACK), reason=REPLY, source=77),
        article.trace(TO_OVERLAY, article.client_to_pod(ACK), identities=(2, 0), interface=3),
        article.drop(158, article.client_to_pod(RST, "203.0.113.9", 5), identities=(2, 0)),
        article.policy_verdict(0, article.client_to_pod(SYN, "198.51.100.7", 6), match=1),
        article.trace(
            TO_ENDPOINT, article.frame(article.POD, "10.0.3.7", protocol=17, ports=(4000, 53))
        ),
        article.trace(TO_OVERLAY, article.frame(article.CLIENT, article.POD, protocol=1)),
        article.trace(TO_ENDPOINT, article.frame("fd00::1", "fd00::2", ports=(7, 8), flags=FIN)),
        article.trace(
            TO_OVERLAY,
            article.frame(article.POD, "10.96.0.10", protocol=17, ports=(4001, 53)),
            reason=0x80,
            original="10.9.9.9",
        ),
    ):
        log.feed(event, at=1)
    assert log.malformed == 0
    return log


def matched(allow: list[dict[str, Any]], deny: list[dict[str, Any]] | None = None) -> str:
    """Names of the flows that pass, in records and again in the messages made of them."""
    log = observer()
    context = Context(
        node_of=lambda _: "k8s-worker3",
        uuid_of=log.writer.uuid,
        interface_name=log.lookup.interface,
        message_of=log.writer.write,
        node_labels=log.node_labels,
    )
    whitelist = [ParseDict(each, flow_pb2.FlowFilter()) for each in allow]
    blacklist = [ParseDict(each, flow_pb2.FlowFilter()) for each in deny or []]
    passes = compile_filters(whitelist, blacklist, context)
    assert passes is not None
    records = [r for r in select(log.flows, Selection()) if isinstance(r, Record)]
    found = [name for name, record in zip(NAMES, records, strict=True) if passes(record)]
    other = compile_filters(
        whitelist,
        blacklist,
        Context(
            node_of=lambda view: view.message.node_name,
            uuid_of=lambda view: view.message.uuid,
            interface_name=log.lookup.interface,
            message_of=lambda view: view.message,
            node_labels=log.node_labels,
        ),
    )
    assert other is not None
    views = [MessageView(log.writer.write(record)) for record in records]
    assert [name for name, view in zip(NAMES, views, strict=True) if other(view)] == found
    return " ".join(found)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"source_ip": ["10.0.3.103"]}, "probe"),
    ({"source_ip": ["203.0.113.0/24", "fd00::/64"]}, "dropped six"),
    ({"destination_ip": ["10.0.3.0/24"]}, "probe answer overlay dropped verdict dns ping"),
    ({"source_ip_xlated": ["10.0.3.150"]}, "vip"),
    ({"source_pod": ["default/web1-"]}, "answer dns"),
    ({"source_pod": ["web1"]}, "answer dns"),
    ({"source_pod": ["kube-system/web1"]}, ""),
    ({"destination_pod": ["kube-system/"]}, "dns"),
    ({"destination_pod": ["/core"]}, "dns"),
    ({"destination_pod": ["/"]}, "probe overlay dropped verdict dns ping"),
    ({"source_label": ["reserved:host"]}, "probe"),
    ({"destination_label": ["svc in (web1-lb, other)"]}, "probe overlay dropped verdict ping"),
    ({"destination_label": ["k8s:k8s-app=kube-dns,!svc"]}, "dns"),
    ({"source_service": ["kube-system/"]}, ""),
    ({"destination_service": ["kube-system/kube-"]}, "vip"),
    ({"source_workload": [{"name": "web1"}]}, "answer dns"),
    ({"source_workload": [{"name": "web1", "kind": "DaemonSet"}]}, ""),
    ({"destination_workload": [{"kind": "Deployment"}]}, "probe overlay dropped verdict ping"),
    ({"source_identity": [1, 6]}, "probe"),
    ({"destination_identity": [4711]}, "dns"),
    ({"source_port": ["4000"]}, "dns"),
    ({"destination_port": ["53", "8"]}, "dns six vip"),
    ({"verdict": ["DROPPED"]}, "dropped"),
    ({"drop_reason_desc": ["SERVICE_BACKEND_NOT_FOUND"]}, "dropped"),
    ({"event_type": [{"type": 5}]}, "verdict"),
    (
        {"event_type": [{"type": 4, "match_sub_type": True, "sub_type": 4}, {"type": 1}]},
        "overlay dropped ping vip",
    ),
    ({"event_type": [{"type": 4, "match_sub_type": True}]}, "probe dns six"),
    ({"protocol": ["udp"]}, "dns vip"),
    ({"protocol": ["ICMP"]}, "ping"),
    ({"protocol": ["dns"]}, ""),
    ({"reply": [True]}, "answer"),
    ({"reply": [False]}, "probe verdict dns six"),
    ({"tcp_flags": [{"SYN": True}]}, "probe answer verdict"),
    ({"tcp_flags": [{"SYN": True, "ACK": True}, {"RST": True}]}, "answer dropped"),
    ({"ip_version": ["IPv6"]}, "six"),
    ({"ip_version": ["IPv4"], "tcp_flags": [{"FIN": True}]}, ""),
    ({"traffic_direction": ["INGRESS"]}, "probe answer verdict"),
    ({"encrypted": [True]}, "vip"),
    ({"interface": [{"name": "lxc1234"}]}, "probe"),
    ({"interface": [{"index": 3}]}, "overlay"),
    ({"node_name": ["k8s-worker*"], "source_port": ["7"]}, "six"),
    ({"node_name": ["default/k8s-worker3"], "source_port": ["7"]}, "six"),
    ({"node_name": ["other/"]}, ""),
    ({"node_labels": ["zone=a"], "source_port": ["7"]}, "six"),
    ({"node_labels": ["zone=b"]}, ""),
    ({"source_cluster_name": ["def*"]}, "answer dns"),
    ({"source_cluster_name": ["default"], "source_port": ["7"]}, ""),
    ({"destination_cluster_name": ["elsewhere"]}, ""),
    ({"source_fqdn": ["*.example"]}, ""),
    ({"destination_fqdn": ["*.example"]}, ""),
    ({"trace_id": ["ab"]}, ""),
    ({"http_status_code": ["4+"]}, ""),
    ({"http_method": ["get"]}, ""),
    ({"http_path": ["/x"]}, ""),
    ({"http_url": ["x"]}, ""),
    ({"http_header": [{"key": "a", "value": "b"}]}, ""),
    ({"dns_query": ["kube.*"]}, ""),
    ({"uuid": ["no such flow"]}, ""),
]


@pytest.mark.parametrize(("message", "expected"), CASES, ids=lambda value: str(value)[:60])
def test_field(message: dict[str, Any], expected: str) -> None:
    assert matched([message]) == expected


def test_every_field_of_a_filter_has_a_test_and_a_meaning() -> None:
    tested = {name for message, _ in CASES for name in message} | {"experimental"}
    assert tested == set(BUILDERS) == set(flow_pb2.FlowFilter.DESCRIPTOR.fields_by_name)


def test_fields_are_and_filters_are_or() -> None:
    both = {"source_pod": ["default/"], "protocol": ["udp"]}
    assert matched([both]) == "dns"
    assert matched([both, {"reply": [True]}]) == "answer dns"


def test_deny_list_is_taken_from_the_allow_list() -> None:
    assert matched([{"protocol": ["tcp"]}], [{"verdict": ["DROPPED"]}, {"reply": [True]}]) == (
        "probe overlay verdict six"
    )
    assert matched([], [{"protocol": ["tcp", "udp"]}]) == "ping"


def test_empty_filter_matches_everything() -> None:
    assert matched([{}]) == " ".join(NAMES)
    assert matched([], [{}]) == ""


def test_every_flow_has_an_id_of_its_own() -> None:
    log = observer()
    wanted = [r for r in select(log.flows, Selection()) if isinstance(r, Record)][3]
    uuid = log.writer.uuid(wanted)
    assert len(uuid) == 36
    assert uuid != log.writer.uuid(
        next(r for r in select(log.flows, Selection()) if isinstance(r, Record))
    )


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"source_ip": ["10.0.0.300"]}, "invalid IP address or CIDR '10.0.0.300'"),
        ({"source_pod": [""]}, "invalid pod filter ''"),
        ({"destination_port": ["http"]}, "invalid port 'http'"),
        ({"destination_port": ["70000"]}, "invalid port '70000'"),
        ({"protocol": ["carp"]}, "unknown protocol 'carp'"),
        ({"source_label": ["a in b"]}, "label selector 'a in b'"),
        ({"tcp_flags": [{}]}, "at least one flag"),
        ({"http_status_code": ["9"]}, "invalid HTTP status code filter '9'"),
        ({"http_path": ["("]}, "invalid regular expression"),
        ({"node_name": [""]}, "empty node name"),
        ({"source_fqdn": [""]}, "empty DNS name"),
        ({"experimental": {}}, "without a CEL expression"),
    ],
)
def test_bad_values_are_explained(message: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        matched([message])
    assert words in str(error.value)


def test_expression_over_the_whole_message() -> None:
    pytest.importorskip("cel_expr_python")
    expression = (
        "_flow.destination.namespace == 'kube-system' && _flow.l4.UDP.destination_port == 53u"
    )
    assert matched([{"experimental": {"cel_expression": [expression]}}]) == "dns"
    with pytest.raises(InputError, match="want a boolean"):
        matched([{"experimental": {"cel_expression": ["_flow.uuid"]}}])
    with pytest.raises(InputError, match="no_such_field"):
        matched([{"experimental": {"cel_expression": ["_flow.no_such_field == 1"]}}])
