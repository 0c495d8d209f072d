"""A BPF map as typed keys and values.

Opened by pin path or file descriptor. All operations raise BpfError with the map's name;
a missing key is None or False, never an error.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from lab.bpf.layout import Layout
from lab.bpf.libbpf import call, raw
from lab.bpf.tables import GLOBALS, Table
from lab.errors import BpfError

K = TypeVar("K", bound=Layout)
V = TypeVar("V", bound=Layout)

CREATE_OR_REPLACE = 0
"""BPF_ANY of linux/bpf.h."""

BATCH = 1024
"""Entries a batch system call moves at most."""


class Map(Generic[K, V]):
    """One map. Keys and values are ctypes structs; copies, never views of kernel memory."""

    def __init__(self, table: Table, fd: int) -> None:
        self.table = table
        self.fd = fd
        self._value_size = ctypes.sizeof(table.value)
        self._key_size = ctypes.sizeof(table.key)

    @classmethod
    def pinned(cls, table: Table, root: Path = GLOBALS) -> Map[K, V]:
        """Open the map's pin below `root`."""
        path = root / table.name
        return cls(table, call("bpf_obj_get", os.fsencode(path), what=f"opening {path}"))

    def __enter__(self) -> Map[K, V]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.fd)

    def lookup(self, key: K) -> V | None:
        found = self.lookup_raw(bytes(key))
        return None if found is None else self._value(found)

    def lookup_raw(self, key: bytes) -> bytes | None:
        """The same with bytes."""
        value = ctypes.create_string_buffer(self._value_size)
        if not self._found(raw("bpf_map_lookup_elem", self.fd, key, value), "looking up"):
            return None
        return value.raw

    def update(self, key: K, value: V) -> None:
        """Write an entry, in place of the one that may be there."""
        call(
            "bpf_map_update_elem",
            self.fd,
            bytes(key),
            bytes(value),
            CREATE_OR_REPLACE,
            what=f"writing {key} to {self.table.name}",
        )

    def delete(self, key: K) -> bool:
        """Remove an entry; False when there was none."""
        return self._found(raw("bpf_map_delete_elem", self.fd, bytes(key)), "deleting from")

    def update_batch(self, entries: Sequence[tuple[K, V]]) -> None:
        """Write many entries in order; on failure those before the failing one are written."""
        self.update_raw([(bytes(key), bytes(value)) for key, value in entries])

    def update_raw(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """The same with the bytes of keys and values, as `raw_items` gives them."""
        for start in range(0, len(entries), BATCH):
            part = entries[start : start + BATCH]
            keys = b"".join([key for key, _ in part])
            values = b"".join([value for _, value in part])
            if (len(keys), len(values)) != (
                len(part) * self._key_size,
                len(part) * self._value_size,
            ):
                raise ValueError(f"an entry for {self.table.name} has another size than the map's")
            count = ctypes.c_uint32(len(part))
            code = raw("bpf_map_update_batch", self.fd, keys, values, ctypes.byref(count), None)
            if code < 0:
                # A map type without batches, or the error of one entry: write one by one.
                for key, value in part[0 if _unsupported(code) else count.value :]:
                    self.update(self.table.key.parse(key), self.table.value.parse(value))

    def delete_raw(self, keys: Iterable[bytes]) -> int:
        """Remove entries by the bytes of their keys; how many of them were there."""
        return sum(
            self._found(raw("bpf_map_delete_elem", self.fd, key), "deleting from") for key in keys
        )

    def items(self) -> Iterator[tuple[K, V]]:
        """All entries; with concurrent writers each is as it was at some moment."""
        key_type = self.table.key
        for raw_key, raw_value in self.raw_items():
            yield key_type.parse(raw_key), self._value(raw_value)

    def raw_items(self) -> list[tuple[bytes, bytes]]:
        """All entries as bytes: by batches where the map type has them, else one by one."""
        size = BATCH
        found: list[tuple[bytes, bytes]] = []
        cursor = ctypes.create_string_buffer(max(self._key_size, 8))
        first = True
        while True:
            keys = ctypes.create_string_buffer(size * self._key_size)
            values = ctypes.create_string_buffer(size * self._value_size)
            count = ctypes.c_uint32(size)
            start = None if first else ctypes.addressof(cursor)
            code = raw(
                "bpf_map_lookup_batch",
                self.fd,
                start,
                ctypes.addressof(cursor),
                keys,
                values,
                ctypes.byref(count),
                None,
            )
            if code == -errno.ENOSPC:  # one hash bucket holds more than the room given
                size *= 4
                continue
            if _unsupported(code):
                return self._walk()
            if code < 0 and code != -errno.ENOENT:
                raise BpfError(f"reading {self.table.name}", -code)
            found.extend(self._cut(keys.raw, values.raw, count.value))
            if code == -errno.ENOENT:
                return found
            first = False

    def _cut(self, keys: bytes, values: bytes, count: int) -> Iterator[tuple[bytes, bytes]]:
        k, v = self._key_size, self._value_size
        for n in range(count):
            yield keys[n * k : n * k + k], values[n * v : n * v + v]

    def _walk(self) -> list[tuple[bytes, bytes]]:
        found = []
        key: bytes | None = None
        after = ctypes.create_string_buffer(self._key_size)
        value = ctypes.create_string_buffer(self._value_size)
        while self._found(raw("bpf_map_get_next_key", self.fd, key, after), "walking"):
            key = after.raw
            if self._found(raw("bpf_map_lookup_elem", self.fd, key, value), "looking up"):
                found.append((key, value.raw))
        return found

    def _value(self, data: bytes) -> V:
        value: V = self.table.value.parse(data)
        return value

    def _found(self, code: int, doing: str) -> bool:
        if code == -errno.ENOENT:
            return False
        if code < 0:
            raise BpfError(f"{doing} {self.table.name}", -code)
        return True


class PerCpuMap(Map[K, V]):
    """A map with one value for every possible processor."""

    def __init__(self, table: Table, fd: int) -> None:
        super().__init__(table, fd)
        self._one = (ctypes.sizeof(table.value) + 7) & ~7
        self._value_size = self._one * call("libbpf_num_possible_cpus")

    def _value(self, data: bytes) -> V:
        """The sum over all processors: every field of such a value is a counter."""
        total: V = self.table.value()
        for at in range(0, self._value_size, self._one):
            part = self.table.value.parse(data[at:])
            for name in (field[0] for field in self.table.value._fields_):
                setattr(total, name, getattr(total, name) + getattr(part, name))
        return total


def _unsupported(code: int) -> bool:
    """ENOTSUPP (524) is the kernel's internal number for "this map type has no batches"."""
    return code in (-524, -errno.EOPNOTSUPP, -errno.EINVAL)
