"""Programs onto interfaces: clsact hooks, one filter each, and XDP; replaced without a gap.

The kernel swaps the program of an existing filter in one step, so no packet passes unseen while
an agent is restarted or upgraded.
"""

from __future__ import annotations

import ctypes
import errno
from ctypes import c_uint32
from enum import IntEnum

from lab.bpf.libbpf import TcHook, TcOpts, call, raw
from lab.errors import BpfError

HANDLE = 1
PRIORITY = 1
REPLACE = 1
XDP_NATIVE = 1 << 2
"""XDP_FLAGS_DRV_MODE of linux/if_link.h: in the driver, before there is a socket buffer."""


class Hook(IntEnum):
    """Side of an interface, as libbpf numbers them."""

    INGRESS = 1
    EGRESS = 2


def attach(ifindex: int, hook: Hook, program: int, *, handle: int = HANDLE) -> None:
    """Put a program on a hook, in place of the one that may be there with this handle."""
    where = _hook(ifindex, hook)
    code = raw("bpf_tc_hook_create", ctypes.byref(where))
    if code < 0 and code != -errno.EEXIST:
        raise BpfError(f"clsact on interface {ifindex}", -code)
    filter_ = TcOpts(
        sz=ctypes.sizeof(TcOpts),
        prog_fd=program,
        flags=REPLACE,
        handle=handle,
        priority=PRIORITY,
    )
    call(
        "bpf_tc_attach",
        ctypes.byref(where),
        ctypes.byref(filter_),
        what=f"attaching to {hook.name.lower()} of interface {ifindex}",
    )


def detach(ifindex: int, hook: Hook, *, handle: int = HANDLE) -> None:
    """Take a program off a hook; no error when there is none. The clsact stays."""
    where = _hook(ifindex, hook)
    filter_ = TcOpts(sz=ctypes.sizeof(TcOpts), handle=handle, priority=PRIORITY)
    code = raw("bpf_tc_detach", ctypes.byref(where), ctypes.byref(filter_))
    if code < 0 and -code not in (errno.ENOENT, errno.EINVAL, errno.ENODEV):
        raise BpfError(f"detaching from {hook.name.lower()} of interface {ifindex}", -code)


def remove_hooks(ifindex: int) -> None:
    """Remove the clsact of an interface with all that is attached to it; none is no error."""
    where = _hook(ifindex, Hook.INGRESS | Hook.EGRESS)
    code = raw("bpf_tc_hook_destroy", ctypes.byref(where))
    if code < 0 and -code not in (errno.ENOENT, errno.EINVAL, errno.ENODEV):
        raise BpfError(f"removing clsact from interface {ifindex}", -code)


def _hook(ifindex: int, side: int) -> TcHook:
    return TcHook(sz=ctypes.sizeof(TcHook), ifindex=ifindex, attach_point=side)


def attach_xdp(ifindex: int, program: int) -> None:
    """Give an interface an XDP program, in place of the one that it may have.

    BpfError when its driver knows no XDP, or its MTU is larger than a page can take.
    """
    what = f"native XDP on interface {ifindex}"
    call("bpf_xdp_attach", ifindex, program, XDP_NATIVE, None, what=what)


def detach_xdp(ifindex: int) -> None:
    """Take an interface's XDP program off, if it has one."""
    number = c_uint32()
    call("bpf_xdp_query_id", ifindex, XDP_NATIVE, ctypes.byref(number), what="asking for XDP")
    if number.value:
        call("bpf_xdp_attach", ifindex, -1, XDP_NATIVE, None, what="taking XDP off")
