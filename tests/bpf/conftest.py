"""Rigs for the tests: fresh for each, since every packet leaves traces in the maps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.bpf.config import NodeConfig

from .among_sockets import among_sockets
from .node import CONFIG, DUAL, MODERN, direct
from .rig import Rig

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.bpf)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="loading programs needs root"))


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    """Rigs with a configuration of the test's own."""
    rigs: list[Rig] = []

    def make(config: NodeConfig = CONFIG, sizes: dict[str, int] | None = None) -> Rig:
        rigs.append(Rig(config, sizes))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A node of profile cilium-1.10."""
    return make_rig()


@pytest.fixture
def modern(make_rig: Callable[..., Rig]) -> Rig:
    """A node of profile modern with both families."""
    return make_rig(MODERN)


@pytest.fixture
def dual(make_rig: Callable[..., Rig]) -> Rig:
    """A node of profile cilium-1.10 with both families."""
    return make_rig(DUAL)


@pytest.fixture
def dsr(make_rig: Callable[..., Rig]) -> Rig:
    """A node of profile cilium-1.10 without a tunnel, in mode dsr."""
    return make_rig(direct(CONFIG))


@pytest.fixture
def node() -> Iterator[Rig]:
    """A node of both families whose own sockets are the test's; profile cilium-1.10."""
    with among_sockets(DUAL) as rig:
        yield rig


@pytest.fixture
def modern_node() -> Iterator[Rig]:
    """The same of profile modern."""
    with among_sockets(MODERN) as rig:
        yield rig
