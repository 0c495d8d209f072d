"""Faults of a node's flow tables: no port is left, or no room."""

from __future__ import annotations

import shlex
import sys
from ipaddress import IPv4Address

from lab.errors import InputError
from lab.faults.acts import Command
from lab.faults.fault import Fault, always
from lab.faults.nodes import of_cluster
from lab.repository import REPOSITORY
from lab.sandbox.place import Place


def nat_full(node: str, backend: str) -> Fault:
    """Strangers hold every port that the node could translate to, towards a pod (ADDRESS:PORT)."""

    _check_backend(backend)

    def strike(lab: Place) -> None:
        source = of_cluster(lab, node).router_ip
        _flood(node, f"translations {backend} {source}").do(lab)

    return Fault(
        f"{node} has no port left towards {backend}",
        strike,
        always(_flood(node, "clear")),
        alters=_tables(node),
    )


def conntrack_full(node: str) -> Fault:
    """Strangers fill a node's connection table; what was used least recently is forgotten."""

    def strike(lab: Place) -> None:
        of_cluster(lab, node)
        _flood(node, "connections").do(lab)

    return Fault(
        f"strangers fill the connection table of {node}",
        strike,
        always(_flood(node, "clear")),
        alters=_tables(node),
    )


def _check_backend(backend: str) -> None:
    """InputError unless it is what `lab.bpf.flood` takes."""
    address, _, port = backend.partition(":")
    try:
        IPv4Address(address)
    except ValueError:
        port = ""
    if not (port.isdecimal() and 0 < int(port) < 2**16):
        raise InputError(f"a pod is ADDRESS:PORT (IPv4), such as 10.0.1.2:80, not {backend!r}")


def _tables(node: str) -> str:
    return f"the flow tables of {node}"


def _flood(node: str, words: str) -> Command:
    """The program that fills and empties the tables, on the node."""
    command = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "lab.bpf.flood"]
    return Command(node, f"{shlex.join(command)} {words}")
