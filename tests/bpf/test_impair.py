"""A bad wire's program: what it lets pass, whole or with a bit turned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.bpf.build import compiled
from lab.bpf.impair import Impairment
from lab.bpf.object import BpfObject

from .packets import datagram
from .rig import SHOT
from .running import Outcome, run_once

ON = 0xFFFFFFFF
"""TC_ACT_UNSPEC: on to the next program on this side of the wire."""
ALL = 1_000_000
LENGTH = 1000
PACKET = bytes(datagram("192.168.1.1", "192.168.1.2", data=bytes(LENGTH - 42)))
SLOW = 1
"""Bytes a second: next to nothing while a test runs."""


@contextmanager
def wire(lost: int = 0, corrupted: int = 0, rate: int = 0, burst: int = 0) -> Iterator[int]:
    """The program with these rates; its descriptor."""
    with BpfObject(compiled("impair")) as loaded:
        loaded.configure(Impairment(lost=lost, corrupted=corrupted, rate=rate, burst=burst))
        loaded.load()
        yield loaded.program("impair")


def sent(program: int, count: int, packet: bytes = PACKET) -> list[Outcome]:
    return [run_once(program, packet) for _ in range(count)]


def passed(outcomes: list[Outcome]) -> int:
    return sum(out.verdict == ON for out in outcomes)


def turned(out: Outcome) -> list[int]:
    """Which bits of the packet are others than before, from the frame's first."""
    differ = int.from_bytes(out.packet, "big") ^ int.from_bytes(PACKET, "big")
    return [8 * LENGTH - 1 - at for at in range(8 * LENGTH) if differ >> at & 1]


def test_a_good_wire_passes_all_as_it_is() -> None:
    with wire() as program:
        assert {(out.verdict, out.packet) for out in sent(program, 200)} == {(ON, PACKET)}


@pytest.mark.parametrize(("lost", "least", "most"), [(ALL, 0, 0), (ALL // 2, 300, 700)])
def test_so_many_are_lost(lost: int, least: int, most: int) -> None:
    with wire(lost=lost) as program:
        outcomes = sent(program, 1000)
    assert least <= passed(outcomes) <= most
    assert {out.verdict for out in outcomes} <= {ON, SHOT}


def test_one_bit_of_what_a_frame_carries_is_turned() -> None:
    """Nowhere in its Ethernet header: who it is for decides its way, not whether it is whole."""
    with wire(corrupted=ALL) as program:
        outcomes = sent(program, 1000)
    bits = [turned(out) for out in outcomes]
    assert {len(each) for each in bits} == {1}
    places = [place for (place,) in bits]
    assert min(places) >= 8 * 14
    assert {place % 8 for place in places} == set(range(8))
    assert len({place // 8 for place in places}) > 300, "anywhere in it"


def test_half_of_the_packets_are_spoilt() -> None:
    with wire(corrupted=ALL // 2) as program:
        assert 300 <= sum(out.packet != PACKET for out in sent(program, 1000)) <= 700


def burst(size: int) -> tuple[int, int]:
    """How many of ten packets pass a wire that is full, and of one of half the size behind them."""
    while True:  # all within one second: after one of silence the burst is there again
        began = time.monotonic()
        with wire(rate=SLOW, burst=size) as program:
            result = passed(sent(program, 10)), passed(sent(program, 1, PACKET[: LENGTH // 2]))
        if time.monotonic() < began + 1:
            return result


def test_a_burst_passes_and_no_more() -> None:
    """Whoever does not fit pays nothing: a smaller one may fit after it."""
    assert burst(3 * LENGTH) == (3, 0)
    assert burst(3 * LENGTH - 1) == (2, 1)


def test_what_the_rate_allows_passes() -> None:
    with wire(rate=1 << 40, burst=LENGTH) as program:
        assert passed(sent(program, 50)) == 50


def test_what_is_larger_than_a_burst_never_passes() -> None:
    """However fast the wire is: silence earns no more than that."""
    with wire(rate=1 << 40, burst=LENGTH - 1) as program:
        assert passed(sent(program, 50)) == 0
