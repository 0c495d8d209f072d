"""What a lab can still tell after a failure, gathered into one folder."""

from __future__ import annotations

import json
import shlex
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.sandbox.place import Place
from lab.topology.plan import NodeKind, PlannedNode

EVERYWHERE = ("ip -s addr", "ip route", "ip neigh", "ss -tan")
FRR = tuple(
    f"vtysh -c 'show {what}'"
    for what in ("running-config", "bgp summary", "bgp ipv4", "bgp ipv6", "bfd peers", "ip route")
)
KUBE = (
    "cilium status",
    "cilium service list",
    "cilium bpf lb list",
    "cilium bpf ct list global",
    "cilium bpf nat list",
    "cilium bpf ipcache list",
    "cilium bpf endpoint list",
    "cilium bpf metrics list",
    "hubble observe --last 200",
    "nft list ruleset",
)
CONTROL = (
    "kubectl get nodes,pods,services,endpointslices -A -o wide",
    "kubectl get deployments,pods,services,configmaps -A -o yaml",
    "kubectl get events -A",
)


SECRETS = {"token", "server.key", "kubeconfig"}
PACKETS = "packets.pcap"
SNAP, LARGEST = 192, 20
"""Bytes that are kept of each packet, and millions of bytes of the two files that take turns."""


@contextmanager
def recording(lab: Place, run_dir: Path) -> Iterator[None]:
    """Record what passes the router for the length of a `with` block, in the run directory.

    Everything from and to the clients crosses it. The last packets count: the files go round.
    """
    for node in lab.plan.nodes:
        if node.kind is NodeKind.ROUTER:
            target = run_dir / "nodes" / node.name / PACKETS
            limits = ["-s", str(SNAP), "-C", str(LARGEST), "-W", "2"]
            words = ["tcpdump", "-U", "-Z", "root", "-i", "any", *limits, "-w", str(target)]
            with lab.node(node.name).spawn(words):
                yield
            return
    yield


def collect(lab: Place, run_dir: Path, folder: Path) -> str:
    """Copy the run directory's configurations and logs, and ask every node; returns the folder.

    A command that fails leaves its error in its file: the folder is made of what there is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(run_dir, folder / "run", ignore=_no_files, dirs_exist_ok=True)
    standing = json.dumps(lab.ask("standing-faults"), indent=2)
    (folder / "standing-faults.json").write_text(f"{standing}\n", encoding="utf-8")
    asked = [
        threading.Thread(target=_ask, args=(lab, node, folder / node.name), daemon=True)
        for node in lab.plan.nodes
    ]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join()
    return str(folder)


def _ask(lab: Place, node: PlannedNode, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for line in _questions(node):
        try:
            result = lab.node(node.name).probe(shlex.split(line), timeout=10)
            text = result.out + result.err
        except LabError as error:
            text = f"{error}\n"
        (folder / f"{_file_name(line)}.txt").write_text(f"$ {line}\n{text}", encoding="utf-8")


def _questions(node: PlannedNode) -> Iterator[str]:
    yield from EVERYWHERE
    if node.daemons:
        yield from FRR
    if node.is_kube:
        yield from KUBE
    if node.kind.value == "control":
        yield from CONTROL


def _file_name(line: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in line).split())


def _no_files(folder: str, entries: list[str]) -> set[str]:
    """Sockets and pipes cannot be copied; keys and the token are nobody's business."""
    return {
        name
        for name in entries
        if name in SECRETS
        or not (Path(folder, name).is_file() or Path(folder, name).is_dir())
        or Path(folder, name).is_symlink()
    }
