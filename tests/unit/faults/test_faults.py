"""Faults as requests and commands: struck, mended, refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.errors import InputError, MachineError
from lab.faults import acts, full_tables, nodes, wires
from lab.faults.fault import Fault
from lab.faults.standing import clear, find, strike, struck
from tests.unit.scenario.fakes import FakeLab


def test_what_undoes_a_fault_is_written_down_before_it_strikes() -> None:
    lab = FakeLab()
    where = {"node": "k8s-worker1", "interface": "eth0"}
    with struck(lab, wires.link_down("k8s-worker1")):
        assert [what for what, _ in lab.asked] == ["note-fault", "cut-link"]
    _, noted = lab.asked[0]
    assert acts.read(noted["undo"]) == [acts.Request("mend-link", where)]
    assert lab.asked[2:] == [("mend-link", where), ("forget-fault", {"words": noted["words"]})]


def test_a_fault_that_cannot_strike_is_undone_and_struck_out() -> None:
    lab = FakeLab(tc_qdisc_show_dev_eth0_root=["qdisc noqueue 0: dev eth0 root refcnt 2"])
    with pytest.raises(MachineError, match="cannot delay packets"):
        strike(lab, wires.delay("r1", "eth0", 10))
    assert {what for what, _ in lab.asked[1:]} == {"forget-fault"}


def test_an_interface_has_one_queue_at_a_time() -> None:
    lab = FakeLab(tc_qdisc_show_dev_eth0_root=["qdisc tbf 8001: dev eth0 root refcnt 2"])
    with pytest.raises(InputError, match="has a queue already"):
        strike(lab, wires.rate_limit("r1", "eth0", 10))
    assert lab.asked == []


@pytest.mark.parametrize("make", [wires.mtu, wires.rate_limit, wires.delay, wires.corruption])
def test_an_interface_that_is_not_there(
    make: Callable[[str, str, int], Fault],
) -> None:
    with pytest.raises(InputError, match="r1 has no interface 'eth9'; it has eth0"):
        strike(FakeLab(), make("r1", "eth9", 100))


def test_an_mtu_is_put_back_to_what_it_was() -> None:
    lab = FakeLab(**{"ip -j link show dev eth0": ['[{"mtu": 9000}]']})
    (undo,) = wires.mtu("r1", "eth0", 900).undo(lab)
    assert undo == acts.Command("r1", "ip link set eth0 mtu 9000")


def test_faults_left_behind_are_mended_the_newest_first() -> None:
    lab = FakeLab()
    told = [
        {"words": "first", "undo": [{"ask": "boot-node", "fields": {"node": "a"}}]},
        {"words": "second", "undo": [{"node": "r1", "line": "undo what is gone"}]},
    ]
    lab.answers["standing-faults"] = {"faults": told}
    assert [one.words for one in clear(lab)] == ["second", "first"]
    assert [what for what, _ in lab.asked[1:]] == ["forget-fault", "boot-node", "forget-fault"]


def test_mending_a_fault_that_does_not_stand() -> None:
    lab = FakeLab()
    lab.answers["standing-faults"] = {"faults": [{"words": "another", "undo": []}]}
    with pytest.raises(InputError, match="those that do: another"):
        find(lab, "one")


def test_agent_kill_is_hard() -> None:
    lab = FakeLab()
    nodes.agent_kill("k8s-worker1").strike(lab)
    assert lab.asked == [("stop-service", {"name": "agent@k8s-worker1", "hard": True})]


def test_a_partition_has_two_sides() -> None:
    with pytest.raises(InputError, match="both sides: b"):
        wires.partition(["a", "b"], ["b", "c"])


def test_a_partition_is_the_same_seen_from_its_other_side() -> None:
    one, other = ["a", "b"], ["c"]
    seen = {wires.partition(*sides).alters for sides in ((one, other), (other, one[::-1]))}
    assert seen == {"what passes between a, b and c"}


def test_what_mends_itself_does_not_stand() -> None:
    lab = FakeLab(**{"vtysh -c 'clear bgp 10.0.0.1'": [""]})
    strike(lab, nodes.session_reset("r1", "10.0.0.1"))
    assert lab.asked == []


@pytest.mark.parametrize(
    ("make", "value", "said"),
    [
        (wires.loss, 0, "between 1 and 100 percent, not 0"),
        (wires.rate_limit, 0, "a rate is 1 Mbit/s or more, not 0"),
        (wires.police, -1, "a rate is 1 Mbit/s or more, not -1"),
        (wires.delay, 0, "a delay is 1 ms or more, not 0"),
        (wires.mtu, 67, "an MTU is 68 to 65535 bytes, not 67"),
    ],
)
def test_an_amount_that_makes_no_sense(
    make: Callable[[str, str, int], Fault], value: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        make("r1", "eth0", value)


@pytest.mark.parametrize("backend", ["10.0.1.2", "x:80", "10.0.1.2:0", "10.0.1.2:99999", ""])
def test_ports_run_out_towards_an_address_and_port(backend: str) -> None:
    with pytest.raises(InputError, match="a pod is ADDRESS:PORT"):
        full_tables.nat_full("k8s-worker1", backend)


@pytest.mark.parametrize(
    "fault",
    [
        nodes.agent_kill("k8s-control"),
        full_tables.conntrack_full("k8s-control"),
        full_tables.nat_full("k8s-control", "10.0.1.2:80"),
    ],
    ids=lambda fault: fault.words,
)
def test_a_fault_of_the_cluster_elsewhere(fault: Fault) -> None:
    lab = FakeLab()
    with pytest.raises(InputError, match=r"those are: k8s-worker1$"):
        strike(lab, fault)
    assert lab.asked[-1] == ("forget-fault", {"words": fault.words})


def test_a_session_with_nobody() -> None:
    said = '% BGP: Unknown neighbor - "10.0.0.9"'
    lab = FakeLab(**{"vtysh -c 'clear bgp 10.0.0.9'": [said]})
    with pytest.raises(InputError, match=f"r1 has no BGP session with '10.0.0.9': {said}"):
        strike(lab, nodes.session_reset("r1", "10.0.0.9"))
