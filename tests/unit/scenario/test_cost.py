"""What a load and the router tell of a fault's cost."""

from __future__ import annotations

import pytest

from lab.scenario.load.cost import attempts, cost
from lab.scenario.load.measured import hop_times, hops_of, moved

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
    told = cost(attempts(LOAD.splitlines()), fault=1.5)
    assert (told.attempted, told.failed) == (3, 2)
    assert dict(told.outcomes) == {"timeout": 1, "refused": 1}
    assert (told.kept, told.broken) == (2, 1)
    assert told.recovered_after == pytest.approx(1.0)
    assert told.silence == pytest.approx(1.4)
    assert "2 of 3 new connections failed" in str(told)


def test_a_fault_that_costs_nothing() -> None:
    told = cost(attempts(LOAD.splitlines()[:4]), fault=1.05)
    assert (told.attempted, told.failed, told.broken, told.recovered_after) == (1, 0, 0, 0.0)
    assert str(told).startswith("1 new connections, none failed")


def test_an_attempt_on_its_way_when_the_fault_comes_counts() -> None:
    told = cost(attempts(LOAD.splitlines()), fault=2.2)
    assert told.failed == 2


def test_segments_lost_count_from_the_fault_on() -> None:
    assert cost(attempts(LOAD.splitlines()), fault=1.5).lost == 3


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
