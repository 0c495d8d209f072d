"""libbpf and the bpf system call through ctypes: one table of signatures, one error check.

Nothing here knows the lab. `call("name", ...)` returns the result or raises BpfError with
libbpf's errno; pointers to libbpf's own structs are opaque.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from lab.errors import BpfError, MachineError

SONAME = "libbpf.so.1"

_PrintFn = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)


class ObjectOpenOpts(ctypes.Structure):
    """struct bpf_object_open_opts of libbpf 1.0 and later."""

    _fields_ = [
        ("sz", c_size_t),
        ("object_name", c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", c_char_p),
        ("reserved", c_uint32),
        ("kconfig", c_char_p),
        ("btf_custom_path", c_char_p),
        ("kernel_log_buf", c_char_p),
        ("kernel_log_size", c_size_t),
        ("kernel_log_level", c_uint32),
    ]


class TcHook(ctypes.Structure):
    """struct bpf_tc_hook: a clsact ingress or egress."""

    _fields_ = [
        ("sz", c_size_t),
        ("ifindex", c_int),
        ("attach_point", c_int),
        ("parent", c_uint32),
    ]


class TcOpts(ctypes.Structure):
    """struct bpf_tc_opts: which filter of a hook, and its program."""

    _fields_ = [
        ("sz", c_size_t),
        ("prog_fd", c_int),
        ("flags", c_uint32),
        ("prog_id", c_uint32),
        ("handle", c_uint32),
        ("priority", c_uint32),
    ]


class TestRunOpts(ctypes.Structure):
    """struct bpf_test_run_opts: one packet through one program."""

    _fields_ = [
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    ]


# name: (result, arguments). "fd"/"errno" results are negative on failure, "ptr" ones are NULL.
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "libbpf_set_print": (c_void_p, (_PrintFn,)),
    "libbpf_num_possible_cpus": (c_int, ()),
    "bpf_object__open_mem": (c_void_p, (c_char_p, c_size_t, POINTER(ObjectOpenOpts))),
    "bpf_object__load": (c_int, (c_void_p,)),
    "bpf_object__close": (None, (c_void_p,)),
    "bpf_object__find_program_by_name": (c_void_p, (c_void_p, c_char_p)),
    "bpf_object__find_map_by_name": (c_void_p, (c_void_p, c_char_p)),
    "bpf_object__next_program": (c_void_p, (c_void_p, c_void_p)),
    "bpf_object__next_map": (c_void_p, (c_void_p, c_void_p)),
    "bpf_program__fd": (c_int, (c_void_p,)),
    "bpf_program__name": (c_char_p, (c_void_p,)),
    "bpf_program__set_autoload": (c_int, (c_void_p, ctypes.c_bool)),
    "bpf_program__autoload": (ctypes.c_bool, (c_void_p,)),
    "bpf_map__fd": (c_int, (c_void_p,)),
    "bpf_map__name": (c_char_p, (c_void_p,)),
    "bpf_map__set_max_entries": (c_int, (c_void_p, c_uint32)),
    "bpf_map__set_inner_map_fd": (c_int, (c_void_p, c_int)),
    "bpf_map__set_initial_value": (c_int, (c_void_p, c_char_p, c_size_t)),
    "bpf_map__reuse_fd": (c_int, (c_void_p, c_int)),
    "bpf_map__set_pin_path": (c_int, (c_void_p, c_char_p)),
    "bpf_obj_get": (c_int, (c_char_p,)),
    "bpf_obj_pin": (c_int, (c_int, c_char_p)),
    "bpf_map_create": (c_int, (c_int, c_char_p, c_uint32, c_uint32, c_uint32, c_void_p)),
    "bpf_map_lookup_elem": (c_int, (c_int, c_char_p, c_void_p)),
    "bpf_map_update_elem": (c_int, (c_int, c_char_p, c_char_p, c_uint64)),
    "bpf_map_delete_elem": (c_int, (c_int, c_char_p)),
    "bpf_map_get_fd_by_id": (c_int, (c_uint32,)),
    "bpf_map_get_next_key": (c_int, (c_int, c_char_p, c_void_p)),
    "bpf_map_lookup_batch": (
        c_int,
        (c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint32), c_void_p),
    ),
    "bpf_map_update_batch": (c_int, (c_int, c_char_p, c_char_p, POINTER(c_uint32), c_void_p)),
    "bpf_obj_get_info_by_fd": (c_int, (c_int, c_void_p, POINTER(c_uint32))),
    "bpf_tc_hook_create": (c_int, (POINTER(TcHook),)),
    "bpf_tc_attach": (c_int, (POINTER(TcHook), POINTER(TcOpts))),
    "bpf_tc_detach": (c_int, (POINTER(TcHook), POINTER(TcOpts))),
    "bpf_tc_hook_destroy": (c_int, (POINTER(TcHook),)),
    "bpf_xdp_attach": (c_int, (c_int, c_int, c_uint32, c_void_p)),
    "bpf_xdp_query_id": (c_int, (c_int, c_int, POINTER(c_uint32))),
    "bpf_prog_attach": (c_int, (c_int, c_int, c_int, c_uint32)),
    "bpf_prog_detach2": (c_int, (c_int, c_int, c_int)),
    "bpf_prog_get_fd_by_id": (c_int, (c_uint32,)),
    "bpf_prog_query": (
        c_int,
        (c_int, c_int, c_uint32, POINTER(c_uint32), POINTER(c_uint32), POINTER(c_uint32)),
    ),
    "bpf_prog_test_run_opts": (c_int, (c_int, POINTER(TestRunOpts))),
    "bpf_enable_stats": (c_int, (c_int,)),
}


def _say_nothing(_level: int, _format: bytes, _arguments: int) -> int:
    """libbpf's own messages repeat what BpfError and VerifierError already say."""
    return 0


_silence = _PrintFn(_say_nothing)
"""Kept for the life of the process: libbpf calls it by address."""


def _open() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(SONAME, use_errno=True)
    except OSError as exc:
        raise MachineError(f"{SONAME} cannot be loaded: {exc}", "apt-get install libbpf1") from exc
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    library.libbpf_set_print(_silence)
    return library


_library = _open()


def raw(name: str, *arguments: Any) -> Any:
    """Call a function of libbpf and return what it returns, failure or not."""
    return getattr(_library, name)(*arguments)


def call(name: str, *arguments: Any, what: str = "") -> Any:
    """Call a function of libbpf; BpfError when it fails, saying `what` was attempted."""
    result = raw(name, *arguments)
    result_type = _SIGNATURES[name][0]
    if result_type is c_int and result < 0:
        # libbpf 1.x returns -errno; the plain system call wrappers set errno as well.
        raise BpfError(what or name, -result if result != -1 else ctypes.get_errno() or 1)
    if result_type is c_void_p and result is None:
        raise BpfError(what or name, ctypes.get_errno())
    return result
