"""The article's flow lines, character by character, from the bytes that the programs write."""

from __future__ import annotations

import io

from lab.hubble.api import observer_pb2
from lab.hubble.cli.printer import FlowPrinter, Style
from lab.hubble.observer import Observer
from lab.hubble.query import Selection, select
from lab.hubble.record import Record

from . import article
from .article import ACK, FIN, PSH, REPLY, SYN, TO_ENDPOINT, TO_OVERLAY, TO_STACK

OVERLAY = """\
Oct 31 15:43:41.382: 192.168.1.1:36946 <> default/web1-696bfbbbc4-jnxbc:80 to-overlay FORWARDED (TCP Flags: SYN)
Oct 31 15:43:41.384: 192.168.1.1:36946 <> default/web1-696bfbbbc4-jnxbc:80 to-overlay FORWARDED (TCP Flags: ACK)
Oct 31 15:43:41.384: 192.168.1.1:36946 <> default/web1-696bfbbbc4-jnxbc:80 to-overlay FORWARDED (TCP Flags: ACK, PSH)
Oct 31 15:43:41.385: 192.168.1.1:36946 <> default/web1-696bfbbbc4-jnxbc:80 to-overlay FORWARDED (TCP Flags: ACK)
Oct 31 15:43:41.386: 192.168.1.1:36946 <> default/web1-696bfbbbc4-jnxbc:80 to-overlay FORWARDED (TCP Flags: ACK, FIN)
"""  # noqa: E501

PROBE = """\
Oct 31 15:56:05.220: 10.0.3.103:48278 -> default/web1-696bfbbbc4-jnxbc:80 to-endpoint FORWARDED (TCP Flags: SYN)
Oct 31 15:56:05.220: 10.0.3.103:48278 <- default/web1-696bfbbbc4-jnxbc:80 to-stack FORWARDED (TCP Flags: SYN, ACK)
Oct 31 15:56:05.220: 10.0.3.103:48278 -> default/web1-696bfbbbc4-jnxbc:80 to-endpoint FORWARDED (TCP Flags: ACK)
Oct 31 15:56:05.222: 10.0.3.103:48278 <- default/web1-696bfbbbc4-jnxbc:80 to-stack FORWARDED (TCP Flags: ACK, FIN)
"""  # noqa: E501

REDIRECTED = """\
Oct 31 15:56:12.739: 10.0.4.105:36956 -> default/web1-696bfbbbc4-jnxbc:80 to-endpoint FORWARDED (TCP Flags: SYN)
Oct 31 15:56:12.739: default/web1-696bfbbbc4-jnxbc:80 <> 10.0.4.105:36956 to-overlay FORWARDED (TCP Flags: SYN, ACK)
Oct 31 15:56:12.742: 10.0.4.105:36956 -> default/web1-696bfbbbc4-jnxbc:80 to-endpoint FORWARDED (TCP Flags: ACK, PSH)
"""  # noqa: E501

MODERN = """\
Oct 31 15:43:41.382: 10.0.4.105:36946 (remote-node) -> default/web1-696bfbbbc4-jnxbc:80 (ID:35812) to-overlay FORWARDED (TCP Flags: SYN)
Oct 31 15:43:41.383: 10.0.4.105:36946 (remote-node) <- default/web1-696bfbbbc4-jnxbc:80 (ID:35812) to-overlay FORWARDED (TCP Flags: SYN, ACK)
"""  # noqa: E501


def printed(observer: Observer, style: Style) -> str:
    out = io.StringIO()
    printer = FlowPrinter(style, out, io.StringIO())
    for value in select(observer.flows, Selection()):
        assert isinstance(value, Record)
        flow = observer.writer.write(value)
        printer.write(observer_pb2.GetFlowsResponse(flow=flow))
    printer.close()
    return out.getvalue()


def test_ingress_node_shows_the_client_before_snat_and_no_direction() -> None:
    observer = Observer("k8s-worker4", article.ingress_node())
    for clock, flags in [
        ("15:43:41.382", SYN),
        ("15:43:41.384", ACK),
        ("15:43:41.384", ACK | PSH),
        ("15:43:41.385", ACK),
        ("15:43:41.386", ACK | FIN),
    ]:
        observer.feed(article.trace(TO_OVERLAY, article.client_to_pod(flags)), article.at(clock))
    assert printed(observer, Style(generation="0.8")) == OVERLAY


def test_probe_of_the_own_node_and_its_replies_to_the_stack() -> None:
    observer = Observer("k8s-worker3", article.pod_node())
    probe = ("10.0.3.103", 48278)
    for clock, point, packet, reason, source in [
        ("15:56:05.220", TO_ENDPOINT, article.client_to_pod(SYN, *probe), 0, 77),
        ("15:56:05.220", TO_STACK, article.pod_to(*probe, SYN | ACK), REPLY, 77),
        ("15:56:05.220", TO_ENDPOINT, article.client_to_pod(ACK, *probe), 1, 77),
        ("15:56:05.222", TO_STACK, article.pod_to(*probe, ACK | FIN), REPLY, 77),
    ]:
        event = article.trace(point, packet, reason=reason, source=source, version=0)
        observer.feed(event, article.at(clock))
    assert printed(observer, Style(generation="0.8")) == PROBE


def test_redirected_connection_on_the_pods_node() -> None:
    observer = Observer("k8s-worker3", article.pod_node())
    router = ("10.0.4.105", 36956)
    for clock, point, packet in [
        ("15:56:12.739", TO_ENDPOINT, article.client_to_pod(SYN, *router)),
        ("15:56:12.739", TO_OVERLAY, article.pod_to(*router, SYN | ACK)),
        ("15:56:12.742", TO_ENDPOINT, article.client_to_pod(ACK | PSH, *router)),
    ]:
        observer.feed(article.trace(point, packet, source=77), article.at(clock))
    assert printed(observer, Style(generation="0.8")) == REDIRECTED


def test_modern_datapath_knows_the_direction_and_the_text_shows_identities() -> None:
    observer = Observer("k8s-worker4", article.ingress_node(), profile="modern")
    forward = article.client_to_pod(SYN, "10.0.4.105")
    reply = article.pod_to("10.0.4.105", 36946, SYN | ACK)
    observer.feed(article.trace(TO_OVERLAY, forward, version=2), article.at("15:43:41.382"))
    observer.feed(article.trace(TO_OVERLAY, reply, reason=REPLY), article.at("15:43:41.383"))
    assert printed(observer, Style()) == MODERN
