"""Maglev's lookup table: a backend for every hash, the same on every node.

Algorithm: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
2016, section 3.4. Choices that make the table equal to Cilium's for equal input: backends in the
order of their text form, and the two hashes of a backend are the halves of MurmurHash3 x64 128
under the cluster's seed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache

from lab.agent.services.model import Backend

SEED = "JLfvgnHc2kaSUFaI"
"""Cilium's default of loadBalancer.maglev.hashSeed: 12 bytes in base64; 4 are used."""

_MASK = (1 << 64) - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def backend_text(backend: Backend) -> str:
    """The name that a backend is hashed and sorted by."""
    return f"[{backend.address}:{backend.port}/{backend.protocol.name},State:active]"


@lru_cache(maxsize=256)
def table(backends: tuple[Backend, ...], size: int, seed: str = SEED) -> tuple[int, ...]:
    """`size` indices into `backends`; empty for no backends. `size` is a prime."""
    order = sorted(range(len(backends)), key=lambda i: backend_text(backends[i]))
    walks = [_permutation(backend_text(backends[index]), size, seed) for index in order]
    return tuple(order[rank] for rank in _fill(walks, size))


def _permutation(name: str, size: int, seed: str) -> tuple[int, int]:
    """(offset, skip): the backend's preference list is offset + n * skip modulo size."""
    high, low = murmur3(name.encode(), int.from_bytes(base64.b64decode(seed)[:4], "big"))
    return high % size, low % (size - 1) + 1


def _fill(walks: Sequence[tuple[int, int]], size: int) -> list[int]:
    """Backends take turns; each takes the first free place on its own list."""
    if not walks:
        return []
    places = [-1] * size
    nexts = [offset for offset, _ in walks]
    skips = [skip for _, skip in walks]
    taken = 0
    while True:
        for rank, skip in enumerate(skips):
            place = nexts[rank]
            while places[place] >= 0:
                place = (place + skip) % size
            places[place] = rank
            nexts[rank] = (place + skip) % size
            taken += 1
            if taken == size:
                return places


def murmur3(data: bytes, seed: int) -> tuple[int, int]:
    """MurmurHash3_x64_128 (Austin Appleby, public domain): two 64-bit halves."""
    h1 = h2 = seed
    whole = len(data) // 16 * 16
    for at in range(0, whole, 16):
        h1 ^= _mix1(int.from_bytes(data[at : at + 8], "little"))
        h1 = ((_rotl(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _mix2(int.from_bytes(data[at + 8 : at + 16], "little"))
        h2 = ((_rotl(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    h2 ^= _mix2(int.from_bytes(data[whole + 8 :], "little"))
    h1 ^= _mix1(int.from_bytes(data[whole : whole + 8], "little"))
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    h1, h2 = _finish(h1), _finish(h2)
    h1 = (h1 + h2) & _MASK
    return h1, (h2 + h1) & _MASK


def _rotl(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _mix1(word: int) -> int:
    return _rotl(word * _C1 & _MASK, 31) * _C2 & _MASK


def _mix2(word: int) -> int:
    return _rotl(word * _C2 & _MASK, 33) * _C1 & _MASK


def _finish(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33
