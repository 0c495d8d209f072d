"""A node's gRPC services, asked by clients that know only numbers."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from lab.hubble import agent_events
from lab.hubble.api import flow_pb2, health_pb2, observer_pb2, peer_pb2, recorder_pb2
from lab.hubble.lookup import Peer
from lab.hubble.service import table

from . import article
from .article import ACK, SYN, TO_ENDPOINT
from .served import ask, feed, get_flows, running


def fields(message: bytes) -> dict[int, list[Any]]:
    """A message by field numbers: varints as int, everything of a length as bytes."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(message):
        tag = varint()
        if tag & 7 == 0:
            found.setdefault(tag >> 3, []).append(varint())
        elif tag & 7 == 1:
            found.setdefault(tag >> 3, []).append(struct.unpack_from("<d", message, at)[0])
            at += 8
        else:
            assert tag & 7 == 2
            length = varint()
            found.setdefault(tag >> 3, []).append(message[at : at + length])
            at += length
    return found


def test_numbers_on_the_wire_are_the_public_ones() -> None:
    # number = 1, follow = 3 (left out), whitelist = 6 { destination_pod = 4 "default/",
    # event_type = 6 { type = 1: 4, match_sub_type = 2, sub_type = 3: 0 } }, and as newer
    # clients do: field_mask = 10 with a path and a field that no server of this age knows.
    pod, event = b'"\x08default/', b"2\x04\x08\x04\x10\x01"
    allow = pod + event
    request = b"\x08\x01" + b"2" + bytes([len(allow)]) + allow + b"\xf2\x3e\x02\x08\x01"
    with running() as (observer, channel):
        feed(observer, 3)
        call = channel.unary_stream("/observer.Observer/GetFlows")
        (answer,) = [fields(each) for each in call(request, timeout=5)]
    assert answer[1000] == [b"k8s-worker3"]
    assert fields(answer[1001][0]) == {1: [1], 2: [2]}
    flow = fields(answer[1][0])
    assert (flow[2], flow[10], flow[11], flow[24]) == ([1], [1], [b"k8s-worker3"], [101])
    assert flow[100000] == [b"TCP Flags: SYN"]
    assert fields(flow[4][0]) == {1: [b"0a:00:00:00:00:01"], 2: [b"0a:00:00:00:00:02"]}
    assert fields(flow[5][0]) == {1: [b"192.168.1.1"], 2: [b"10.0.3.150"], 3: [1]}
    assert fields(fields(flow[6][0])[1][0]) == {1: [1002], 2: [80], 3: [b"\x10\x01"]}
    destination = fields(flow[9][0])
    assert (destination[1], destination[2], destination[3]) == ([77], [35812], [b"default"])
    assert destination[5] == [b"web1-696bfbbbc4-jnxbc"]
    assert fields(destination[6][0]) == {1: [b"web1"], 2: [b"Deployment"]}
    assert fields(flow[19][0]) == {1: [4]}
    assert flow[26] == [b""]


def test_field_mask_of_a_newer_client() -> None:
    mask = {"paths": ["IP", "source.pod_name", "l4", "ip_trace_id", "Summary", "source.no.such"]}
    with running() as (observer, channel):
        feed(observer, 1)
        for field in ({"field_mask": mask}, {"experimental": {"field_mask": mask}}):
            (answer,) = get_flows(channel, **field)
            names = [each.name for each, _ in answer.flow.ListFields()]
            assert names == ["IP", "l4", "source", "Summary"]
            assert not answer.flow.source.ListFields()


def test_losses_are_told_in_their_place() -> None:
    with running() as (observer, channel):
        feed(observer, 1)
        observer.lost(42, cpu=1)
        feed(observer, 1)
        kinds = [each.WhichOneof("response_types") for each in get_flows(channel)]
        lost = get_flows(channel)[1].lost_events
    assert kinds == ["flow", "lost_events", "flow"]
    assert (lost.source, lost.num_events_lost, lost.cpu.value) == (1, 42, 1)


def test_a_follower_that_does_not_read_costs_nothing_and_is_told() -> None:
    with running(capacity=255) as (observer, channel):
        feed(observer, 1)
        call = ask(channel, table.OBSERVER, "GetFlows")
        stream = call(observer_pb2.GetFlowsRequest(number=1, follow=True), timeout=30)
        assert next(stream).flow.l4.TCP.source_port == 1000
        feed(observer, 40_000)
        received = lost = 0
        for answer in stream:
            if answer.HasField("lost_events"):
                assert answer.lost_events.source == flow_pb2.HUBBLE_RING_BUFFER
                lost += answer.lost_events.num_events_lost
            else:
                received += 1
            if received + lost == 40_000:
                break
        stream.cancel()
    assert lost > 0
    assert received + lost == 40_000
    assert observer.missed_flows == lost


def test_status_and_nodes_and_namespaces() -> None:
    with running() as (observer, channel):
        feed(observer, 20)
        status = ask(channel, table.OBSERVER, "ServerStatus")(observer_pb2.ServerStatusRequest())
        nodes = ask(channel, table.OBSERVER, "GetNodes")(observer_pb2.GetNodesRequest()).nodes
        observer.feed(article.trace(TO_ENDPOINT, article.client_to_pod(SYN)))
        spaces = ask(channel, table.OBSERVER, "GetNamespaces")(observer_pb2.GetNamespacesRequest())
    assert (status.num_flows, status.max_flows, status.seen_flows) == (15, 15, 20)
    assert status.version == "cilium v1.10.5"
    assert status.uptime_ns > 0
    assert not status.HasField("num_connected_nodes")
    assert [(node.name, node.state, node.seen_flows) for node in nodes] == [("k8s-worker3", 1, 20)]
    assert [each.namespace for each in spaces.namespaces] == ["default"]


def test_health_is_known_by_the_name_that_clients_ask_for() -> None:
    with running() as (_, channel):
        check = ask(channel, table.HEALTH, "Check")
        for name in ("", "hubble.server.Observer"):
            assert check(health_pb2.HealthCheckRequest(service=name)).status == 1
        with pytest.raises(grpc.RpcError) as error:
            check(health_pb2.HealthCheckRequest(service="nobody"))
        assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_peers_come_first_and_then_their_changes() -> None:
    with running() as (observer, channel):
        one, two = Peer("n1", "10.0.0.1:4244"), Peer("n2", "10.0.0.2:4244")
        observer.set_peers([one, two])
        stream = ask(channel, table.PEER, "Notify")(peer_pb2.NotifyRequest(), timeout=10)
        first = [next(stream), next(stream)]
        observer.set_peers([Peer("n2", "10.0.0.3:4244"), Peer("n3", "10.0.0.4:4244")])
        later = [next(stream), next(stream), next(stream)]
        stream.cancel()
    assert [(each.type, each.name, each.address) for each in first + later] == [
        (peer_pb2.PEER_ADDED, "n1", "10.0.0.1:4244"),
        (peer_pb2.PEER_ADDED, "n2", "10.0.0.2:4244"),
        (peer_pb2.PEER_DELETED, "n1", "10.0.0.1:4244"),
        (peer_pb2.PEER_UPDATED, "n2", "10.0.0.3:4244"),
        (peer_pb2.PEER_ADDED, "n3", "10.0.0.4:4244"),
    ]


def test_agent_and_debug_events() -> None:
    debug = struct.pack("=BBHIIII", 2, 30, 77, 0x5F1A, 1, 2, 3)
    with running() as (observer, channel):
        observer.agent_event(agent_events.endpoint_created(77, "default", "web1-x", ("k8s:a=b",)))
        observer.agent_event(
            agent_events.service_upserted(("172.16.10.0", 80), namespace="default", name="web1-lb")
        )
        observer.feed(debug, at=5)
        agent = list(
            ask(channel, table.OBSERVER, "GetAgentEvents")(observer_pb2.GetAgentEventsRequest())
        )
        (told,) = ask(channel, table.OBSERVER, "GetDebugEvents")(
            observer_pb2.GetDebugEventsRequest(number=1)
        )
    created, upserted = (each.agent_event for each in agent)
    assert (created.type, created.endpoint_update.pod_name) == (7, "web1-x")
    assert upserted.service_upsert.frontend_address.ip == "172.16.10.0"
    assert (told.debug_event.type, told.debug_event.arg3.value, told.debug_event.source.ID) == (
        flow_pb2.DBG_LB4_LOOKUP_FRONTEND,
        3,
        77,
    )
    assert told.debug_event.message == "lb4 lookup frontend 0x1 0x2 0x3"


def test_recording_writes_what_matches_until_its_limit() -> None:
    start = recorder_pb2.StartRecording(
        include=[
            {
                "source_cidr": "192.168.1.0/24",
                "destination_cidr": "10.0.0.0/16",
                "destination_port": 80,
                "protocol": recorder_pb2.PROTOCOL_TCP,
            }
        ],
        stop_condition={"packets_captured_count": 2},
    )
    hold = threading.Event()

    def requests() -> Iterator[recorder_pb2.RecordRequest]:
        yield recorder_pb2.RecordRequest(start=start)
        hold.wait(10)

    with running() as (observer, channel):
        answers = ask(channel, table.RECORDER, "Record")(requests(), timeout=10)
        assert next(answers).running.stats.packets_captured == 0
        observer.feed(article.trace(TO_ENDPOINT, article.client_to_pod(SYN, "10.9.9.9")), at=1)
        feed(observer, 5)
        stopped = [each for each in answers if each.HasField("stopped")][-1].stopped
        hold.set()
        capture = Path(stopped.filesink.file_path).read_bytes()
    assert (stopped.stats.packets_captured, stopped.stats.bytes_captured) == (2, 108)
    assert struct.unpack("=IHHiIII", capture[:24]) == (0xA1B23C4D, 2, 4, 0, 0, 128, 1)
    assert struct.unpack("=IIII", capture[24:40]) == (1, 0, 54, 54)
    assert capture[40:94] == article.client_to_pod(SYN, port=1000)
    assert len(capture) == 24 + 2 * (16 + 54)


def test_flags_of_a_packet_without_any_are_still_a_packet() -> None:
    with running() as (observer, channel):
        feed(observer, 1, flags=0)
        feed(observer, 1, flags=ACK)
        first, second = get_flows(channel)
    assert first.flow.l4.TCP.HasField("flags")
    assert not first.flow.l4.TCP.flags.ListFields()
    assert second.flow.l4.TCP.flags.ACK
