"""Findings about the machine, from recorded answers."""

from __future__ import annotations

from typing import Any

from lab.doctor.features import _bpf
from lab.doctor.finding import State, found
from lab.doctor.machine import available_memory

MEMINFO = """\
MemTotal:       24635712 kB
MemFree:          812345 kB
MemAvailable:    2097152 kB
Buffers:          102400 kB
"""


def answer(*, ring: bool = True, peer: bool = True) -> dict[str, Any]:
    """What bpftool says of a kernel, as far as it is read."""
    helpers = ["bpf_redirect_neigh", "bpf_fib_lookup", "bpf_skb_set_tunnel_key"]
    return {
        "system_config": {"bpf_jit_enable": 1},
        "program_types": {
            "have_sched_cls_prog_type": True,
            "have_cgroup_sock_addr_prog_type": False,
        },
        "map_types": {"have_ringbuf_map_type": ring, "have_lru_hash_map_type": True},
        "helpers": {
            "sched_cls_available_helpers": helpers + ["bpf_redirect_peer"] * peer,
        },
    }


def states(value: dict[str, Any]) -> dict[str, State]:
    return {finding.name: finding.state for finding in _bpf(value)}


def test_available_memory_is_what_programs_can_still_get() -> None:
    assert available_memory(MEMINFO) == 2 << 30


def test_something_optional_that_is_absent_has_a_cost() -> None:
    finding = found("kernel", "netem", False, cost="no delay faults")
    assert finding.state is State.REDUCED
    assert finding.detail == "no delay faults"


def test_something_needed_that_is_absent_stops_the_lab() -> None:
    assert found("kernel", "clsact", False, seen="unknown qdisc").state is State.ABSENT


def test_a_kernel_without_ring_buffers_cannot_run_a_lab() -> None:
    assert states(answer())["ringbuf map"] is State.GOOD
    assert states(answer(ring=False))["ringbuf map"] is State.ABSENT


def test_a_kernel_without_programs_for_sockets_only_loses_something() -> None:
    assert states(answer())["cgroup sock addr prog"] is State.REDUCED


def test_helpers_are_looked_up_among_those_of_tc_programs() -> None:
    assert states(answer())["bpf_redirect_peer"] is State.GOOD
    assert states(answer(peer=False))["bpf_redirect_peer"] is State.ABSENT
