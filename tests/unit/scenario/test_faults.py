"""Faults as requests and commands, and what a load tells of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.errors import InputError, MachineError
from lab.scenario import acts, faults, full_tables, measure, wire_faults
from lab.scenario.measured import hop_times, hops_of, moved
from lab.scenario.standing import clear, find, strike, struck

from .fakes import FakeLab

LOAD = """\
1.000000 0.002000 fresh ok 0 10.0.0.1.4001
1.100000 0.002000 0.0 ok 0 10.0.0.1.4002
1.150000 0.002000 0.1 ok 0 10.0.0.1.4003
1.200000 0.002000 fresh ok 0 10.0.0.1.4004
2.000000 1.000000 fresh timeout 1 10.0.0.1.4005
2.100000 0.500000 0.0 reset 2 10.0.0.1.4006
2.500000 0.001000 fresh refused 0 10.0.0.1.4007
2.600000 0.002000 fresh ok 0 10.0.0.1.4008
half a line
"""


def test_cost_of_a_fault() -> None:
    cost = measure.cost(measure.attempts(LOAD.splitlines()), fault=1.5)
    assert (cost.attempted, cost.failed) == (3, 2)
    assert dict(cost.outcomes) == {"timeout": 1, "refused": 1}
    assert (cost.kept, cost.broken) == (2, 1)
    assert cost.recovered_after == pytest.approx(1.0)
    assert cost.silence == pytest.approx(1.4)
    assert "2 of 3 new connections failed" in str(cost)


def test_a_fault_that_costs_nothing() -> None:
    cost = measure.cost(measure.attempts(LOAD.splitlines()[:4]), fault=1.05)
    assert (cost.attempted, cost.failed, cost.broken, cost.recovered_after) == (1, 0, 0, 0.0)
    assert str(cost).startswith("1 new connections, none failed")


def test_an_attempt_on_its_way_when_the_fault_comes_counts() -> None:
    cost = measure.cost(measure.attempts(LOAD.splitlines()), fault=2.2)
    assert cost.failed == 2


def test_what_undoes_a_fault_is_written_down_before_it_strikes() -> None:
    lab = FakeLab()
    where = {"node": "k8s-worker1", "interface": "eth0"}
    with struck(lab, wire_faults.link_down("k8s-worker1")):
        assert [what for what, _ in lab.asked] == ["note-fault", "cut-link"]
    _, noted = lab.asked[0]
    assert acts.read(noted["undo"]) == [acts.Request("mend-link", where)]
    assert lab.asked[2:] == [("mend-link", where), ("forget-fault", {"words": noted["words"]})]


def test_a_fault_that_cannot_strike_is_undone_and_struck_out() -> None:
    lab = FakeLab(tc_qdisc_show_dev_eth0_root=["qdisc noqueue 0: dev eth0 root refcnt 2"])
    with pytest.raises(MachineError, match="cannot delay packets"):
        strike(lab, wire_faults.delay("r1", "eth0", 10))
    assert {what for what, _ in lab.asked[1:]} == {"forget-fault"}


def test_an_interface_has_one_queue_at_a_time() -> None:
    lab = FakeLab(tc_qdisc_show_dev_eth0_root=["qdisc tbf 8001: dev eth0 root refcnt 2"])
    with pytest.raises(InputError, match="has a queue already"):
        strike(lab, wire_faults.rate_limit("r1", "eth0", 10))
    assert lab.asked == []


@pytest.mark.parametrize(
    "make", [wire_faults.mtu, wire_faults.rate_limit, wire_faults.delay, wire_faults.corruption]
)
def test_an_interface_that_is_not_there(
    make: Callable[[str, str, int], faults.Fault],
) -> None:
    with pytest.raises(InputError, match="r1 has no interface 'eth9'; it has eth0"):
        strike(FakeLab(), make("r1", "eth9", 100))


def test_an_mtu_is_put_back_to_what_it_was() -> None:
    lab = FakeLab(**{"ip -j link show dev eth0": ['[{"mtu": 9000}]']})
    (undo,) = wire_faults.mtu("r1", "eth0", 900).undo(lab)
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
    faults.agent_kill("k8s-worker1").strike(lab)
    assert lab.asked == [("stop-service", {"name": "agent@k8s-worker1", "hard": True})]


def test_a_partition_has_two_sides() -> None:
    with pytest.raises(InputError, match="both sides: b"):
        wire_faults.partition(["a", "b"], ["b", "c"])


def test_a_partition_is_the_same_seen_from_its_other_side() -> None:
    one, other = ["a", "b"], ["c"]
    seen = {wire_faults.partition(*sides).alters for sides in ((one, other), (other, one[::-1]))}
    assert seen == {"what passes between a, b and c"}


def test_what_mends_itself_does_not_stand() -> None:
    lab = FakeLab(**{"vtysh -c 'clear bgp 10.0.0.1'": [""]})
    strike(lab, faults.session_reset("r1", "10.0.0.1"))
    assert lab.asked == []


@pytest.mark.parametrize(
    ("make", "value", "said"),
    [
        (wire_faults.loss, 0, "between 1 and 100 percent, not 0"),
        (wire_faults.rate_limit, 0, "a rate is 1 Mbit/s or more, not 0"),
        (wire_faults.police, -1, "a rate is 1 Mbit/s or more, not -1"),
        (wire_faults.delay, 0, "a delay is 1 ms or more, not 0"),
        (wire_faults.mtu, 67, "an MTU is 68 to 65535 bytes, not 67"),
    ],
)
def test_an_amount_that_makes_no_sense(
    make: Callable[[str, str, int], faults.Fault], value: int, said: str
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
        faults.agent_kill("k8s-control"),
        full_tables.conntrack_full("k8s-control"),
        full_tables.nat_full("k8s-control", "10.0.1.2:80"),
    ],
    ids=lambda fault: fault.words,
)
def test_a_fault_of_the_cluster_elsewhere(fault: faults.Fault) -> None:
    lab = FakeLab()
    with pytest.raises(InputError, match=r"those are: k8s-worker1$"):
        strike(lab, fault)
    assert lab.asked[-1] == ("forget-fault", {"words": fault.words})


def test_a_session_with_nobody() -> None:
    said = '% BGP: Unknown neighbor - "10.0.0.9"'
    lab = FakeLab(**{"vtysh -c 'clear bgp 10.0.0.9'": [said]})
    with pytest.raises(InputError, match=f"r1 has no BGP session with '10.0.0.9': {said}"):
        strike(lab, faults.session_reset("r1", "10.0.0.9"))


def test_segments_lost_count_from_the_fault_on() -> None:
    assert measure.cost(measure.attempts(LOAD.splitlines()), fault=1.5).lost == 3


def test_next_hops_of_a_line_of_ip_monitor() -> None:
    line = "10.9.0.0 nhid 14 \\\tnexthop via 10.0.0.1 dev a \\\tnexthop via 10.0.0.2 dev a"
    assert hops_of(line) == {"10.0.0.1", "10.0.0.2"}
    assert hops_of("Deleted " + line) == frozenset()


def test_a_loss_that_is_noticed_after_the_mending_has_its_recovery_after_that() -> None:
    """A node that boots within the hold time: the router drops the old session only then."""
    both, one = frozenset({"10.0.0.1", "10.0.0.2"}), frozenset({"10.0.0.1"})
    late = [(14.5, one), (15.0, both)]
    assert hop_times(both, late, start=11.0, mended=14.0) == (3.5, 1.0)
    early = [(10.0, one), (10.5, both), (12.0, one), (12.5, frozenset[str]()), (14.25, both)]
    assert hop_times(both, early, start=11.0, mended=14.0) == (1.0, 0.25)
    assert hop_times(both, late[:1], start=11.0, mended=14.0) == (3.5, None)
    assert hop_times(both, [(10.0, one), (10.5, both)], start=11.0, mended=14.0) == (None, 0.0)


def test_a_connection_sent_to_two_nodes_has_moved() -> None:
    line = (
        "12:00:00.1 02:00:00:00:00:01 > 02:00:00:00:00:{hop}, ethertype IPv4 (0x0800), length 74: "
        "192.168.10.11.{port} > 172.16.10.0.80: Flags [.], ack 1, win 502, length 0"
    )
    seen = [("21", 4000), ("22", 4001), ("21", 4000), ("23", 4001)]
    printed = [line.format(hop=hop, port=port) for hop, port in seen]
    assert moved(printed) == {"192.168.10.11.4001"}
