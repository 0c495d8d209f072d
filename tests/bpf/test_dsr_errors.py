"""Direct server return: ICMP errors about what the ingress node never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import TCP, UDP

from lab.bpf.codes import Algorithm, ServiceFlag
from lab.bpf.config import NodeConfig

from .dsr import telling
from .errors import NO_PORT, TOO_BIG, error, mtu, quoted, said
from .family import BOTH, IPV6, Family
from .node import DUAL, POD_LABEL, POD_MAC, direct
from .packets import FROM_POD, FROM_ROUTER, PORT, ip, request
from .rig import EXPOSED, OK, REDIRECT, Backend, Rig

NATIVE = replace(DUAL, tunnel=False, maglev_size=251)
DSR = direct(NATIVE)
FAR = {True: "2001:db8:ffff::9", False: "203.0.113.9"}
"""A router that no table knows, by whether it is one of IPv6."""


def too_big(family: Family, source: str, sport: int, dport: int) -> Any:
    """A router far away could not send the service's or the pod's reply on."""
    about: Any = FROM_ROUTER / ip(source, family.client) / TCP(sport=sport, dport=dport)
    return FROM_ROUTER / error(about, FAR[family is IPV6])


def meet(
    make_rig: Callable[..., Rig],
    family: Family,
    config: NodeConfig,
    algorithm: Algorithm,
    flags: int = EXPOSED,
) -> Rig:
    """A node with a service of two backends elsewhere, and Maglev's table for it."""
    rig = make_rig(config)
    rig.identity(family.remote_pod, POD_LABEL)
    backends = [Backend(family.remote_pod, 8080), Backend(family.remote_pod, 8081)]
    index = rig.service(family.vip, 80, backends, algorithm=algorithm, flags=flags, affinity=10800)
    rig.maglev(index, [1 + slot % 2 for slot in range(251)], ipv6=family is IPV6)
    return rig


@BOTH
def test_error_that_comes_by_another_node_finds_the_flows_backend(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    here, there = (meet(make_rig, family, DSR, Algorithm.MAGLEV) for _ in range(2))
    chosen = set()
    for sport in range(40000, 40020):
        sent = request(family.client, family.vip, sport=sport)
        port = here.run("from_netdev", sent).frame[TCP].dport
        out = there.run("from_netdev", too_big(family, family.vip, 80, sport))
        assert (out.verdict, out.ends[1]) == (REDIRECT, family.remote_pod)
        assert (said(out), mtu(out)) == (TOO_BIG.of(family), 1400)
        assert quoted(out) == (family.remote_pod, port, family.client, sport)
        chosen.add(port)
    assert chosen == {8080, 8081}
    assert list(there.map(family.ct_tcp).items()) == []


@BOTH
def test_error_of_a_client_with_an_affinity_finds_its_backend(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    """All of its ports have the same."""
    flags = EXPOSED | ServiceFlag.AFFINITY
    here, there = (meet(make_rig, family, DSR, Algorithm.MAGLEV, flags) for _ in range(2))
    for sport in range(40000, 40010):
        sent = request(family.client, family.vip, sport=sport)
        port = here.run("from_netdev", sent).frame[TCP].dport
        out = there.run("from_netdev", too_big(family, family.vip, 80, sport))
        assert quoted(out) == (family.remote_pod, port, family.client, sport)


@BOTH
@pytest.mark.parametrize("algorithm", [Algorithm.RANDOM, Algorithm.MAGLEV])
def test_a_services_only_backend_needs_no_table_to_be_found(
    make_rig: Callable[..., Rig], family: Family, algorithm: Algorithm
) -> None:
    rig = make_rig(DSR)
    rig.identity(family.remote_pod, POD_LABEL)
    rig.service(family.vip, 80, [Backend(family.remote_pod, 8080)], algorithm=algorithm)
    out = rig.run("from_netdev", too_big(family, family.vip, 80, 40000))
    assert (out.verdict, out.ends[1]) == (REDIRECT, family.remote_pod)
    assert quoted(out) == (family.remote_pod, 8080, family.client, 40000)


@BOTH
@pytest.mark.parametrize(
    ("config", "algorithm"),
    [(DSR, Algorithm.RANDOM), (NATIVE, Algorithm.MAGLEV)],
    ids=["chosen at random", "translated elsewhere"],
)
def test_error_about_what_only_another_node_knows_goes_on_as_it_is(
    make_rig: Callable[..., Rig], family: Family, config: NodeConfig, algorithm: Algorithm
) -> None:
    rig = meet(make_rig, family, config, algorithm)
    sent = too_big(family, family.vip, 80, 40000)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


@BOTH
def test_error_about_an_only_backends_reply_that_is_translated_elsewhere_goes_on_as_it_is(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    """The backend speaks to that other node, and knows nothing of the client."""
    rig = make_rig(NATIVE)
    rig.identity(family.remote_pod, POD_LABEL)
    rig.service(family.vip, 80, [Backend(family.remote_pod, 8080)])
    sent = too_big(family, family.vip, 80, 40000)
    out = rig.run("from_netdev", sent)
    assert (out.verdict, out.packet) == (OK, bytes(sent))


@BOTH
def test_pods_node_hands_it_to_the_pod(make_rig: Callable[..., Rig], family: Family) -> None:
    rig = make_rig(DSR)
    rig.service(family.vip, 80, [Backend(family.pod, 8080)])
    arriving = FROM_ROUTER / telling(family.client, family.pod, 6)
    rig.run("from_netdev", arriving / TCP(sport=PORT, dport=8080, flags="S"))
    out = rig.run("from_netdev", too_big(family, family.pod, 8080, PORT))
    assert (out.verdict, out.frame.dst, out.ends[1]) == (REDIRECT, POD_MAC, family.pod)


@BOTH
def test_pods_error_about_its_question_by_way_of_another_node_comes_back_to_it(
    make_rig: Callable[..., Rig], family: Family
) -> None:
    """It asked itself through a service there, where nobody listens: both addresses are turned."""
    rig = make_rig(DSR)
    rig.service(family.vip, 53, [Backend(family.pod, 5353)], proto=17)
    asked = FROM_ROUTER / telling(family.pod, family.pod, 17, 53) / UDP(sport=PORT, dport=5353)
    seen = rig.run("from_netdev", asked).frame
    out = rig.run("from_container", FROM_POD / error(seen, family.pod, NO_PORT, quote=40))
    assert (out.verdict, out.frame.dst, rig.dropped()) == (REDIRECT, POD_MAC, {})
    assert out.ends == (family.vip, family.pod)
