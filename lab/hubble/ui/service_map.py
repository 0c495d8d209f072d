"""The service map: who talked to whom, on which port, with what outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.hubble.api import flow_pb2
from lab.hubble.cli.texts import enum_name
from lab.hubble.ui.cards import DNS_APP, DNS_PORT, Card, card_of

_PORTLESS = {"ICMPv4": "ICMP", "ICMPv6": "ICMPv6"}


MOST_LINKS = 300
"""Links that a map has at most: whoever scans ports would fill it until nothing can be seen."""


@dataclass(frozen=True)
class LinkKey:
    """A link goes from the card that asked to the port that was asked."""

    source: str
    destination: str
    port: int
    protocol: str


@dataclass
class Link:
    """How often, and how it ended."""

    flows: int = 0
    dropped: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)


class ServiceMap:
    """Cards and links, grown flow by flow. `version` changes with the set of them."""

    def __init__(self) -> None:
        self.cards: dict[str, Card] = {}
        self.links: dict[LinkKey, Link] = {}
        self.version = 0
        self.undrawn = 0
        """Flows that found no room in the map."""

    def add(self, flow: flow_pb2.Flow) -> bool:
        """Count one flow; False when it is not in the map, as it does not say who asked whom.

        The direction of a forwarded packet may be unknown (to-overlay in the 1.10 generation): it
        is seen again where the pod lives, with the direction. A drop is shown as the packet went.
        """
        dropped = flow.verdict == flow_pb2.DROPPED
        if not flow.HasField("is_reply") and not dropped:
            return False
        port, protocol = access_point(flow)
        if not protocol:
            return False
        source, destination = card_of(flow.source), card_of(flow.destination)
        if flow.is_reply.value:
            source, destination = destination, source
        key = LinkKey(source.id, destination.id, port, protocol)
        link = self.links.get(key)
        if link is None:
            if len(self.links) == MOST_LINKS:
                self.undrawn += 1
                return False
            link = self.links[key] = Link()
            self.cards.setdefault(source.id, source)
            self.cards.setdefault(destination.id, destination)
            self.version += 1
        link.flows += 1
        link.dropped += dropped
        verdict = enum_name(flow_pb2.Verdict, flow.verdict).lower()
        link.verdicts[verdict] = link.verdicts.get(verdict, 0) + 1
        return True

    def picture(self, hide: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The map for the page, without the cards that `hide` names, everything in order."""
        cards = {id: card for id, card in self.cards.items() if card.hidden_by not in hide}
        links = {
            key: link
            for key, link in self.links.items()
            if key.source in cards and key.destination in cards
            and not ("kube-dns" in hide and self._is_dns(key))
        }  # fmt: skip
        shown = {end for key in links for end in (key.source, key.destination)}
        ports: dict[str, list[tuple[int, str]]] = {}
        for key in links:
            points = ports.setdefault(key.destination, [])
            if (key.port, key.protocol) not in points:
                points.append((key.port, key.protocol))
        return {
            "cards": [
                _card(cards[id], sorted(ports.get(id, []))) for id in sorted(cards) if id in shown
            ],
            "links": [_link(key, links[key]) for key in sorted(links, key=_order)],
        }

    def _is_dns(self, key: LinkKey) -> bool:
        return key.port == DNS_PORT and self.cards[key.destination].title == DNS_APP


def access_point(flow: flow_pb2.Flow) -> tuple[int, str]:
    """The port and protocol that was asked: a reply comes from it. ("" when there is none.)"""
    protocol = flow.l4.WhichOneof("protocol") or ""
    if protocol in _PORTLESS:
        return 0, _PORTLESS[protocol]
    if not protocol:
        return 0, ""
    layer = getattr(flow.l4, protocol)
    return (layer.source_port if flow.is_reply.value else layer.destination_port), protocol


def _card(card: Card, points: list[tuple[int, str]]) -> Mapping[str, Any]:
    return {
        "id": card.id,
        "title": card.title,
        "kind": card.kind,
        "namespace": card.namespace,
        "identity": card.identity,
        "labels": list(card.labels),
        "workload": card.workload,
        "ports": [{"port": port, "protocol": protocol} for port, protocol in points],
    }


def _link(key: LinkKey, link: Link) -> Mapping[str, Any]:
    return {
        "source": key.source,
        "destination": key.destination,
        "port": key.port,
        "protocol": key.protocol,
        "flows": link.flows,
        "dropped": link.dropped,
        "verdicts": link.verdicts,
    }


def _order(key: LinkKey) -> tuple[str, str, int, str]:
    return key.source, key.destination, key.port, key.protocol
