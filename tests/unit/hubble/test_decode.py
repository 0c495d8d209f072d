"""Event bytes to records: layouts by version, connection state by profile, hostile input."""

from __future__ import annotations

import random
import struct

import pytest

from lab.hubble import codes
from lab.hubble.decode import Decoder, MalformedEvent
from lab.hubble.flow import address_text, summary
from lab.hubble.record import Record

from . import article
from .article import ACK, REPLY, SYN, TO_ENDPOINT, TO_OVERLAY, TO_STACK, UNKNOWN


def decode(event: bytes, profile: str = "cilium-1.10") -> Record:
    return Decoder(article.pod_node(), profile).decode(event, at=1)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_trace_header_grows_with_its_version(version: int) -> None:
    packet = article.client_to_pod(SYN)
    record = decode(article.trace(TO_ENDPOINT, packet, version=version, source=77, interface=7))
    assert (record.kind, record.subtype, record.endpoint_id, record.interface) == (4, 0, 77, 7)
    assert record.event[record.frame_at :] == packet
    assert (record.source_port, record.destination_port) == (36946, 80)
    assert address_text(record.source_address) == "192.168.1.1"


@pytest.mark.parametrize(("version", "start"), [(0, 36), (1, 36), (2, 40), (3, 48)])
def test_drop_header_grows_with_its_version(version: int, start: int) -> None:
    event = article.drop(158, article.client_to_pod(SYN), identities=(2, 0), version=version)
    record = decode(event)
    assert (record.frame_at, record.verdict, record.reason) == (start, codes.DROPPED, 158)
    assert record.is_reply is None
    assert record.source.identity == 2
    assert record.source.labels == ("reserved:world",)


@pytest.mark.parametrize("version", [1, 2])
def test_policy_verdict_names_only_the_remote_identity(version: int) -> None:
    packet = article.client_to_pod(SYN, "203.0.113.9")
    record = decode(article.policy_verdict(0, packet, remote=9, match=4, version=version))
    assert (record.verdict, record.is_reply, record.direction) == (codes.FORWARDED, False, 1)
    assert (record.source.identity, record.destination.pod) == (9, article.WEB.pod)
    assert (record.interface, record.reason) == (0, 0)
    assert record.event[record.frame_at :] == packet
    assert codes.MATCH_TYPES[record.match_type] == "all"


def test_policy_verdict_of_what_leaves_names_where_it_goes() -> None:
    packet = article.frame("203.0.113.8", "203.0.113.9")
    record = decode(article.policy_verdict(0, packet, remote=9, ingress=False))
    assert (record.source.identity, record.destination.identity) == (0, 9)
    assert record.direction == codes.EGRESS


def test_refused_policy_verdict_carries_the_drop_reason() -> None:
    record = decode(article.policy_verdict(-133, article.client_to_pod(SYN)))
    assert (record.verdict, record.reason, record.is_reply) == (codes.DROPPED, 133, None)


def test_audited_and_redirected_policy_verdicts() -> None:
    packet = article.client_to_pod(SYN)
    assert decode(article.policy_verdict(0, packet, audited=True)).verdict == codes.AUDIT
    assert decode(article.policy_verdict(15001, packet)).verdict == codes.REDIRECTED


def test_a_captured_packet_is_told_with_what_is_known_of_its_addresses() -> None:
    """It says nothing else: no verdict, no connection, no identities."""
    packet = article.client_to_pod(SYN)
    header = struct.pack("=BBHIIHH", 3, 5, 77, 0x5F1A, len(packet), len(packet), 0)
    record = decode(header + struct.pack("=II", 1, 2) + packet)
    assert (record.kind, record.subtype, record.endpoint_id) == (codes.CAPTURE, 5, 77)
    assert (record.verdict, record.reason, record.interface) == (0, 0, 0)
    assert (record.is_reply, record.source.identity) == (None, 0)
    assert record.destination is article.WEB
    assert record.event[record.frame_at :] == packet


@pytest.mark.parametrize(
    ("profile", "point", "reason", "is_reply"),
    [
        ("cilium-1.10", TO_ENDPOINT, article.NEW, False),
        ("cilium-1.10", TO_STACK, REPLY, True),
        ("cilium-1.10", TO_OVERLAY, REPLY, None),
        ("cilium-1.10", article.FROM_OVERLAY, article.NEW, None),
        ("modern", TO_OVERLAY, REPLY, True),
        ("modern", TO_OVERLAY, article.NEW, False),
        ("modern", TO_OVERLAY, UNKNOWN, None),
        ("modern", TO_ENDPOINT, 0x80 | REPLY, True),
    ],
)
def test_direction_is_known_where_the_generation_knows_it(
    profile: str, point: int, reason: int, is_reply: bool | None
) -> None:
    event = article.trace(point, article.client_to_pod(ACK), reason=reason)
    record = decode(event, profile)
    assert (record.is_reply, record.reason) == (is_reply, reason)


@pytest.mark.parametrize(
    ("reason", "leaves", "direction"),
    [
        (article.NEW, False, codes.INGRESS),
        (REPLY, True, codes.INGRESS),
        (article.NEW, True, codes.EGRESS),
        (REPLY, False, codes.EGRESS),
    ],
)
def test_replies_turn_the_traffic_direction_over(reason: int, leaves: bool, direction: int) -> None:
    packet = article.pod_to("10.0.3.103", 1, ACK) if leaves else article.client_to_pod(ACK)
    event = article.trace(TO_ENDPOINT, packet, reason=reason, source=article.POD_ENDPOINT)
    assert decode(event).direction == direction


def test_the_datapaths_identity_wins_over_that_of_the_address() -> None:
    packet = article.client_to_pod(SYN, "10.0.3.103")
    event = article.trace(TO_OVERLAY, packet, identities=(2, article.POD_IDENTITY))
    record = decode(event, "modern")
    assert (record.source.identity, record.source.labels) == (2, ("reserved:world",))
    assert record.destination is article.WEB
    assert decode(article.trace(TO_OVERLAY, packet)).source.identity == 1


def test_labels_are_those_of_the_identity_where_the_node_knows_them() -> None:
    known = article.pod_node()
    known.identities[4711] = ("k8s:app=db",)
    packet = article.client_to_pod(SYN, "203.0.113.9")
    decoder = Decoder(known, "modern")
    for identity, labels in ((4711, ("k8s:app=db",)), (4712, ()), (2, ("reserved:world",))):
        record = decoder.decode(article.trace(TO_OVERLAY, packet, identities=(identity, 0)), at=1)
        assert (record.source.identity, record.source.labels) == (identity, labels)
    known.identities[4712] = ("k8s:app=new",)
    late = decoder.decode(article.trace(TO_OVERLAY, packet, identities=(4712, 0)), at=2)
    assert late.source.labels == ("k8s:app=new",)


def test_a_pod_whose_new_identity_has_no_labels_yet_keeps_those_it_had() -> None:
    packet = article.client_to_pod(SYN)
    record = decode(article.trace(TO_ENDPOINT, packet, identities=(2, 4712)), "modern")
    assert (record.destination.identity, record.destination.pod) == (4712, article.WEB.pod)
    assert record.destination.labels == article.WEB.labels


def test_source_from_before_snat_replaces_the_packets() -> None:
    packet = article.client_to_pod(SYN, "10.0.4.105")
    record = decode(article.trace(TO_OVERLAY, packet, original="192.168.1.1"), "modern")
    assert address_text(record.source_address) == "192.168.1.1"
    assert address_text(record.translated_source) == "10.0.4.105"


def test_source_that_is_the_packets_own_was_not_translated() -> None:
    """The way to an endpoint names it always."""
    packet = article.client_to_pod(SYN, "10.0.4.105")
    record = decode(article.trace(TO_ENDPOINT, packet, original="10.0.4.105"), "modern")
    assert address_text(record.source_address) == "10.0.4.105"
    assert record.translated_source == b""


def test_what_follows_the_captured_bytes_is_not_read() -> None:
    packet = article.frame("10.0.0.1", "10.0.0.2", protocol=17, ports=(5, 6))[:36]
    record = decode(article.trace(TO_ENDPOINT, packet) + b"\xff" * 90)
    assert (record.source_port, record.protocol) == (0, 0)
    assert len(record.event) == 48 + 36


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (article.frame("10.0.0.1", "10.0.0.2", flags=0x1FF), "TCP Flags: SYN, ACK, RST, FIN, PSH,"),
        (article.frame("10.0.0.1", "10.0.0.2", protocol=17, ports=(1, 53)), "UDP"),
        (article.frame("10.0.0.1", "10.0.0.2", protocol=132, ports=(1, 2)), "SCTP"),
        (article.frame("10.0.0.1", "10.0.0.2", protocol=1), "ICMPv4 EchoRequest"),
        (
            article.frame("10.0.0.1", "10.0.0.2", protocol=1, icmp=(3, 3)),
            "ICMPv4 DestinationUnreachable(Port)",
        ),
        (
            article.frame("10.0.0.1", "10.0.0.2", protocol=1, icmp=(11, 0)),
            "ICMPv4 TimeExceeded(TTLExceeded)",
        ),
        (article.frame("10.0.0.1", "10.0.0.2", protocol=1, icmp=(8, 9)), "EchoRequest(Code: 9)"),
        (article.frame("10.0.0.1", "10.0.0.2", protocol=1, icmp=(200, 1)), "ICMPv4 200(1)"),
        (article.frame("fd00::1", "fd00::2", protocol=58, icmp=(135, 0)), "NeighborSolicitation"),
        (article.frame("fd00::1", "fd00::2", ports=(1, 2), flags=SYN), "TCP Flags: SYN"),
        (bytes.fromhex("ffffffffffff0a00000000010806") + bytes(28), "Ethernet"),
        (b"", ""),
    ],
)
def test_summary(packet: bytes, text: str) -> None:
    assert text in summary(decode(article.trace(TO_ENDPOINT, packet)))


def test_ip_options_and_vlan_tags_move_the_ports() -> None:
    plain = article.client_to_pod(SYN)
    options = plain[:14] + b"\x46" + plain[15:34] + b"\x94\x04\x00\x00" + plain[34:]
    tagged = plain[:12] + b"\x81\x00\x00\x05" + plain[12:]
    for packet in (options, tagged):
        record = decode(article.trace(TO_ENDPOINT, packet))
        assert (record.source_port, record.destination_port, record.detail) == (36946, 80, SYN)


def test_later_fragments_have_no_ports() -> None:
    plain = article.client_to_pod(SYN)
    fragment = plain[:20] + struct.pack(">H", 185) + plain[22:]
    record = decode(article.trace(TO_ENDPOINT, fragment))
    assert (record.protocol, record.source_port, summary(record)) == (0, 0, "IPv4")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (b"", "0 bytes ends too early"),
        (b"\x04\x00", "2 bytes ends too early"),
        (b"\x63" + bytes(60), "type 99 is no flow"),
        (article.trace(TO_ENDPOINT, b"")[:40], "40 bytes ends before byte 48"),
        (b"\x04" + bytes(13) + b"\x09\x00" + bytes(40), "unknown version 9"),
        (b"\x01" + bytes(13) + b"\x07\x00" + bytes(40), "unknown version 7"),
    ],
)
def test_malformed_events_say_what_is_wrong(event: bytes, words: str) -> None:
    with pytest.raises(MalformedEvent, match=words):
        decode(event)


def test_random_bytes_never_do_worse_than_malformed() -> None:
    generator = random.Random(1)
    decoded = 0
    for _ in range(3000):
        kind = generator.choice((1, 3, 4, 5))
        event = bytes([kind]) + generator.randbytes(generator.randrange(160))
        event = event[:14] + bytes([generator.randrange(4), 0]) + event[16:]
        try:
            summary(decode(event))
            decoded += 1
        except MalformedEvent:
            continue
    assert decoded > 1000
