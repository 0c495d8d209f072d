"""Finding a port whose connections go where they are wanted, by asking the router."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.scenario import spread
from lab.scenario.stage import Stage
from lab.scenario.telling.outcome import StepResult
from lab.scenario.telling.report import Report
from lab.topology.plan import Cluster

from .fakes import PLAN, FakeLab

CLUSTER = Cluster(
    api_address=IPv4Address("192.168.1.10"),
    api_port=6443,
    service_cidr=IPv4Network("10.96.0.0/12"),
    cluster_cidr=IPv4Network("10.0.0.0/16"),
    node_ports=(30000, 32767),
    vip_pool=IPv4Network("172.16.10.0/24"),
    asn=64512,
    router=IPv4Address("192.168.1.1"),
    profile="cilium-1.10",
)
VIP = "172.16.10.0"


def stage(ways: dict[int, str]) -> Stage:
    """A lab whose router sends each of these local ports to a next hop."""
    answers = {
        f"ip -j route get {VIP} from 192.168.1.1 ipproto tcp sport {port} dport 80": [
            json.dumps([{"dst": VIP, "gateway": hop, "dev": "enp7s0"}])
        ]
        for port, hop in ways.items()
    }
    lab = FakeLab(**answers)
    lab.plan = replace(PLAN, cluster=CLUSTER)
    return Stage(lab, StepResult("", ""), Report(), Path("/nowhere"))


def test_the_first_port_that_leads_there() -> None:
    ways = {40000: "192.168.1.21", 40001: "192.168.1.22", 40002: "192.168.1.22"}
    found = spread.local_port_towards(stage(ways), "r1", VIP, {"192.168.1.22"}, first=40000)
    assert found == (40001, "192.168.1.22")


def test_no_port_that_leads_there() -> None:
    ways = dict.fromkeys(range(40000, 40000 + spread.TRIES), "192.168.1.21")
    with pytest.raises(LabError, match=r"none of the local ports 40000 to 40199 leads to 192\.168"):
        spread.local_port_towards(stage(ways), "r1", VIP, {"192.168.1.22"}, first=40000)


def test_the_question_is_what_a_person_would_type() -> None:
    assert spread.question(stage({}), VIP, local_port=40000) == (
        "ip route get 172.16.10.0 from 192.168.1.1 ipproto tcp sport 40000 dport 80"
    )
