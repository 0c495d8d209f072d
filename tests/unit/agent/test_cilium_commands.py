"""The cilium command's words, and listings of single maps."""

from __future__ import annotations

import array
import json
from argparse import Namespace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from lab.agent.cilium import __main__ as command_line
from lab.agent.cilium import balancer, balancer_maps, commands, flows, maps, status, text
from lab.agent.cilium.columns import columns, grouped
from lab.agent.identity import identities
from lab.bpf import structs, tables
from lab.bpf.codes import ServiceFlag, ServiceFlag2, TupleFlag
from lab.bpf.layout import packed
from lab.errors import InputError, LabError

from .objects import pod


def ip(text_: str) -> Any:
    return packed(IPv4Address(text_))


def ip6(text_: str) -> Any:
    return packed(IPv6Address(text_))


def slot(number: int, **value: int) -> tuple[structs.lb4_key, structs.lb4_service]:
    key = structs.lb4_key(address=ip("172.16.10.0"), dport=80, proto=6, backend_slot=number)
    return key, structs.lb4_service(rev_nat_index=5, **value)


FLAGS = ServiceFlag.LOADBALANCER | ServiceFlag.ROUTABLE
SERVICES: list[tuple[balancer.Key, structs.lb4_service]] = [
    slot(2, backend_id=8),
    slot(1, backend_id=7),
    slot(0, count=2, qcount=1, flags=FLAGS, flags2=ServiceFlag2.FORWARD_DSR),
    (structs.lb6_key(address=ip6("fd00:172::"), dport=80, proto=17), structs.lb4_service()),
]


def test_frontends_slot_by_slot() -> None:
    assert columns(balancer_maps.frontends(SERVICES, modern=True)) == [
        "SERVICE ADDRESS           BACKEND ID",
        "172.16.10.0:80/TCP (0)    0 2[1] (5) [0x60 0x80]",
        "172.16.10.0:80/TCP (1)    7 0[0] (5) [0x0 0x0]",
        "172.16.10.0:80/TCP (2)    8 0[0] (5) [0x0 0x0]",
        "[fd00:172::]:80/UDP (0)   0 0[0] (0) [0x0 0x0]",
    ]


def test_the_slots_of_a_frontend_stand_below_it_where_the_address_has_no_slot() -> None:
    rows = balancer_maps.frontends(SERVICES, modern=False)
    assert [name for name, _ in rows[1:]] == ["172.16.10.0:80", "", "", "[fd00:172::]:80"]
    assert grouped(rows)["172.16.10.0:80"] == [
        "0 2[1] (5) [0x60 0x80]",
        "7 0[0] (5) [0x0 0x0]",
        "8 0[0] (5) [0x0 0x0]",
    ]


def test_backends_by_their_number_not_by_its_text() -> None:
    entries: list[tuple[Any, balancer.Backend]] = [
        (tables.BackendId(10), structs.lb6_backend(address=ip6("fd00::5"), port=53, proto=17)),
        (tables.BackendId(9), structs.lb4_backend(address=ip("10.0.3.150"), port=80, proto=6)),
    ]
    assert columns(balancer_maps.backends(entries)) == [
        "ID   BACKEND ADDRESS",
        "9    TCP://10.0.3.150:80",
        "10   UDP://[fd00::5]:53",
    ]


def test_what_replies_are_given() -> None:
    entries = [
        (tables.RevNatId(256), structs.lb4_reverse_nat(address=ip("172.16.10.1"), port=81)),
        (tables.RevNatId(5), structs.lb4_reverse_nat(address=ip("172.16.10.0"), port=80)),
    ]
    assert columns(balancer_maps.reverse_nat(entries)) == [
        "ID    BACKEND ADDRESS",
        "5     172.16.10.0:80",
        "256   172.16.10.1:81",
    ]


def test_source_ranges_with_their_service() -> None:
    entries: list[tuple[balancer_maps.SourceRange, None]] = [
        (structs.lb4_src_range_key(prefixlen=56, rev_nat_id=6, addr=ip("192.168.10.0")), None),
        (structs.lb6_src_range_key(prefixlen=96, rev_nat_id=5, addr=ip6("fd00:192::")), None),
    ]
    assert columns(balancer_maps.source_ranges(entries)) == [
        "SOURCE RANGE (REVNAT_ID)",
        "fd00:192::/64 (5)",
        "192.168.10.0/24 (6)",
    ]


def test_maglev_tables_place_by_place() -> None:
    rows = balancer_maps.maglev({12: array.array("I", [3, 4, 3]).tobytes(), 5: bytes(4)})
    assert columns(rows) == ["SVC ID   LOOKUP TABLE", "5        [0]", "12       [3 4 3]"]
    assert grouped(rows) == {"5": ["[0]"], "12": ["[3 4 3]"]}


def test_one_service_with_its_backends() -> None:
    backends = [balancer.Choice("10.0.3.150:80", "active")]
    found = [balancer.Service(5, "172.16.10.0:80", "LoadBalancer", backends)]
    assert balancer.service_get(found, 5) == ["172.16.10.0:80 =>", "\t\t1 => 10.0.3.150:80 (5)"]
    assert balancer.service_get(found, 6) is None


def test_how_much_longer_a_connection_is_known() -> None:
    key = structs.ipv4_ct_tuple(nexthdr=6, flags=TupleFlag.SERVICE)
    value = structs.ct_entry(lifetime=130, rx_bytes=3)
    (plain,) = flows.ct_list([(key, value)])
    (timed,) = flows.ct_list([(key, value)], now=100)
    assert " expires=130 RevNAT=0 BackendID=3 " in plain
    assert " expires=130 (remaining: 30 sec(s)) RevNAT=0 " in timed


def test_datagrams_in_parts() -> None:
    key = structs.ipv4_frag_id(
        daddr=ip("172.16.10.0"), saddr=ip("192.168.10.11"), id=4711, proto=17
    )
    other = structs.ipv4_frag_id(id=10, proto=6)
    ports = structs.frag_l4ports(sport=40000, dport=53)
    assert columns(flows.fragment_list([(key, ports), (other, ports)])) == [
        "ID     PROTO   SOURCE ADDRESS:PORT   DEST ADDRESS:PORT",
        "10     TCP     0.0.0.0:40000         0.0.0.0:53",
        "4711   UDP     192.168.10.11:40000   172.16.10.0:53",
    ]


def test_entries_as_values() -> None:
    key = structs.ipv4_ct_tuple(daddr=ip("192.168.1.1"), saddr=ip("10.0.3.150"), dport=80)
    assert text.values(key) == {
        "daddr": "192.168.1.1", "saddr": "10.0.3.150", "dport": 80, "sport": 0, "nexthdr": 0,
        "flags": 0,
    }  # fmt: skip
    translated = structs.ipv6_nat_entry(to_addr=ip6("fd00::1"), to_port=40000)
    told = text.values(translated)
    assert (told["to_addr"], told["to_port"], "pad2" in told) == ("fd00::1", 40000, False)
    json.dumps(told)


SAID: dict[str, Any] = {
    "config": {"profile": "cilium-1.10"},
    "identities": [{"id": 1, "labels": ["reserved:host"]}, {"id": 300, "labels": ["a", "b"]}],
    "nodes": [
        {"name": "k8s-worker1", "address": "192.168.1.21", "pod_cidr": "10.0.1.0/24",
         "address6": "", "pod_cidr6": ""},
    ],
}  # fmt: skip


def test_identities_with_one_label_a_line() -> None:
    assert columns(status.identity_list(SAID)) == [
        "ID    LABELS", "1     reserved:host", "300   a", "      b",
    ]  # fmt: skip


def test_nodes_with_their_networks() -> None:
    assert columns(status.node_list(SAID)) == [
        "Name          IPv4 Address   Endpoint CIDR   IPv6 Address   Endpoint CIDR",
        "k8s-worker1   192.168.1.21   10.0.1.0/24",
    ]


def test_identities_of_the_cluster_are_the_reserved_ones_and_those_of_its_pods() -> None:
    pods = [pod(name, "10.0.1.2", "192.168.1.21", app="web") for name in ("web1", "web2")]
    found = identities(pods)
    assert found[1] == ("reserved:host",)
    (own,) = [labels for number, labels in found.items() if number >= 256]
    assert "k8s:app=web" in own


def parsed(line: str) -> Namespace:
    return command_line.parser().parse_args(line.split())


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "COMMAND"),
        ("policy get", "'policy'"),
        ("bpf recorder list", "'recorder'"),
        ("bpf lb delete", "'delete'"),
        ("bpf ct flush", "which"),
        ("bpf ct list 3", "'3'"),
        ("bpf lb maglev get", "id"),
        ("bpf lb maglev get web1", "'web1'"),
        ("bpf lb list --revnat --backends", "not allowed with"),
        ("bpf lb list -o yaml", "'yaml'"),
        ("bpf ipcache get web1", "'web1'"),
        ("monitor -t l7", "'l7'"),
        ("monitor --related-to web1", "'web1'"),
    ],
)
def test_what_is_not_there_is_refused_by_its_name(
    capsys: pytest.CaptureFixture[str], line: str, named: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        parsed(line)
    assert refused.value.code == 2
    assert named in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> dict[str, Any]:
        raise LabError("no agent")

    monkeypatch.setattr(commands, "ask", silent)


def test_json_is_the_same_as_the_text_by_its_first_column(
    monkeypatch: pytest.MonkeyPatch, no_agent: None
) -> None:
    held = {tables.REVERSE_NAT: [(tables.RevNatId(5), structs.lb4_reverse_nat(port=80))]}
    monkeypatch.setattr(
        maps, "entries", lambda *wanted: [pair for t in wanted for pair in held.get(t, ())]
    )
    arguments = parsed("bpf lb list --revnat -o json")
    assert json.loads("\n".join(arguments.command(arguments))) == {"5": ["0.0.0.0:80"]}


def test_counters_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = [(structs.metrics_key(dir=2), structs.metrics_value(count=3, bytes=180))]
    monkeypatch.setattr(maps, "entries", lambda *_: counted)
    arguments = parsed("bpf metrics list -o json")
    assert json.loads("\n".join(arguments.command(arguments))) == [
        {"reason": "Success", "direction": "egress", "packets": 3, "bytes": 180}
    ]


def test_who_is_behind_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    router = structs.remote_endpoint_info(sec_label=6, tunnel_endpoint=ip("192.168.1.24"))
    known = {IPv4Address("10.0.4.1"): router}
    monkeypatch.setattr(maps, "identity", known.get)
    arguments = parsed("bpf ipcache get 10.0.4.1")
    assert list(arguments.command(arguments)) == [
        "10.0.4.1 maps to identity identity=6 encryptkey=0 tunnelendpoint=192.168.1.24"
    ]
    arguments = parsed("bpf ipcache get fd00::1")
    with pytest.raises(InputError, match="fd00::1 does not map"):
        arguments.command(arguments)


def test_a_service_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, no_agent: None
) -> None:
    monkeypatch.setattr(maps, "frontends", list)
    monkeypatch.setattr(maps, "maglev_tables", dict)
    for line in ("service get 99", "bpf lb maglev get 99"):
        arguments = parsed(line)
        with pytest.raises(InputError, match="99"):
            arguments.command(arguments)
