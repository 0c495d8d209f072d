"""A BPF object file: opened, configured, loaded; its programs and maps by name."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from lab.bpf.layout import Layout
from lab.bpf.libbpf import ObjectOpenOpts, call, raw
from lab.bpf.tables import MAGLEV, MAGLEV6
from lab.errors import BpfError, VerifierError

LOG_SIZE = 4 << 20
CONFIG_MAP = b".rodata.config"
MAP_TYPE_ARRAY = 2


class BpfObject:
    """One object file on its way into the kernel.

    A context manager: leaving it closes all descriptors, which frees whatever is neither pinned
    nor attached by then.
    """

    def __init__(self, path: Path, *, pin_root: Path | None = None) -> None:
        self.path = path
        self._log = ctypes.create_string_buffer(LOG_SIZE)
        options = ObjectOpenOpts(
            sz=ctypes.sizeof(ObjectOpenOpts),
            object_name=path.stem.split("-")[0].encode(),
            kernel_log_buf=ctypes.cast(self._log, ctypes.c_char_p),
            kernel_log_size=LOG_SIZE,
        )
        if pin_root is not None:
            options.pin_root_path = os.fsencode(pin_root)
        image = path.read_bytes()
        self._handle = call(
            "bpf_object__open_mem",
            image,
            len(image),
            ctypes.byref(options),
            what=f"opening {path.name}",
        )
        if pin_root is None:
            for handle, _ in self._each("map"):
                call("bpf_map__set_pin_path", handle, None)

    def __enter__(self) -> BpfObject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raw("bpf_object__close", self._handle)
        self._handle = None

    def configure(self, values: Layout) -> None:
        """Set the constants that the programs are verified with; before `load`."""
        data = bytes(values)
        call(
            "bpf_map__set_initial_value",
            self._map(CONFIG_MAP.decode()),
            data,
            len(data),
            what=f"setting the constants of {self.path.name} (their size is in its source)",
        )

    def resize(self, sizes: Mapping[str, int]) -> None:
        """Set the number of entries of maps; before `load`."""
        for name, entries in sizes.items():
            call("bpf_map__set_max_entries", self._map(name), entries, what=f"resizing {name}")

    def share_maps(self, other: BpfObject) -> None:
        """Use the maps of a loaded object where names are equal; before `load`."""
        for handle, name in self._each("map"):
            if name != CONFIG_MAP.decode():
                call("bpf_map__reuse_fd", handle, other.map(name), what=f"sharing {name}")

    def load(self, *, maglev_size: int = 0) -> None:
        """Create the maps, verify and load the programs; VerifierError with the log's end.

        `maglev_size`: entries of a table, for the object that has Maglev's maps of maps.
        """
        if not maglev_size:
            self._load()
            return
        inner = maglev_table(maglev_size)
        try:
            for name in (MAGLEV.name, MAGLEV6.name):
                call("bpf_map__set_inner_map_fd", self._map(name), inner)
            self._load()
        finally:
            os.close(inner)

    def _load(self) -> None:
        code = raw("bpf_object__load", self._handle)
        if code < 0:
            log = self._log.value.decode(errors="replace")
            if log:
                raise VerifierError(self.path.name, -code, log)
            hint = " (do maps of other layouts lie pinned? then start the lab anew)"
            raise BpfError(f"loading {self.path.name}{hint if code == -22 else ''}", -code)

    def program(self, name: str) -> int:
        """File descriptor of a loaded program; it lives as long as the object is open."""
        handle = raw("bpf_object__find_program_by_name", self._handle, name.encode())
        if handle is None:
            known = ", ".join(sorted(self.programs()))
            raise BpfError(f"{self.path.name} has no program {name} (it has {known})", 2)
        return int(call("bpf_program__fd", handle, what=f"program {name}"))

    def programs(self) -> list[str]:
        """Names of the programs that are or will be loaded."""
        return [
            name for handle, name in self._each("program") if raw("bpf_program__autoload", handle)
        ]

    def maps(self) -> list[str]:
        return [name for _, name in self._each("map")]

    def leave_out(self, names: Collection[str]) -> None:
        """Do not load some programs: what a node does not use costs it nothing."""
        for handle, name in self._each("program"):
            if name in names:
                call("bpf_program__set_autoload", handle, False)

    def map(self, name: str) -> int:
        """File descriptor of a map; it lives as long as the object is open."""
        return int(call("bpf_map__fd", self._map(name), what=f"map {name}"))

    def _map(self, name: str) -> int:
        handle = raw("bpf_object__find_map_by_name", self._handle, name.encode())
        if handle is None:
            raise BpfError(f"{self.path.name} has no map {name}", 2)
        return int(handle)

    def _each(self, kind: str) -> Iterator[tuple[int, str]]:
        handle = None
        while (handle := raw(f"bpf_object__next_{kind}", self._handle, handle)) is not None:
            yield handle, raw(f"bpf_{kind}__name", handle).decode()


def maglev_table(size: int) -> int:
    """An empty lookup table of `size` backend ids: descriptor of an ARRAY of one value."""
    entry = ctypes.sizeof(ctypes.c_uint32)
    return int(
        call(
            "bpf_map_create",
            MAP_TYPE_ARRAY,
            b"maglev_table",
            entry,
            entry * size,
            1,
            None,
            what=f"creating a Maglev table of {size} entries",
        )
    )
