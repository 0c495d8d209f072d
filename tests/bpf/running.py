"""One packet through one program that is loaded: BPF_PROG_TEST_RUN."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from scapy.layers.l2 import Ether

from lab.bpf.libbpf import TestRunOpts, call

GROWTH = 512
"""Bytes that a program may add to a packet."""


@dataclass(frozen=True)
class Outcome:
    """What a program did with a packet."""

    verdict: int
    packet: bytes
    mark: int = 0
    """What programs of other hooks know it by; tc only."""

    @property
    def frame(self) -> Any:
        """The packet as it left, dissected."""
        return Ether(self.packet)

    @property
    def ends(self) -> tuple[str, str]:
        """Source and destination, of either family."""
        header = self.frame[1]
        return header.src, header.dst


class _XdpFrame(ctypes.Structure):
    """struct xdp_md: where a test frame comes in."""

    _fields_ = [
        (name, ctypes.c_uint32)
        for name in ("data", "data_end", "data_meta", "interface", "queue", "egress")
    ]


class _Buffer(ctypes.Structure):
    """struct __sk_buff: a packet's marks. The kernel says that it came in by interface 1."""

    _fields_ = [
        ("length", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("mark", ctypes.c_uint32),
        ("others", ctypes.c_uint32 * 45),
    ]


def run_once(program: int, packet: bytes, interface: int | None = None, mark: int = 0) -> Outcome:
    """`program` is a descriptor. An XDP program gets the packet by `interface`; a tc program has no
    choice, but it gets the `mark`.
    """
    data = ctypes.create_string_buffer(packet, len(packet))
    out = ctypes.create_string_buffer(len(packet) + GROWTH)
    options = TestRunOpts(
        sz=ctypes.sizeof(TestRunOpts),
        data_in=ctypes.addressof(data),
        data_out=ctypes.addressof(out),
        data_size_in=len(packet),
        data_size_out=len(out),
        repeat=1,
    )
    marked = _Buffer(mark=mark)
    if interface is not None:
        frame = _XdpFrame(data_end=len(packet), interface=interface)
        options.ctx_in, options.ctx_size_in = ctypes.addressof(frame), ctypes.sizeof(frame)
    else:
        options.ctx_in, options.ctx_size_in = ctypes.addressof(marked), ctypes.sizeof(marked)
        options.ctx_out, options.ctx_size_out = ctypes.addressof(marked), ctypes.sizeof(marked)
    call("bpf_prog_test_run_opts", program, ctypes.byref(options), what=f"{len(packet)} bytes")
    return Outcome(options.retval, out.raw[: options.data_size_out], marked.mark)
