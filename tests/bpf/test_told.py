"""What an event tells of a packet beside its bytes: from whom, to whom, and why it is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from scapy.layers.inet import UDP

from lab.bpf import structs as s
from lab.bpf.codes import Aggregation, Identity, ObsPoint, Reason, TraceReason
from lab.bpf.config import NodeConfig

from .errors import NO_PORT, error
from .family import IPV4, IPV6, Family
from .node import DUAL, MODERN, POD2_ID, POD_ID, POD_LABEL, TUNNEL
from .packets import FROM_POD, FROM_ROUTER, datagram, ip, reply, request, segment
from .rig import Backend, Rig

REMOTE_LABEL = 7777
UPLINK = 1
"""Every test packet comes in by interface 1."""

CHATTY = replace(DUAL, aggregation=Aggregation.NONE)
HOST, WORLD, REMOTE_NODE = Identity.HOST, Identity.WORLD, Identity.REMOTE_NODE
NEW, SEEN, ANSWER = TraceReason.NEW, TraceReason.ESTABLISHED, TraceReason.REPLY


@dataclass(frozen=True)
class Told:
    """The last of the packets, and what its first event tells; what is not named is 0."""

    packets: Callable[[Family], list[tuple[str, Any]]]
    told: dict[str, int]
    config: NodeConfig = field(default=DUAL)


def spent(packet: Any) -> Any:
    packet[1].setfieldval("hlim" if packet[1].version == 6 else "ttl", 1)
    return packet


def asked(dst: str, *flags: str) -> Callable[[Family], list[tuple[str, Any]]]:
    """A client's segments to a service or an address of the family's."""
    return lambda f: [
        ("from_netdev", request(f.client, getattr(f, dst), flags=flag)) for flag in flags or "S"
    ]


def sent(dst: str, *flags: str) -> Callable[[Family], list[tuple[str, Any]]]:
    """A pod's segments to an address of the family's."""
    return lambda f: [
        ("from_container", segment(f.pod, getattr(f, dst), flags=flag)) for flag in flags or "S"
    ]


def to_itself(*packets: str) -> Callable[[Family], list[tuple[str, Any]]]:
    """What a pod sends that was chosen for its own request: flags, of answers with < behind."""

    def sent(f: Family, flags: str) -> Any:
        if flags.endswith("<"):
            return reply(f.pod, f.loopback, flags=flags[:-1])
        return segment(f.pod, f.cluster_ip, flags=flags)

    return lambda f: [("from_container", sent(f, flags)) for flags in packets]


def refused(f: Family) -> list[tuple[str, Any]]:
    """Nobody listens in the pod where the client's datagram went."""
    met = datagram(f.client, f.pod)
    return [("from_netdev", met), ("from_container", FROM_POD / error(met, f.pod, NO_PORT))]


def told_of_it(f: Family) -> list[tuple[str, Any]]:
    """A router could not send the pod's answer on."""
    answer = FROM_ROUTER / ip(f.pod, f.client) / UDP(sport=53, dport=1)
    asks = datagram(f.client, f.pod, sport=1)
    return [("from_netdev", asks), ("from_netdev", FROM_ROUTER / error(answer, f.gateway))]


INTO_POD = {"dst_label": POD_LABEL, "dst_id": POD_ID, "source": POD_ID, "ifindex": UPLINK}
OUT_OF_POD = {"source": POD_ID, "src_label": POD_LABEL}
TO_TUNNEL = {"subtype": ObsPoint.TO_OVERLAY, "ifindex": TUNNEL}

TELLS = {
    "into a pod": Told(asked("pod"), {**INTO_POD, "src_label": WORLD, "reason": NEW}),
    "into a pod, once more": Told(
        asked("pod", "S", "A"), {**INTO_POD, "src_label": WORLD, "reason": SEEN}
    ),
    "a pod's answer to another": Told(
        lambda f: [
            ("from_container", segment(f.pod, f.pod2)),
            ("from_container", reply(f.pod2, f.pod)),
        ],
        {**INTO_POD, "src_label": POD_LABEL, "reason": ANSWER},
    ),
    "from pod to pod": Told(
        sent("pod2"), {**INTO_POD, "source": POD2_ID, "dst_id": POD2_ID, "src_label": POD_LABEL}
    ),
    "a pod to itself, once more": Told(
        to_itself("S", "A"), {**INTO_POD, "src_label": POD_LABEL, "reason": SEEN}
    ),
    "a pod's answer to itself": Told(
        to_itself("S", "SA<"), {**INTO_POD, "src_label": POD_LABEL, "reason": ANSWER}
    ),
    "an error into a pod": Told(
        told_of_it, {**INTO_POD, "src_label": WORLD, "reason": TraceReason.RELATED}
    ),
    "an error out of a pod": Told(
        refused,
        {
            **OUT_OF_POD,
            "subtype": ObsPoint.TO_STACK,
            "dst_label": WORLD,
            "reason": TraceReason.RELATED,
        },
    ),
    "a pod to a node": Told(
        sent("node2"), {**OUT_OF_POD, "subtype": ObsPoint.TO_STACK, "dst_label": REMOTE_NODE}
    ),
    "a pod to its node": Told(
        sent("router"), {**OUT_OF_POD, "subtype": ObsPoint.TO_STACK, "dst_label": HOST}
    ),
    "a pod into the tunnel": Told(
        sent("remote_pod"), {**OUT_OF_POD, **TO_TUNNEL, "dst_label": REMOTE_LABEL}
    ),
    "a pod into the tunnel, once more, in 1.10": Told(
        sent("remote_pod", "S", "A"),
        {**OUT_OF_POD, **TO_TUNNEL, "dst_label": REMOTE_LABEL, "reason": NEW},
    ),
    "a pod into the tunnel, once more": Told(
        sent("remote_pod", "S", "A"),
        {**OUT_OF_POD, **TO_TUNNEL, "dst_label": REMOTE_LABEL, "reason": SEEN},
        MODERN,
    ),
    "the node into the tunnel": Told(
        lambda f: [("from_host", request(f.router, f.remote_pod))],
        {**TO_TUNNEL, "src_label": HOST, "dst_label": REMOTE_LABEL},
    ),
    "a client's into the tunnel, in 1.10": Told(asked("vip"), {**TO_TUNNEL, "src_label": WORLD}),
    "a client's into the tunnel": Told(
        asked("vip"), {**TO_TUNNEL, "src_label": WORLD, "dst_label": REMOTE_LABEL}, MODERN
    ),
    "to the node": Told(
        lambda f: [("to_host", request(f.remote_pod, f.router))],
        {"subtype": ObsPoint.TO_HOST, "dst_label": HOST, "ifindex": UPLINK},
    ),
    "out of the node": Told(
        lambda f: [("to_netdev", request(f.node, f.client))],
        {"subtype": ObsPoint.TO_NETWORK, "ifindex": UPLINK},
        CHATTY,
    ),
    "a pod begins": Told(
        lambda f: [("from_container", spent(segment(f.pod, f.pod2)))],
        {
            **OUT_OF_POD,
            "subtype": ObsPoint.FROM_ENDPOINT,
            "reason": TraceReason.UNKNOWN,
            "ifindex": UPLINK,
        },
        CHATTY,
    ),
    "a pod's packet is lost": Told(
        lambda f: [("from_container", spent(segment(f.pod, f.pod2)))],
        {**OUT_OF_POD, "subtype": Reason.TTL_EXCEEDED, "ifindex": UPLINK},
    ),
    "a client's packet is lost": Told(
        lambda f: [("from_netdev", spent(request(f.client, f.vip)))],
        {"src_label": WORLD, "subtype": Reason.TTL_EXCEEDED, "ifindex": UPLINK},
    ),
}
FIELDS = ("subtype", "source", "src_label", "dst_label", "dst_id", "ifindex")


@pytest.mark.parametrize("family", [IPV4, IPV6], ids=str)
@pytest.mark.parametrize("name", TELLS)
def test_an_event_tells(make_rig: Callable[..., Rig], name: str, family: Family) -> None:
    row = TELLS[name]
    rig = make_rig(row.config)
    rig.identity(family.remote_pod, REMOTE_LABEL, "192.168.1.22")
    rig.service(family.vip, 80, [Backend(family.remote_pod)])
    rig.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    for program, packet in row.packets(family):
        rig.events()
        rig.run(program, packet)
    event = rig.events()[0]
    fields = FIELDS if isinstance(event, s.drop_notify) else (*FIELDS, "reason")
    assert {name: getattr(event, name) for name in fields} == {
        name: row.told.get(name, 0) for name in fields
    }


@pytest.mark.parametrize("family", [IPV4, IPV6], ids=str)
def test_what_a_pod_sends_itself_is_aggregated(dual: Rig, family: Family) -> None:
    dual.service(family.cluster_ip, 80, [Backend(family.pod)], flags=0)
    for program, packet in to_itself("S", "SA<", "A", "A<", "A", "A<")(family):
        dual.run(program, packet)
    assert [told.reason for told in dual.events()] == [NEW, ANSWER, SEEN]
