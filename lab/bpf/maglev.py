"""Maglev: the same backend for the same flow on every node, and few flows moved by a change.

After "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016, 3.4): each backend
has a permutation of the table's places, and the backends take turns at claiming the next free
place of theirs. Names decide, not order or numbers, so all nodes compute the same table.
"""

from __future__ import annotations

import array
import base64
import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from lab.bpf.libbpf import call, raw
from lab.bpf.maps import Map
from lab.bpf.murmur3 import murmur3
from lab.bpf.object import maglev_table
from lab.bpf.object_info import map_info

SEED = int.from_bytes(base64.b64decode("JLfvgnHc2kaSUFaI")[:4], "big")
"""Cilium's default of maglev.hashSeed, as it uses it: with equal names, tables equal Cilium's."""

SIZES = (251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071)
"""Table sizes that are offered, all primes; one should be 100 times the number of backends."""


def table(backends: Mapping[str, int], size: int = 16381) -> list[int]:
    """Backend id for each of `size` places, from backend name (address:port/proto) to id.

    `size` must be prime: only then does every step walk through all places. No backends make an
    empty table.
    """
    if not backends:
        return []
    names = tuple(sorted(backends))
    ids = [backends[name] for name in names]
    return [ids[n] for n in _places(names, size)]


def image(backends: Mapping[str, int], size: int = 16381) -> bytes:
    """The table as the programs read it, u32[size]. Equal tables are one object: services that
    have the same backends share the work and the memory.
    """
    names = tuple(sorted(backends))
    return _image(names, tuple(backends[name] for name in names), size)


@lru_cache(maxsize=1024)
def _image(names: tuple[str, ...], ids: tuple[int, ...], size: int) -> bytes:
    return array.array("I", [ids[n] for n in _places(names, size)]).tobytes()


@lru_cache(maxsize=256)
def _places(names: tuple[str, ...], size: int) -> array.array[int]:
    """Index into `names` for each place. Services with the same backends share the work."""
    walks = [_permutation(name, size) for name in names]
    places = array.array("l", [-1]) * size
    at = [offset for offset, _ in walks]
    steps = [skip for _, skip in walks]
    filled = 0
    while True:
        for n, step in enumerate(steps):
            place = at[n]
            while places[place] >= 0:
                place = (place + step) % size
            places[place] = n
            at[n] = (place + step) % size
            filled += 1
            if filled == size:
                return places


def _permutation(name: str, size: int) -> tuple[int, int]:
    """Where a backend's walk over the table begins, and its step."""
    high, low = murmur3(name.encode(), SEED)
    return high % size, low % (size - 1) + 1


def write(outer: int, rev_nat_index: int, places: Sequence[int]) -> None:
    """Give a service its table in the map of maps with descriptor `outer`, in one step."""
    share(outer, {array.array("I", places).tobytes(): [rev_nat_index]})


def share(outer: int, users: Mapping[bytes, Sequence[int]]) -> None:
    """Give each table (as `image` makes it) to frontends: equal ones need one map in the kernel.

    A new table is filled before the programs can see it; an old one goes with its last user. Many
    at a time: each call that replaces maps waits for programs that may still read the old ones.
    """
    left = list(users.items())
    while left:
        part, left = left[:TABLES], left[TABLES:]
        made = [_filled(places) for places, _ in part]
        try:
            _enter(
                outer,
                [(index, fd) for fd, (_, users) in zip(made, part, strict=True) for index in users],
            )
        finally:
            for fd in made:
                os.close(fd)


def read(outer: Map[Any, Any]) -> dict[bytes, bytes]:
    """Every frontend's table as `image` makes it, by its key; one that is shared is read once."""
    shown = {key: int.from_bytes(number, sys.byteorder) for key, number in outer.raw_items()}
    images = {number: _contents(number) for number in set(shown.values())}
    return {key: images[number] for key, number in shown.items()}


def _contents(number: int) -> bytes:
    """What is in the table that is the kernel's map of a number."""
    inner = call("bpf_map_get_fd_by_id", number, what=f"opening Maglev table {number}")
    try:
        places = ctypes.create_string_buffer(int(map_info(inner).value_size))
        first = bytes(ctypes.c_uint32(0))
        call("bpf_map_lookup_elem", inner, first, places, what=f"reading Maglev table {number}")
        return places.raw
    finally:
        os.close(inner)


TABLES = 256
"""Tables that are filled and entered at a time; each is a descriptor meanwhile."""


def _filled(places: bytes) -> int:
    inner = maglev_table(len(places) // 4)
    call("bpf_map_update_elem", inner, bytes(ctypes.c_uint32(0)), places, 0)
    return inner


def _enter(outer: int, entries: Sequence[tuple[int, int]]) -> None:
    """Tables by descriptor into the map of maps, at their indexes."""
    keys = array.array("H", [index for index, _ in entries]).tobytes()
    values = array.array("I", [fd for _, fd in entries]).tobytes()
    count = ctypes.c_uint32(len(entries))
    if raw("bpf_map_update_batch", outer, keys, values, ctypes.byref(count), None) == 0:
        return
    for index, fd in entries:  # kernels before 5.15 know no batches of maps
        call(
            "bpf_map_update_elem",
            outer,
            bytes(ctypes.c_uint16(index)),
            bytes(ctypes.c_uint32(fd)),
            0,
            what=f"writing the Maglev table of service {index}",
        )
