"""What the kernel says of a map."""

from __future__ import annotations

import ctypes
from ctypes import c_uint32

from lab.bpf.libbpf import call


class _MapInfo(ctypes.Structure):
    """The first words of struct bpf_map_info (linux/bpf.h)."""

    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
    ]


def max_entries(fd: int) -> int:
    """Size of a map: entries, or bytes for a ring buffer."""
    info = _MapInfo()
    size = c_uint32(ctypes.sizeof(info))
    call(
        "bpf_obj_get_info_by_fd",
        fd,
        ctypes.addressof(info),
        ctypes.byref(size),
        what="asking for a map's size",
    )
    return int(info.max_entries)
