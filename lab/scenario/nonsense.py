"""BGP messages that are wrong in one way each, and what a router owes to them. Made with Scapy.

RFC 4271, section 6, ends the session with a NOTIFICATION that names the mistake. RFC 7606 keeps it
where it can: a route with a malformed attribute is taken for withdrawn, and an attribute that
matters to nobody is dropped from a route that stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

# A second of processor time: whoever lists the scenarios should not pay it.
from scapy.contrib.bgp import (
    BGPHeader,
    BGPNLRI_IPv4,
    BGPOpen,
    BGPPAASPath,
    BGPPANextHop,
    BGPPAOrigin,
    BGPPathAttr,
    BGPUpdate,
)
from scapy.packet import Packet, Raw

OPEN, UPDATE, KEEPALIVE = 1, 2, 4
ORIGIN, AS_PATH, NEXT_HOP, MED, ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES = 1, 2, 3, 4, 6, 7, 8
TRANSITIVE, OPTIONAL = 0x40, 0x80
AS_SEQUENCE = 2
HOLD = 90
TOO_LONG = b"\x0f\xa0"
"""4000 bytes, in a message of less than a hundred."""


@dataclass(frozen=True)
class Fatal:
    """A mistake that ends the session."""

    words: str
    answer: str
    """The router's NOTIFICATION, as code and subcode."""
    opening: bytes
    messages: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Mild:
    """A mistake that costs a route at most: `routes` has it right, `message` wrong."""

    words: str
    kept: bool
    """The route stays without the attribute; otherwise it is withdrawn."""
    prefix: IPv4Network
    route: bytes
    message: bytes


class Speaker:
    """What a node says whose mistakes these are."""

    def __init__(self, address: IPv4Address, asn: int) -> None:
        self._address = str(address)
        self._asn = asn

    def fatal(self) -> list[Fatal]:
        """One mistake for each thing that a session dies of."""
        return [
            *(
                Fatal(words, answer, bytes(message))
                for words, answer, message in self._wrong_openings()
            ),
            *(
                Fatal(words, answer, self.opening(), (bytes(message),))
                for words, answer, message in self._wrong_messages()
            ),
        ]

    def mild(self, prefixes: Sequence[IPv4Network]) -> list[Mild]:
        """One mistake for each prefix, as many as there are."""
        return [
            Mild(words, kept, prefix, self.route(prefix), self._update(attributes, prefix))
            for (words, kept, attributes), prefix in zip(
                self._wrong_attributes(), prefixes, strict=False
            )
        ]

    def opening(self) -> bytes:
        """A faultless OPEN."""
        return bytes(self._open())

    def route(self, prefix: IPv4Network) -> bytes:
        """A faultless announcement."""
        return self._update([self._origin(), self._path(), self._next_hop()], prefix)

    def _open(self, **wrong: Any) -> Packet:
        fields: dict[str, Any] = {
            "version": 4,
            "my_as": self._asn,
            "hold_time": HOLD,
            "bgp_id": self._address,
        }
        return BGPHeader(type=OPEN) / BGPOpen(**{**fields, **wrong})

    def _wrong_openings(self) -> list[tuple[str, str, Packet]]:
        parameter = Raw(b"\x09\x01\x00")
        marker = self._open()
        marker.marker = 0
        return [
            ("a header that does not begin with ones", "1 1", marker),
            ("a message shorter than its own header", "1 2", BGPHeader(type=OPEN, len=18)),
            ("BGP version 5", "2 1", self._open(version=5)),
            ("an AS number that is not the neighbor's", "2 2", self._open(my_as=64999)),
            ("0.0.0.0 as its identifier", "2 3", self._open(bgp_id="0.0.0.0")),
            ("an optional parameter nobody knows", "2 4", self._open(opt_params=[parameter])),
            ("a hold time of one second", "2 6", self._open(hold_time=1)),
        ]

    def _wrong_messages(self) -> list[tuple[str, str, Packet]]:
        head = BGPHeader(type=UPDATE)
        good = [self._origin(), self._path(), self._next_hop()]
        attributes = b"".join(map(bytes, good))
        length = len(attributes).to_bytes(2, "big")
        # Scapy insists on lengths that are right and on prefixes that are some.
        return [
            ("a message of type 9", "1 3", BGPHeader(type=9)),
            ("withdrawn routes longer than their message", "3 1",
             head / Raw(TOO_LONG + b"\0\0")),
            ("attributes longer than their message", "3 1",
             head / Raw(b"\0\0" + TOO_LONG + attributes)),
            ("a prefix of 33 bits", "3 10",
             head / Raw(b"\0\0" + length + attributes + b"\x21\xac\x10\x0a\x00\x00")),
        ]  # fmt: skip

    def _wrong_attributes(self) -> list[tuple[str, bool, list[Packet]]]:
        origin, path, hop = self._origin(), self._path(), self._next_hop()
        # The bad one comes last: behind any other FRR 8.4 loses its place, reads attributes as
        # prefixes, and ends the session.
        return [
            ("an origin that is none of the three", False, [path, hop, self._origin(7)]),
            ("no origin at all", False, [path, hop]),
            ("no AS path", False, [origin, hop]),
            ("no next hop", False, [origin, path]),
            ("an AS path shorter than it says", False,
             [origin, hop, _raw(TRANSITIVE, AS_PATH, b"\x02\x03\xfc\x5e")]),
            ("a next hop of five bytes", False,
             [origin, path, _raw(TRANSITIVE, NEXT_HOP, b"\xc0\xa8\x01\x19\x00")]),
            ("an origin marked as optional", False,
             [path, hop, _raw(OPTIONAL | TRANSITIVE, ORIGIN, b"\0")]),
            ("a metric of three bytes", False,
             [origin, path, hop, _raw(OPTIONAL, MED, b"\0\0\1")]),
            ("a community of three bytes", False,
             [origin, path, hop, _raw(OPTIONAL | TRANSITIVE, COMMUNITIES, b"\xfc\x00\x01")]),
            ("an aggregator of three bytes", True,
             [origin, path, hop, _raw(OPTIONAL | TRANSITIVE, AGGREGATOR, b"\xfc\x00\x01")]),
            ("an atomic aggregate with contents", True,
             [origin, path, hop, _raw(TRANSITIVE, ATOMIC_AGGREGATE, b"\x01")]),
        ]  # fmt: skip

    def _update(self, attributes: Sequence[Packet], prefix: IPv4Network) -> bytes:
        nlri = [BGPNLRI_IPv4(prefix=str(prefix))]
        return bytes(BGPHeader(type=UPDATE) / BGPUpdate(path_attr=list(attributes), nlri=nlri))

    def _origin(self, value: int = 0) -> Packet:
        return _attribute(ORIGIN, BGPPAOrigin(origin=value))

    def _path(self) -> Packet:
        segment = BGPPAASPath.ASPathSegment(segment_type=AS_SEQUENCE, segment_value=[self._asn])
        return _attribute(AS_PATH, BGPPAASPath(segments=[segment]))

    def _next_hop(self) -> Packet:
        return _attribute(NEXT_HOP, BGPPANextHop(next_hop=self._address))


def _attribute(kind: int, value: Packet) -> Packet:
    return BGPPathAttr(type_flags=TRANSITIVE, type_code=kind, attribute=value)


def _raw(flags: int, kind: int, value: bytes) -> Packet:
    """An attribute whose value Scapy could not be talked into."""
    return Raw(bytes([flags, kind, len(value)]) + value)
