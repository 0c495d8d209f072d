"""Bad wires and partitions: what passes and what does not, and that mending leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.faults import standing, wires
from lab.faults.standing import strike, struck
from lab.sandbox.control import Refused
from lab.sandbox.handle import Lab
from lab.topology import load, resolve
from lab.wait import until

from .wires import running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
]

CLIENT2 = "192.168.10.12"
WORKER1, WORKER2 = "192.168.1.21", "192.168.1.22"
DATAGRAMS = 200
CLOSED = 9
"""A port that nobody listens on: what arrives there whole is counted as such."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running(resolve(load("basic")), "bad-wires") as started:
        yield started


def pings(lab: Lab, node: str, address: str) -> bool:
    return lab.node(node).probe(["ping", "-c1", "-W1", address]).ok


def heals(lab: Lab, node: str, address: str) -> bool:
    """A neighbor that did not answer is asked for again a second later: the first ping may miss."""
    return until(
        lambda: pings(lab, node, address), bool, within=20.0, what=f"{node} reaches {address}"
    )


def sends(lab: Lab, node: str, address: str) -> None:
    """Datagrams of 1,400 bytes as fast as a shell can, to a neighbor whose address is known."""
    line = f"for i in {{1..{DATAGRAMS}}}; do printf %01400d > /dev/udp/{address}/{CLOSED}; done"
    lab.node(node).run(["bash", "-c", line])


def udp(lab: Lab, node: str, counter: str) -> int:
    """One of the node's own counters."""
    lines = lab.node(node).run(["cat", "/proc/net/snmp"]).out.splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(values[names.index(counter)])


def test_all_is_lost_on_one_wire_and_nothing_on_another(lab: Lab) -> None:
    with struck(lab, wires.loss("client2", "eth0", 100)):
        assert not pings(lab, "client1", CLIENT2)
        assert heals(lab, "client1", WORKER1)
    assert heals(lab, "client1", CLIENT2)


def test_a_turned_bit_is_found_by_its_checksum(lab: Lab) -> None:
    assert heals(lab, "client1", CLIENT2)  # a bad wire spoils the question for its address too
    whole, broken = (udp(lab, "client2", name) for name in ("NoPorts", "InCsumErrors"))
    with struck(lab, wires.corruption("client1", "eth0", 100)):
        sends(lab, "client1", CLIENT2)
    assert udp(lab, "client2", "InCsumErrors") - broken > DATAGRAMS * 0.9
    assert udp(lab, "client2", "NoPorts") == whole
    sends(lab, "client1", CLIENT2)
    assert udp(lab, "client2", "NoPorts") - whole == DATAGRAMS


def test_what_comes_too_fast_is_dropped(lab: Lab) -> None:
    assert heals(lab, "client1", CLIENT2)
    before = udp(lab, "client2", "NoPorts")
    with struck(lab, wires.police("client2", "eth0", 1)):
        sends(lab, "client1", CLIENT2)
    assert 40 <= udp(lab, "client2", "NoPorts") - before < DATAGRAMS * 0.8


def test_two_impairments_of_a_wire_come_and_go_apart(lab: Lab) -> None:
    slow = wires.police("client2", "eth0", 100)
    with struck(lab, wires.loss("client2", "eth0", 100)):
        with struck(lab, slow):
            pass
        assert not pings(lab, "client1", CLIENT2)
    assert heals(lab, "client1", CLIENT2)


@pytest.mark.parametrize(
    "sides", [(["client1", "client3"], ["k8s-worker1"]), (["k8s-worker1"], ["client1", "client3"])]
)
def test_a_partition_between_nodes_of_different_networks(
    lab: Lab, sides: tuple[list[str], list[str]]
) -> None:
    with struck(lab, wires.partition(*sides)):
        assert not pings(lab, "client1", WORKER1)
        assert heals(lab, "client2", WORKER1)
        assert heals(lab, "client1", WORKER2)
    assert heals(lab, "client1", WORKER1)


def test_a_partition_between_neighbors(lab: Lab) -> None:
    with struck(lab, wires.partition(["k8s-worker2"], ["k8s-worker1", "k8s-master1"])):
        assert not pings(lab, "k8s-worker2", WORKER1)
        assert heals(lab, "k8s-worker3", WORKER1)
    assert heals(lab, "k8s-worker2", WORKER1)


def test_faults_that_somebody_left_are_found_and_mended(lab: Lab) -> None:
    left = [
        wires.loss("client2", "eth0", 100),
        wires.mtu("client2", "eth0", 900),
        wires.link_down("client3"),
    ]
    for fault in left:
        strike(lab, fault)
    later = Lab(lab.run)
    assert [one.words for one in standing.standing(later)] == [fault.words for fault in left]
    with pytest.raises(Refused, match="it stands already"):
        strike(later, left[0])
    standing.clear(later)
    assert standing.standing(later) == []
    assert heals(lab, "client3", CLIENT2)
    assert lab.node("client2").run(["cat", "/sys/class/net/eth0/mtu"]).out.strip() == "1500"


def test_a_second_fault_of_the_same_kind_leaves_the_first_as_it_is(lab: Lab) -> None:
    with struck(lab, wires.partition(["client1"], ["client2"])):
        with pytest.raises(Refused, match="one fault at a time alters what passes between"):
            strike(lab, wires.partition(["client2"], ["client1"]))
        assert not pings(lab, "client1", CLIENT2)
    assert heals(lab, "client1", CLIENT2)


def test_a_fault_that_makes_no_sense_changes_nothing(lab: Lab) -> None:
    with pytest.raises(Refused, match="has no interface 'eth7'; it has eth0"):
        strike(lab, wires.loss("client2", "eth7", 50))
    assert standing.standing(lab) == []
