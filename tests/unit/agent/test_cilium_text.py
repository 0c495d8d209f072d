"""What the cilium command prints, from entries as the maps hold them."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

import pytest

from lab.agent.cilium import balancer, counters, fill, flows, places
from lab.agent.cilium.columns import columns
from lab.agent.profile import profile
from lab.agent.services.table import Table
from lab.agent.services.translate import Place, balance
from lab.bpf import structs
from lab.bpf.codes import CtFlag, Direction, EndpointFlag, Reason, ServiceFlag, TupleFlag
from lab.bpf.tables import BACKENDS, SERVICES
from tests.unit.agent.objects import endpoint, endpoint_slice, service


def number(text: str) -> int:
    return int(IPv4Address(text))


def listed(
    profile_name: str = "cilium-1.10",
    endpoints: Sequence[dict[str, Any]] = (endpoint("10.0.3.150"),),
    **spec: Any,
) -> list[balancer.Listed]:
    """The article's service, through the agent's own table."""
    chosen = profile(profile_name, {"maglev_size": "251"})
    place = Place("k8s-worker1", (IPv4Address("192.168.1.21"),), chosen)
    pieces = [endpoint_slice(*endpoints)]
    kubernetes = balance(
        service("kubernetes", vip=None, nodePort=False, type="ClusterIP", clusterIP="10.96.0.1"),
        [endpoint_slice(endpoint("192.168.1.10"))],
        place,
    )
    operations = Table(chosen, {}).update(
        {
            "default/kubernetes": kubernetes,
            "default/web1-lb": balance(service(**spec), pieces, place),
        }
    )
    held = {(op.map, op.key): op.value or b"" for op in operations}
    services = {
        structs.lb4_key.parse(key): structs.lb4_service.parse(value)
        for (name, key), value in held.items()
        if name == SERVICES.name
    }
    backends = {
        int.from_bytes(key, "little"): structs.lb4_backend.parse(value)
        for (name, key), value in held.items()
        if name == BACKENDS.name
    }
    return balancer.listing(services, backends)


def test_the_load_balancer_as_the_article_prints_it() -> None:
    lines = columns(balancer.bpf_lb_list(listed(), modern=False))

    at = lines.index("172.16.10.0:80       0.0.0.0:0 (5) [LoadBalancer]")
    assert lines[at + 1] == "                     10.0.3.150:80 (5)"
    assert lines[0] == "SERVICE ADDRESS      BACKEND ADDRESS"
    assert "0.0.0.0:30256        0.0.0.0:0 (3) [NodePort, non-routable]" in lines


def test_the_load_balancer_as_a_current_cilium_prints_it() -> None:
    lines = columns(balancer.bpf_lb_list(listed("modern"), modern=True))

    assert lines[0].split("  ")[0] == "SERVICE ADDRESS"
    assert [line.split() for line in lines if line.startswith("172.16.10.0:80")] == [
        ["172.16.10.0:80/TCP", "(0)", "0.0.0.0:0", "(5)", "(0)", "[LoadBalancer]"],
        ["172.16.10.0:80/TCP", "(1)", "10.0.3.150:80/TCP", "(5)", "(1)"],
    ]
    assert any(line.startswith("172.16.10.0:0/ANY (0)") for line in lines)


def test_flags_are_spelled_out() -> None:
    spec: dict[str, Any] = {"externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP"}
    lines = columns(balancer.bpf_lb_list(listed(**spec), modern=False))
    assert any("[LoadBalancer, Local, sessionAffinity]" in line for line in lines)
    assert any(line.startswith("172.16.10.0:80/i ") for line in lines)
    lines = columns(balancer.bpf_lb_list(listed("modern", **spec), modern=True))
    assert any("[LoadBalancer, Local, two-scopes, sessionAffinity]" in line for line in lines)


def test_every_flag_of_a_service_has_its_word_in_cilium_s_order() -> None:
    """1.10 knows no policy for the inside, and has one scope's flags for both."""
    all_of_them = structs.lb4_service(
        flags=0xFF - ServiceFlag.EXTERNAL_IP - ServiceFlag.NODEPORT, flags2=0xFF
    )
    behind = "Local, sessionAffinity, check source-range, deny, dsr"
    assert balancer.flags(all_of_them, modern=False) == f"LoadBalancer, {behind}"
    assert balancer.flags(all_of_them, modern=True) == (
        f"LoadBalancer, {behind.replace('Local,', 'Local, InternalLocal, two-scopes,')}"
    )
    assert balancer.flags(structs.lb4_service(), modern=True) == "ClusterIP, non-routable"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"flags": 4}, "Local"),
        ({"flags": 16}, "sessionAffinity"),
        ({"flags": 128}, "check source-range"),
        ({"flags2": 16}, "InternalLocal"),
        ({"flags2": 32}, "two-scopes"),
        ({"flags2": 64}, "deny"),
        ({"flags2": 128}, "dsr"),
    ],
)
def test_a_flag_s_word(value: dict[str, int], word: str) -> None:
    words = balancer.flags(structs.lb4_service(**value), modern=True).split(", ")
    assert set(words) == {"ClusterIP", "non-routable", word}


def test_frontends_stand_by_their_address_and_port_each_with_its_own_slots() -> None:
    services = {
        structs.lb4_key(address=number(address), dport=port, proto=6, backend_slot=slot):
            structs.lb4_service(backend_id=slot * 10 + port % 10, rev_nat_index=port)
        for address, port in (("172.16.10.1", 80), ("172.16.10.0", 443), ("172.16.10.0", 80))
        for slot in (2, 0, 1)
    }  # fmt: skip
    backends = {n: structs.lb4_backend(address=n, port=8080, proto=6) for n in (10, 20, 13, 23)}
    listed = balancer.listing(services, backends)
    assert {each.key.backend_slot for each in listed} == {0}
    assert [(balancer.name(each.key), [n for n, _ in each.backends]) for each in listed] == [
        ("172.16.10.0:80", [10, 20]),
        ("172.16.10.0:443", [13, 23]),
        ("172.16.10.1:80", [10, 20]),
    ]


def test_a_slot_whose_backend_is_gone_says_so() -> None:
    found = listed()
    found[-1].backends = [(99, None)]
    for modern in (False, True):
        rows = balancer.bpf_lb_list(found, modern=modern)
        assert rows[-1][1] == "backend 99 not found"
        told = [each.backends for each in balancer.services(found, modern=modern)]
        assert [balancer.Choice("backend 99 not found", "missing")] in told


def test_services_by_their_number() -> None:
    found = balancer.services(listed(), modern=False)
    lines = columns(balancer.service_list(found, modern=False))
    assert lines[0].split("  ")[0] == "ID"
    assert lines[-1].split() == ["5", "172.16.10.0:80", "LoadBalancer", "1", "=>", "10.0.3.150:80"]


def test_a_service_has_a_line_for_each_backend_and_one_when_it_has_none() -> None:
    """What only refuses the other ports of an address is no service."""
    both = [endpoint("10.0.3.150"), endpoint("10.0.3.151")]
    found = balancer.services(listed("modern", both, nodePort=False), modern=True)
    assert [line.split() for line in columns(balancer.service_list(found, modern=True))[2:]] == [
        ["2", "10.106.236.120:80/TCP", "ClusterIP", "1", "=>", "10.0.3.150:80/TCP", "(active)"],
        ["2", "=>", "10.0.3.151:80/TCP", "(active)"],
        ["3", "172.16.10.0:80/TCP", "LoadBalancer", "1", "=>", "10.0.3.150:80/TCP", "(active)"],
        ["2", "=>", "10.0.3.151:80/TCP", "(active)"],
    ]
    nobody = balancer.services(listed(endpoints=[], nodePort=False), modern=False)
    assert [line.split() for line in columns(balancer.service_list(nobody, modern=False))[2:]] == [
        ["2", "10.106.236.120:80", "ClusterIP"],
        ["3", "172.16.10.0:80", "LoadBalancer"],
    ]


def test_a_terminating_backend_is_told_as_one_even_where_it_is_the_last() -> None:
    ending = [endpoint("10.0.3.150", ready=False, terminating=True)]
    found = balancer.services(listed("modern", ending), modern=True)
    lines = columns(balancer.service_list(found, modern=True))
    assert lines[-1].split()[-4:] == ["1", "=>", "10.0.3.150:80/TCP", "(terminating)"]


def test_connections_go_from_who_opened_them() -> None:
    key = structs.ipv4_ct_tuple(
        daddr=number("192.168.1.1"), saddr=number("10.0.3.150"),
        sport=36946, dport=80, nexthdr=6, flags=TupleFlag.IN,
    )  # fmt: skip
    value = structs.ct_entry(
        rx_packets=7, lifetime=99, flags=CtFlag.RX_CLOSING | CtFlag.NODE_PORT, rev_nat_index=5
    )
    (line,) = flows.ct_list([(key, value)])
    assert line.startswith("TCP IN 192.168.1.1:36946 -> 10.0.3.150:80 expires=99 RxPackets=7 ")
    assert "Flags=0x0021 [ RxClosing NodePort ] RevNAT=5" in line


def test_a_service_entry_names_its_backend() -> None:
    key = structs.ipv4_ct_tuple(nexthdr=17, flags=TupleFlag.SERVICE)
    (line,) = flows.ct_list([(key, structs.ct_entry(rx_bytes=3, rev_nat_index=5))])
    assert line.startswith("UDP SVC 0.0.0.0:0 -> 0.0.0.0:0 ")
    assert "RevNAT=5 BackendID=3" in line


def test_translations_in_both_directions() -> None:
    out = structs.ipv4_ct_tuple(
        saddr=number("192.168.1.1"), daddr=number("10.0.3.150"), sport=36946, dport=80, nexthdr=6
    )
    back = structs.ipv4_ct_tuple(
        saddr=number("10.0.3.150"), daddr=number("10.0.4.1"), sport=80, dport=36946, nexthdr=6,
        flags=TupleFlag.IN,
    )  # fmt: skip
    there = structs.ipv4_nat_entry(created=90, to_addr=number("10.0.4.1"), to_port=36946)
    here = structs.ipv4_nat_entry(created=90, to_addr=number("192.168.1.1"), to_port=36946)
    assert list(flows.nat_list([(out, there), (back, here)], now=100)) == [
        "TCP OUT 192.168.1.1:36946 -> 10.0.3.150:80 XLATE_SRC 10.0.4.1:36946 "
        "Created=10sec HostLocal=0",
        "TCP IN 10.0.3.150:80 -> 10.0.4.1:36946 XLATE_DST 192.168.1.1:36946 "
        "Created=10sec HostLocal=0",
    ]


IPCACHE = [
    (
        structs.ipcache_key.of(IPv4Network("10.0.2.9/32")),
        structs.remote_endpoint_info(sec_label=300, tunnel_endpoint=number("192.168.1.22")),
    ),
    (
        structs.ipcache_key.of(IPv4Network("10.0.2.0/24")),
        structs.remote_endpoint_info(sec_label=2, tunnel_endpoint=number("192.168.1.22")),
    ),
    (structs.ipcache_key.of(IPv4Network("0.0.0.0/0")), structs.remote_endpoint_info(sec_label=2)),
]
IPCACHE6 = [
    (structs.ipcache_key.of(IPv6Network(prefix)), IPCACHE[0][1])
    for prefix in ("fd00:10:0:2::9/128", "fd00:10:0:2::/64")
]


def test_identities_by_prefix() -> None:
    assert columns(places.ipcache_list(IPCACHE)) == [
        "IP PREFIX/ADDRESS   IDENTITY",
        "0.0.0.0/0           identity=2 encryptkey=0 tunnelendpoint=0.0.0.0",
        "10.0.2.0/24         identity=2 encryptkey=0 tunnelendpoint=192.168.1.22",
        "10.0.2.9/32         identity=300 encryptkey=0 tunnelendpoint=192.168.1.22",
    ]


def test_tunnels_lead_to_networks_not_to_single_pods() -> None:
    assert columns(places.tunnel_list(IPCACHE6 + IPCACHE)) == [
        "TUNNEL             VALUE",
        "10.0.2.0/24        192.168.1.22",
        "fd00:10:0:2::/64   192.168.1.22",
    ]


def test_addresses_of_the_node() -> None:
    pod = structs.endpoint_info(ifindex=6, lxc_id=258)
    host = structs.endpoint_info(flags=EndpointFlag.HOST)
    entries = [
        (structs.endpoint_key.of(IPv4Address("10.0.1.2")), pod),
        (structs.endpoint_key.of(IPv4Address("10.0.1.1")), host),
    ]
    lines = columns(places.endpoint_list(entries))
    assert lines[1] == "10.0.1.1:0   (localhost)"
    assert lines[2].startswith("10.0.1.2:0   id=258   flags=0x0000 ifindex=6   mac=00:00:")


def test_counters_by_reason_without_those_that_are_zero() -> None:
    found = counters.counters(
        [
            (
                structs.metrics_key(dir=Direction.EGRESS),
                structs.metrics_value(count=9, bytes=540),
            ),
            (
                structs.metrics_key(reason=Reason.NO_SERVICE, dir=Direction.INGRESS),
                structs.metrics_value(count=3, bytes=180),
            ),
            (structs.metrics_key(), structs.metrics_value()),
        ]
    )
    lines = columns(counters.metrics_list(found))
    assert [line.split("  ")[0] for line in lines] == [
        "REASON", "Service backend not found", "Success",
    ]  # fmt: skip
    assert lines[1].split()[-3:] == ["INGRESS", "3", "180"]
    assert lines[2].split()[-3:] == ["EGRESS", "9", "540"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns([("A", "B"), ("longer", "x", "y"), ()]) == ["A        B", "longer   x   y", ""]


def test_flow_tables_tell_what_they_evicted() -> None:
    assert fill.bpf_maps([("TCP connection tracking", 131072, 131070, 12), ("NAT", 9, 0, 0)]) == [
        "BPF Maps:",
        "  Name                      Size     Entries   Evicted",
        "  TCP connection tracking   131072   131070    12",
        "  NAT                       9        0         0",
    ]


def test_every_flag_of_the_service_types_has_a_word() -> None:
    words = [
        balancer.kind(structs.lb4_service(flags=flag))
        for flag in (ServiceFlag.LOADBALANCER, ServiceFlag.NODEPORT, ServiceFlag.EXTERNAL_IP, 0)
    ]
    assert words == ["LoadBalancer", "NodePort", "ExternalIPs", "ClusterIP"]
