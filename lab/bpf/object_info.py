"""What the kernel says of a map or a program."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_uint32
from pathlib import Path

from lab.bpf.libbpf import call


class MapInfo(ctypes.Structure):
    """The first words of struct bpf_map_info (linux/bpf.h)."""

    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
    ]


class ProgramInfo(ctypes.Structure):
    """The first words of struct bpf_prog_info (linux/bpf.h)."""

    _fields_ = [("type", c_uint32), ("id", c_uint32)]


def map_info(fd: int) -> MapInfo:
    """Type and sizes of a map; `max_entries` is in bytes for a ring buffer."""
    info = MapInfo()
    _ask(fd, info, "asking for a map's size")
    return info


def program_id(fd: int) -> int:
    """The kernel's number of a program."""
    info = ProgramInfo()
    _ask(fd, info, "asking for a program's number")
    return int(info.id)


def _ask(fd: int, info: ctypes.Structure, what: str) -> None:
    """Fill in as much of what the kernel says as `info` has fields for."""
    size = ctypes.byref(c_uint32(ctypes.sizeof(info)))
    call("bpf_obj_get_info_by_fd", fd, ctypes.addressof(info), size, what=what)


def pinned_entries(folder: Path) -> dict[str, int]:
    """Sizes of all maps pinned in a folder, by name; empty when there are none."""
    sizes = {}
    for path in folder.iterdir() if folder.exists() else ():
        fd = call("bpf_obj_get", os.fsencode(path), what=f"opening {path}")
        try:
            sizes[path.name] = int(map_info(fd).max_entries)
        finally:
            os.close(fd)
    return sizes
