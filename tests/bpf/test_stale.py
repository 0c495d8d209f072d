"""What is remembered of a flow, and no longer true: another service, a backend that left, a SYN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import TCP, UDP

from lab.bpf import structs as s
from lab.bpf import tables as t
from lab.bpf.codes import BackendState, CtFlag, Reason, ServiceFlag, TupleFlag

from .dsr import telling
from .errors import NO_PORT, said
from .family import BOTH, Family
from .node import DUAL, direct
from .packets import FROM_POD, FROM_ROUTER, PORT, datagram, ip, ping, reply, request
from .rig import EXPOSED, OK, REDIRECT, SHOT, Backend, Rig

STICKY = EXPOSED | ServiceFlag.AFFINITY


def query(src: str, dst: str) -> Any:
    """A datagram from a pod."""
    return FROM_POD / ip(src, dst) / UDP(sport=PORT, dport=53) / b"q"


def answer(src: str, dst: str) -> Any:
    return FROM_POD / ip(src, dst) / UDP(sport=53, dport=PORT) / b"a"


@BOTH
def test_pod_that_knew_the_backend_is_answered_by_the_service(dual: Rig, family: Family) -> None:
    """A resolver that keeps its port asks a server first by its own address."""
    dual.service(family.cluster_ip, 53, [Backend(family.pod2, 53)], proto=17, flags=0)
    dual.service(
        family.near(family.cluster_ip, 1), 53, [Backend(family.pod2, 53)], proto=17, flags=0
    )
    for asked in (family.pod2, family.cluster_ip, family.near(family.cluster_ip, 1), family.pod2):
        dual.run("from_container", query(family.pod, asked))
        assert dual.run("from_container", answer(family.pod2, family.pod)).ends[0] == asked


@BOTH
@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_client_is_answered_by_the_service_it_asked_last(
    dual: Rig, family: Family, remote: bool
) -> None:
    """Two services of one backend, asked from one port; one may be the other, made anew."""
    pod = family.remote_pod if remote else family.pod
    for vip in (family.vip, family.near(family.vip, 1)):
        dual.service(vip, 53, [Backend(pod, 53)], proto=17)
    for vip in (family.vip, family.near(family.vip, 1), family.vip):
        dual.run("from_netdev", datagram(family.client, vip))
        if not remote:
            back = dual.run("from_container", answer(family.pod, family.client))
        else:
            back = dual.run("from_netdev", datagram(pod, family.router, sport=53, dport=PORT))
        assert (back.verdict, back.ends[0]) == (REDIRECT, vip)


@BOTH
def test_client_of_a_service_that_was_made_anew_gets_a_backend_of_the_new_one(
    dual: Rig, family: Family
) -> None:
    """The old one's backend still exists: another service has it."""
    dual.service(family.vip, 53, [Backend(family.pod, 53)], proto=17)
    dual.run("from_netdev", datagram(family.client, family.vip))
    dual.service(family.vip, 53, [Backend(family.pod2, 53)], proto=17, anew=True)
    assert dual.run("from_netdev", datagram(family.client, family.vip)).ends[1] == family.pod2


@BOTH
def test_client_that_knew_the_pod_is_answered_by_the_service(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 53, [Backend(family.pod, 53)], proto=17)
    for asked in (family.pod, family.vip):
        dual.run("from_netdev", datagram(family.client, asked))
        assert dual.run("from_container", answer(family.pod, family.client)).ends[0] == asked


@BOTH
def test_client_that_knew_the_pod_is_answered_by_the_service_with_dsr(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    rig = make_rig(direct(DUAL))
    rig.service(family.vip, 53, [Backend(family.pod, 53)], proto=17)
    rig.run("from_netdev", datagram(family.client, family.pod))
    told = FROM_ROUTER / telling(family.client, family.pod, 17, 53)
    rig.run("from_netdev", told / UDP(sport=PORT, dport=53) / b"q")
    back = rig.run("from_container", answer(family.pod, family.client))
    assert (back.verdict, back.ends[0]) == (REDIRECT, family.vip)


@BOTH
def test_node_is_answered_by_the_service_it_asked_last(dual: Rig, family: Family) -> None:
    for address in (family.cluster_ip, family.near(family.cluster_ip, 1)):
        dual.service(address, 80, [Backend(family.pod)], flags=0)
    for address in (family.cluster_ip, family.near(family.cluster_ip, 1)):
        dual.run("to_container", dual.run("from_host", request(family.router, address)).packet)
        assert dual.run("from_container", reply(family.pod, family.router)).ends[0] == address


@BOTH
def test_affinity_with_a_backend_that_is_gone_chooses_another(dual: Rig, family: Family) -> None:
    """The backend goes before the entry that vouches for it does."""
    dual.service(family.vip, 80, [Backend(family.pod, 1)], flags=STICKY, affinity=100)
    dual.run("from_netdev", request(family.client, family.vip))
    gone = dual.backend(Backend(family.pod, 1))
    dual.service(family.vip, 80, [Backend(family.pod, 2)], flags=STICKY, affinity=100)
    match = s.lb_affinity_match(backend_id=gone, rev_nat_id=2)
    dual.map(t.AFFINITY_MATCH).update(match, t.Present(1))
    ((key, value),) = list(dual.map(family.affinity).items())
    key.rev_nat_id = 2
    dual.map(family.affinity).update(key, value)
    dual.map(family.backends).delete(t.BackendId(gone))
    out = dual.run("from_netdev", request(family.client, family.vip, sport=40001))
    assert (out.verdict, out.frame[TCP].dport) == (REDIRECT, 2)


@BOTH
def test_affinity_brings_no_new_flow_to_a_terminating_backend(dual: Rig, family: Family) -> None:
    dual.service(family.vip, 80, [Backend(family.pod, 1)], flags=STICKY, affinity=100)
    dual.run("from_netdev", request(family.client, family.vip))
    backends = [Backend(family.pod, 2), Backend(family.pod, 1, BackendState.TERMINATING)]
    dual.service(family.vip, 80, backends, terminating=1, flags=STICKY, affinity=100)
    for port in range(40000, 40005):
        assert (
            dual.run("from_netdev", request(family.client, family.vip, flags="A")).frame[TCP].dport
            == 1
        )
        assert (
            dual.run("from_netdev", request(family.client, family.vip, sport=port)).frame[TCP].dport
            == 2
        )


@BOTH
@pytest.mark.parametrize("closing", ["client", "backend"])
def test_syn_for_a_half_closed_flow_begins_a_new_one(
    dual: Rig, family: Family, closing: str
) -> None:
    """The other side's FIN was lost, or it crashed: its old one must not end the new flow."""
    dual.service(family.vip, 80, [Backend(family.pod)])
    client, pod = (
        request(family.client, family.vip, flags="FA"),
        reply(family.pod, family.client, flags="FA"),
    )
    dual.run("from_netdev", request(family.client, family.vip))
    dual.run("from_netdev", request(family.client, family.vip, flags="A"))
    if closing == "client":
        dual.run("from_netdev", client)
    else:
        dual.run("from_container", pod)
    dual.run("from_netdev", request(family.client, family.vip))
    dual.run("from_container", reply(family.pod, family.client))
    entry = next(v for k, v in dual.map(family.ct_tcp).items() if k.flags == TupleFlag.IN)
    assert not entry.flags & (CtFlag.RX_CLOSING | CtFlag.TX_CLOSING)


@BOTH
def test_syn_from_the_other_end_of_a_closed_flow_is_still_its_reply(
    dual: Rig, family: Family
) -> None:
    """As in Cilium: the client knows that port by the service's address only."""
    dual.service(family.vip, 80, [Backend(family.pod)])
    for program, sent in (
        ("from_netdev", request(family.client, family.vip)),
        ("from_netdev", request(family.client, family.vip, flags="FA")),
        ("from_container", reply(family.pod, family.client, flags="FA")),
    ):
        dual.run(program, sent)
    out = dual.run("from_container", reply(family.pod, family.client, flags="S"))
    assert (out.verdict, out.ends) == (REDIRECT, (family.vip, family.client))


@BOTH
def test_flow_goes_on_when_its_service_has_no_backend_for_others(
    modern: Rig, family: Family
) -> None:
    """Its backend is still there, but takes no new flows."""
    modern.service(family.vip, 80, [Backend(family.pod, 1)])
    modern.run("from_netdev", request(family.client, family.vip))
    quarantined = [Backend(family.pod, 1, BackendState.QUARANTINED)]
    modern.service(family.vip, 80, quarantined, terminating=1)
    assert (
        modern.run("from_netdev", request(family.client, family.vip, flags="A")).frame[TCP].dport
        == 1
    )
    other = modern.run("from_netdev", request(family.client, family.vip, sport=40001))
    assert (other.verdict, said(other)) == (REDIRECT, NO_PORT.of(family))


@BOTH
def test_vanished_backend_without_successor_is_told_in_modern(modern: Rig, family: Family) -> None:
    modern.service(family.vip, 80, [Backend(family.pod, 1)])
    modern.map(family.backends).delete(t.BackendId(1))
    out = modern.run("from_netdev", request(family.client, family.vip))
    assert (out.verdict, said(out)) == (REDIRECT, NO_PORT.of(family))
    sent = reply(family.pod2, family.vip, sport=40000, dport=80, flags="S")
    out = modern.run("from_container", sent)
    assert (out.verdict, said(out)) == (REDIRECT, NO_PORT.of(family))
    assert [event.subtype for event in modern.events()] == [Reason.NO_SERVICE] * 2


@BOTH
def test_who_may_not_use_a_service_is_not_told_that_it_is_empty(
    modern: Rig, family: Family
) -> None:
    modern.service(family.cluster_ip, 80, [], flags=0)
    modern.service(family.vip, 80, [], flags=EXPOSED | ServiceFlag.SOURCE_RANGE)
    for dst in (family.cluster_ip, family.vip):
        assert modern.run("from_netdev", request(family.client, dst)).verdict == SHOT
    assert modern.dropped() == {Reason.IS_CLUSTER_IP: 1, Reason.NOT_IN_SRC_RANGE: 1}


@BOTH
def test_echo_reply_is_for_no_port(dual: Rig, family: Family) -> None:
    """Its identifier is none, even where an entry serves a port of any protocol."""
    dual.service(family.vip, 80, [Backend(family.pod, 8080)], proto=0)
    sent = ping(family.client, family.vip, kind="echo-reply", number=80)
    out = dual.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))
