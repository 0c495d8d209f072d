"""tcx: programs on an interface itself, without a queueing discipline and its filters in between.

Linux has it since 6.6, Cilium uses it since 1.16. What is attached by program, not by link, stays
when the process ends, as a filter of tc does. Source: kernel/bpf/tcx.c and mprog.c.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from ctypes import byref, c_uint32

from lab.bpf.attach import Hook
from lab.bpf.libbpf import call, raw
from lab.bpf.object_info import program_id
from lab.errors import BpfError

TYPES = {Hook.INGRESS: 46, Hook.EGRESS: 47}
"""BPF_TCX_INGRESS and BPF_TCX_EGRESS of enum bpf_attach_type."""
BEFORE = 1 << 3
"""BPF_F_BEFORE, of no particular program: before all that are there."""
MOST = 64
"""Programs on one hook (BPF_MPROG_MAX)."""
LOOPBACK = 1


def supported() -> bool:
    """Does this kernel have it?"""
    return _query(LOOPBACK, Hook.INGRESS) is not None


def attached(ifindex: int, hook: Hook) -> Sequence[int]:
    """Ids of the programs on a hook, in the order in which a packet meets them."""
    return _query(ifindex, hook) or ()


def attach(ifindex: int, hook: Hook, program: int) -> None:
    """Put a program on a hook, in place of what may be there; it may be there itself.

    For a moment both are, which no packet notices: the first one's verdict is the last.
    """
    previous, own = attached(ifindex, hook), program_id(program)
    if own not in previous:  # the kernel has no program twice on a hook
        what = f"attaching to tcx {hook.name.lower()} of interface {ifindex}"
        call("bpf_prog_attach", program, ifindex, TYPES[hook], BEFORE, what=what)
    _take_off(ifindex, hook, [each for each in previous if each != own])


def detach(ifindex: int, hook: Hook) -> None:
    """Take off what is there; no error when that is nothing."""
    _take_off(ifindex, hook, attached(ifindex, hook))


def _take_off(ifindex: int, hook: Hook, programs: Sequence[int]) -> None:
    for number in programs:
        fd = call("bpf_prog_get_fd_by_id", number, what=f"opening program {number}")
        try:
            what = f"detaching from tcx {hook.name.lower()} of interface {ifindex}"
            call("bpf_prog_detach2", fd, ifindex, TYPES[hook], what=what)
        finally:
            os.close(fd)


def _query(ifindex: int, hook: Hook) -> Sequence[int] | None:
    """Ids of programs; None from a kernel without tcx."""
    ids, count, flags = (c_uint32 * MOST)(), c_uint32(MOST), c_uint32()
    code = raw("bpf_prog_query", ifindex, TYPES[hook], 0, byref(flags), ids, byref(count))
    if code == -errno.EINVAL:
        return None
    if code < 0 and code != -errno.ENOENT:
        raise BpfError(f"asking for the programs of interface {ifindex}", -code)
    return ids[: count.value] if code >= 0 else ()
