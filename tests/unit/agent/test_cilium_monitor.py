"""Lines of `cilium monitor`, from events as the programs write them."""

from __future__ import annotations

import json
import struct
from ipaddress import IPv4Address, IPv6Address

import pytest

from lab.agent.cilium import notification
from lab.agent.cilium.notification import Selection
from lab.bpf import structs
from lab.bpf.codes import EventType, ObsPoint, Reason, TraceReason

CLIENT, POD = "192.168.1.1", "10.0.3.150"


def frame(proto: int, body: bytes, source: str = CLIENT, target: str = POD) -> bytes:
    """Ethernet and IPv4 around `body`."""
    addresses = IPv4Address(source).packed + IPv4Address(target).packed
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0) + addresses
    return bytes.fromhex("0a00000001020a0000000101") + b"\x08\x00" + ip + body


def packet(flags: int = 0x02) -> bytes:
    """Ethernet, IPv4, TCP from 192.168.1.1:36946 to 10.0.3.150:80."""
    return frame(6, struct.pack("!HHIIBBHHH", 36946, 80, 0, 0, 0x50, flags, 0, 0, 0))


def trace(body: bytes = packet(), **fields: int) -> bytes:
    head = {"hash": 0x5F1A, "src_label": 2, "ifindex": 9, "len_orig": len(body)}
    given = {"type": EventType.TRACE, "version": 1, "len_cap": len(body), **head, **fields}
    return bytes(structs.trace_notify(**given)) + body


def drop(body: bytes = packet(0x18), **fields: int) -> bytes:
    head = {"subtype": Reason.NO_SERVICE, "hash": 1, "src_label": 2, "len_orig": len(body)}
    given = {"type": EventType.DROP, "version": 3, "len_cap": len(body), **head, **fields}
    return bytes(structs.drop_notify(**given)) + body


def device(_: int) -> str:
    return "cilium_vxlan"


def line(event: bytes) -> str:
    (only,) = notification.brief(event, device)
    return only


def test_a_trace_event() -> None:
    assert line(trace(subtype=ObsPoint.TO_OVERLAY)) == (
        "-> overlay flow 0x5f1a identity world->unknown state new ifindex cilium_vxlan "
        "orig-ip 0.0.0.0: 192.168.1.1:36946 -> 10.0.3.150:80 tcp SYN"
    )


def test_a_drop_event() -> None:
    assert line(drop()) == (
        "xx drop (Service backend not found) flow 0x1 to endpoint 0, "
        "identity world->unknown: 192.168.1.1:36946 -> 10.0.3.150:80 tcp ACK, PSH"
    )


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (ObsPoint.TO_ENDPOINT, "-> endpoint 77"),
        (ObsPoint.FROM_ENDPOINT, "<- endpoint 258"),
        (ObsPoint.TO_HOST, "-> host from"),
        (ObsPoint.TO_STACK, "-> stack"),
        (ObsPoint.TO_NETWORK, "-> network"),
        (ObsPoint.FROM_NETWORK, "<- network"),
        (ObsPoint.FROM_HOST, "<- host"),
    ],
)
def test_where_the_program_stood(point: ObsPoint, words: str) -> None:
    told = line(trace(subtype=point, source=258, dst_id=77))
    assert told.startswith(f"{words} flow 0x5f1a ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (frame(1, b"\x08\x00" + bytes(6)), f"{CLIENT} -> {POD} EchoRequest"),
        (frame(1, b"\x03\x03" + bytes(6)), f"{CLIENT} -> {POD} DestinationUnreachable(Port)"),
        (frame(17, struct.pack("!HHHH", 5, 53, 8, 0)), f"{CLIENT}:5 -> {POD}:53 udp"),
        (frame(58, b"\x80\x00" + bytes(6)), f"{CLIENT} -> {POD} EchoRequest"),
        (frame(132, struct.pack("!HHII", 5, 53, 0, 0)), f"{CLIENT}:5 -> {POD}:53 sctp"),
        (frame(47, bytes(8)), f"{CLIENT} -> {POD}"),
        (bytes(12) + b"\x08\x06" + bytes(28), "no IP packet"),
    ],
)
def test_what_the_packet_is(body: bytes, words: str) -> None:
    assert line(trace(body)).split(": ", 1)[1] == words


def test_an_ipv6_packet_has_its_addresses_in_brackets() -> None:
    ends = IPv6Address("fd00:192::11").packed + IPv6Address("fd00:172::").packed
    udp = struct.pack("!HHHH", 5, 53, 8, 0)
    body = bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 8, 17, 64) + ends + udp
    told = line(trace(body, flags=notification.TRACE_IPV6))
    assert "orig-ip ::: [fd00:192::11]:5 -> [fd00:172::]:53 udp" in told
    head = structs.trace_notify.parse(trace(body, flags=notification.TRACE_IPV6))
    head.orig_ip = type(head.orig_ip)(*IPv6Address("fd00:192::12").packed)
    assert "orig-ip fd00:192::12: [fd00:192::11]:5 " in line(bytes(head) + body)


def test_an_interface_that_has_gone_has_no_name() -> None:
    (told,) = notification.brief(trace(), lambda _: "")
    assert " ifindex 0 " in told


def test_events_that_are_cut_short_are_named_not_raised() -> None:
    event = trace()
    for length in range(1, 48):
        assert line(event[:length]) == f"?? malformed event of {length} bytes"
    assert line(b"") == "?? malformed event of 0 bytes"


def test_kinds_that_this_datapath_does_not_make_are_left_out() -> None:
    assert notification.brief(bytes([EventType.DEBUG]) + bytes(60), device) == []


def test_whole_headers() -> None:
    event = trace(
        subtype=ObsPoint.TO_ENDPOINT, source=258, dst_id=258, dst_label=300,
        reason=TraceReason.ESTABLISHED,
    )  # fmt: skip
    assert notification.whole(event, device, in_hex=False) == [
        "-" * 78,
        "MARK 0x5f1a FROM 258 to-endpoint: 54 bytes (54 captured), state established, "
        "interface cilium_vxlan, identity world->300, orig-ip 0.0.0.0, to endpoint 258",
        "192.168.1.1:36946 -> 10.0.3.150:80 tcp SYN",
    ]
    assert notification.whole(drop(source=258), device, in_hex=False)[1] == (
        "MARK 0x1 FROM 258 DROP: 54 bytes, reason Service backend not found, "
        "identity world->unknown"
    )


def test_one_identity_that_is_known_is_told() -> None:
    for labels, told in (((0, 300), "unknown->300"), ((300, 0), "300->unknown")):
        event = trace(src_label=labels[0], dst_label=labels[1])
        assert f", identity {told}, " in notification.whole(event, device, in_hex=False)[1]
    assert "identity" not in notification.whole(trace(src_label=0), device, in_hex=False)[1]


def test_bytes_that_are_no_letters_are_dots() -> None:
    dumped = notification.whole(drop(b"\x1f !09AZaz~\x7f\x80\xff"), device, in_hex=True)
    assert dumped[2].split("|")[1] == ". !09AZaz~..."


def test_bytes_of_the_packet() -> None:
    dumped = notification.whole(drop(frame(1, b"\x08\x00" + bytes(6))), device, in_hex=True)
    assert dumped[2:] == [
        "00000000  0a 00 00 00 01 02 0a 00  00 00 01 01 08 00 45 00  |..............E.|",
        "00000010  00 1c 00 00 00 00 40 01  00 00 c0 a8 01 01 0a 00  |......@.........|",
        "00000020  03 96 08 00 00 00 00 00  00 00                    |..........|",
        "",
    ]


def test_a_trace_event_as_json() -> None:
    (text,) = notification.as_json(trace(subtype=ObsPoint.TO_OVERLAY, source=258), device)
    assert json.loads(text) == {
        "type": "trace", "mark": "0x5f1a", "ifindex": "cilium_vxlan", "state": "new",
        "observationPoint": "to-overlay", "traceSummary": "-> overlay", "source": 258,
        "bytes": 54, "srcLabel": 2, "dstLabel": 0, "dstID": 0,
        "summary": {
            "l2": {"src": "0a:00:00:00:01:01", "dst": "0a:00:00:00:01:02"},
            "l3": {"src": "192.168.1.1", "dst": "10.0.3.150"},
            "l4": {"src": "36946", "dst": "80"},
        },
    }  # fmt: skip


@pytest.mark.parametrize("ports", [(0, 53), (5, 0)])
def test_a_port_that_is_zero_does_not_hide_the_other(ports: tuple[int, int]) -> None:
    body = frame(17, struct.pack("!HHHH", *ports, 8, 0))
    told = json.loads(notification.as_json(trace(body), device)[0])
    assert told["summary"]["l4"] == {"src": str(ports[0]), "dst": str(ports[1])}


def test_what_has_no_ports_says_nothing_of_them() -> None:
    told = json.loads(notification.as_json(trace(frame(1, b"\x08\x00" + bytes(6))), device)[0])
    assert list(told["summary"]) == ["l2", "l3"]
    assert json.loads(notification.as_json(trace(b"\xff" * 13), device)[0])["summary"] == {}


def test_a_drop_event_as_json() -> None:
    (text,) = notification.as_json(drop(dst_id=77, ifindex=9), device)
    told = json.loads(text)
    assert (told["type"], told["reason"], told["dstID"]) == (
        "drop",
        "Service backend not found",
        77,
    )
    assert json.loads(notification.as_json(b"\x01", device)[0]) == {"malformed": 1}


FROM_258 = trace(source=258, dst_id=77)
DROP_AT_258 = drop(source=258, dst_id=0)


@pytest.mark.parametrize(
    ("selection", "events"),
    [
        (Selection(), [FROM_258, DROP_AT_258]),
        (Selection(types=frozenset({"drop"})), [DROP_AT_258]),
        (Selection(types=frozenset({"drop", "trace"})), [FROM_258, DROP_AT_258]),
        (Selection(sources=frozenset({258})), [FROM_258, DROP_AT_258]),
        (Selection(sources=frozenset({77})), []),
        (Selection(destinations=frozenset({77})), [FROM_258]),
        (Selection(related=frozenset({77})), [FROM_258]),
        (Selection(related=frozenset({1})), []),
        (Selection(sources=frozenset({258}), destinations=frozenset({1})), []),
    ],
)
def test_which_events_are_wanted(selection: Selection, events: list[bytes]) -> None:
    assert [each for each in (FROM_258, DROP_AT_258) if selection.admits(each)] == events


def test_what_this_datapath_does_not_make_is_never_wanted() -> None:
    assert not Selection().admits(bytes([EventType.DEBUG]) + bytes(60))


def test_a_malformed_event_is_never_hidden() -> None:
    assert Selection(types=frozenset({"drop"}), related=frozenset({1})).admits(b"\x04")
