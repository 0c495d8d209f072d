"""What the kernel is about to free is no leak; what stays is one."""

from __future__ import annotations

from lab.doctor.freeing import look_when_freed


def test_maps_that_are_being_freed_are_waited_for() -> None:
    looks = iter([["map 7 cilium_lxc", "map 8 cilium_events"], ["map 8 cilium_events"], []])
    assert look_when_freed(lambda: next(looks), bool, within=60.0) == []


def test_what_stays_is_seen() -> None:
    assert look_when_freed(lambda: ["map 7 cilium_lxc"], bool, within=0.01) == ["map 7 cilium_lxc"]
