"""A bench whose sockets are the test's own, by a cgroup."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.bpf import sockets
from lab.bpf.config import NodeConfig

from .rig import Rig

CLUSTER_IP = "10.96.0.10"


CLUSTER_IP_6 = "fd00:96::10"


def cgroup_root() -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(folder)
    return None


@contextmanager
def among_sockets(config: NodeConfig) -> Iterator[Rig]:
    """A rig with socket programs, and the test's process in their cgroup."""
    root = cgroup_root()
    if root is None:
        pytest.skip("no cgroup v2 is mounted")
    home, folder = sockets.own_cgroup() or root, root / f"lab-test-{os.getpid()}"
    folder.mkdir()
    try:
        rig = Rig(config, cgroup=folder)
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield rig
        finally:
            (home / "cgroup.procs").write_text(str(os.getpid()))
            rig.close()
    finally:
        folder.rmdir()


def listen(family: int = socket.AF_INET) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    server.listen()
    return server


def mapped(address: str) -> str:
    """An IPv4 address as sockets for both families have it."""
    return f"::ffff:{address}"
