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
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from lab.bpf.libbpf import call
from lab.bpf.murmur3 import murmur3
from lab.bpf.object import maglev_table

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
    share(outer, [rev_nat_index], places)


def share(outer: int, rev_nat_indexes: Iterable[int], places: Sequence[int]) -> None:
    """Give one table to several frontends: those of a service have the same backends.

    The new table is filled before the programs can see it; an old one goes with its last user.
    """
    inner = maglev_table(len(places))
    try:
        values = array.array("I", places).tobytes()
        call("bpf_map_update_elem", inner, bytes(ctypes.c_uint32(0)), values, 0)
        for index in rev_nat_indexes:
            call(
                "bpf_map_update_elem",
                outer,
                bytes(ctypes.c_uint16(index)),
                bytes(ctypes.c_uint32(inner)),
                0,
                what=f"writing the Maglev table of service {index}",
            )
    finally:
        os.close(inner)
