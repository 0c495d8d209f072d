"""A bad wire: the program of `src/impair.bpf.c` on one side of an interface, with its rates.

Several may be on the same side, each under a handle of its own; a packet meets all of them.
"""

# ctypes wants its fields in a list (RUF012).
# ruff: noqa: RUF012

from __future__ import annotations

from ctypes import c_uint32, c_uint64

from lab.bpf.attach import Hook, attach, detach
from lab.bpf.build import compiled
from lab.bpf.layout import Layout
from lab.bpf.object import BpfObject

BURST = 64 << 10
"""Bytes that a limited rate lets pass at once: the largest packet that a node hands over."""


class Impairment(Layout):
    """What a wire does: packets `lost` and `corrupted` of a million, `rate` in bytes/s (0: any)."""

    _fields_ = [
        ("lost", c_uint32),
        ("corrupted", c_uint32),
        ("rate", c_uint64),
        ("burst", c_uint64),
    ]


def put(ifindex: int, side: Hook, handle: int, *, lost: int, corrupted: int, rate: int) -> None:
    """Impair packets on one side of an interface of the caller's network namespace.

    In place of the impairment that has this handle there. MachineError without clang or libbpf.
    """
    with BpfObject(compiled("impair")) as loaded:
        loaded.configure(Impairment(lost=lost, corrupted=corrupted, rate=rate, burst=BURST))
        loaded.load()
        attach(ifindex, side, loaded.program("impair"), handle=handle)


def take_off(ifindex: int, side: Hook, handle: int) -> None:
    """Remove an impairment; no error when there is none, as on a link that was made anew."""
    detach(ifindex, side, handle=handle)
