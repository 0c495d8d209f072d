"""A picture of the host: everything that a lab could leave on it, as sets of short texts.

Two pictures, one taken before a lab and one after, are compared by set difference; so an entry
names a thing and its identity, never a counter or a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import shell
from lab.errors import InputError

PLACES = (
    "/etc/frr",
    "/run/frr",
    "/run/netns",
    "/run/cilium",
    "/run/lab",
    "/sys/fs/bpf",
    "/var/log/frr",
    "/var/run/frr",
)
"""Directories in which a lab's programs would write if they were not in namespaces of their own."""

MARK = "/lab-"
"""What the control group of a lab's process has in its path."""


@dataclass(frozen=True)
class Host:
    """Kind of thing -> the things of that kind."""

    things: Mapping[str, frozenset[str]]

    @classmethod
    def look(cls) -> Host:
        """Look at this machine; needs root."""
        return cls({kind: frozenset(read()) for kind, read in KINDS.items()})

    def new_since(self, before: Host) -> Mapping[str, list[str]]:
        """What is here now and was not there before; kinds with nothing new are left out."""
        news = {
            kind: sorted(things - before.things.get(kind, frozenset()))
            for kind, things in self.things.items()
        }
        return {kind: things for kind, things in news.items() if things}

    def to_json(self) -> str:
        return json.dumps({kind: sorted(things) for kind, things in self.things.items()}, indent=1)

    @classmethod
    def from_json(cls, text: str, source: str) -> Host:
        """InputError unless the text is what `to_json` wrote."""
        try:
            value = json.loads(text)
            return cls({kind: frozenset(map(str, things)) for kind, things in value.items()})
        except (ValueError, AttributeError, TypeError) as exc:
            raise InputError(f"{source} is no picture of a host made by `--save`: {exc}") from exc


def links() -> Iterator[str]:
    """Interfaces of the host's network namespace."""
    for link in shell.run(["ip", "-j", "link", "show"]).json():
        yield str(link["ifname"])


def routes() -> Iterator[str]:
    """Routes, rules and next hops of the host's network namespace."""
    for words in ("-4 route show table all", "-6 route show table all", "rule", "nexthop"):
        for line in shell.run(["ip", *words.split()]).out.splitlines():
            yield " ".join(word for word in line.split() if word not in {"linkdown", "dead"})


def mounts() -> Iterator[str]:
    """Mounts of the host's mount namespace: where, and of what."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, source = after.split()[:2]
        yield f"{before.split()[4]} ({kind} {source})"


def processes() -> Iterator[str]:
    """Processes in a lab's control group, and which."""
    for pid, directory in _processes():
        groups = _text(directory / "cgroup")
        if MARK in groups:
            yield f"{pid} {_text(directory / 'comm').strip()} in {_lab_group(groups)}"


def control_groups() -> Iterator[str]:
    """Control groups of labs, wherever the hierarchy is mounted."""
    for line in mounts():
        place, _, kind = line.partition(" (")
        if kind.startswith("cgroup2 "):
            yield from (str(path) for path in Path(place).glob("lab-*") if path.is_dir())


def namespaces() -> Iterator[str]:
    """Network, mount and PID namespaces that some process is in."""
    for _, directory in _processes():
        for kind in ("net", "mnt", "pid"):
            try:
                yield str((directory / "ns" / kind).readlink())
            except OSError:  # ended meanwhile
                continue


def bpf_objects() -> Iterator[str]:
    """Programs and maps in the kernel, whoever holds them (their ids know no namespace)."""
    for kind in ("prog", "map"):
        for item in shell.run(["bpftool", "-j", kind, "show"]).json():
            yield f"{kind} {item['id']} {item.get('name', '')}"


def netfilter() -> Iterator[str]:
    """Tables and rules of nftables in the host's network namespace."""
    table = ""
    for line in shell.run(["nft", "-s", "list", "ruleset"]).out.splitlines():
        table = line.split("{")[0].strip() if line.startswith("table") else table
        yield f"{table}: {line.strip()}"


def files() -> Iterator[str]:
    """Files and directories where a lab's programs might write."""
    for place in dict.fromkeys(os.path.realpath(place) for place in PLACES):
        for directory, below, names in os.walk(place):
            yield from (str(Path(directory) / name) for name in (*below, *names))


KINDS: Mapping[str, Callable[[], Iterator[str]]] = {
    "links": links,
    "routes": routes,
    "mounts": mounts,
    "processes": processes,
    "control groups": control_groups,
    "namespaces": namespaces,
    "BPF objects": bpf_objects,
    "netfilter": netfilter,
    "files": files,
}


def _processes() -> Iterator[tuple[int, Path]]:
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal():
            yield int(directory.name), directory


def _lab_group(groups: str) -> str:
    return next(line.rsplit(":", 1)[1] for line in groups.splitlines() if MARK in line)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # the process ended meanwhile
        return ""
