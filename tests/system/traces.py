"""What a lab leaves on its host, seen from outside: the lab itself is asked for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab import shell
from lab.wait import until

GONE_WITHIN = 90.0
"""Seconds; a bound for machines on which many labs and BPF tests end at once. Connections without
a program hold their namespace (lab/sandbox/orphans.py), those whose wire was dead before for longer
than others: the kernel doubles the distance of their tries. It takes network namespaces apart one
batch after the other, in one worker, and frees maps from a work queue, each map after a grace
period of its own: what died last waits for all that died before it.
"""


class Traces:
    """Everything that belongs to one lab, gathered while it lives, looked for when it is dead."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self._processes: dict[int, str] = {}
        """Process id -> its start time, so that a reused id is another process."""
        self.bpf: set[str] = set()
        """`prog ID` and `map ID`: the kernel gives no id twice."""
        self._mounts = mounts()
        self._links = links()
        self._files = files()
        self._netfilter = netfilter()

    def follow(self, root: int) -> list[int]:
        """Take note of a process and all below it; returns their ids, the root first."""
        tree = descendants(root)
        for pid in tree:
            started = start_time(pid)
            if started is not None:
                self._processes[pid] = started
                self.bpf |= bpf_objects_of(pid)
        return tree

    def until_gone(self) -> None:
        """Return when nothing is left; WaitTimeout says what is."""
        until(self.left, lambda left: not left, within=GONE_WITHIN, what="rest of a dead lab")

    def left(self) -> list[str]:
        """What is still there."""
        found = [f"process {pid}" for pid, at in self._processes.items() if start_time(pid) == at]
        found += [f"BPF {thing}" for thing in sorted(self.bpf & bpf_objects())]
        found += [f"netfilter {line}" for line in netfilter() - self._netfilter]
        found += [f"cgroup {path}" for path in cgroups(self.lab)]
        found += [f"mount {line}" for line in mounts() - self._mounts if self.lab in line]
        found += [f"link {name}" for name in links() - self._links]
        found += [f"file {path}" for path in files() - self._files if self.lab in path]
        return found


def descendants(root: int) -> list[int]:
    """A process and all below it, as far as they are there."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = stat_fields(int(entry.name))
            if fields:
                parents[int(entry.name)] = int(fields[1])
    tree = [root] if root in parents else []
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        return ""


def stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third (state) on; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def start_time(pid: int) -> str | None:
    """When a process started; None for one that is gone or only waits to be buried."""
    fields = stat_fields(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def bpf_objects_of(pid: int) -> set[str]:
    """What a process holds open of the kernel's BPF programs and maps (proc_pid_fdinfo(5))."""
    found = set()
    for line in fdinfo_of(pid):
        kind, _, number = line.partition("_id:")
        if kind in {"prog", "map"}:
            found.add(f"{kind} {number.strip()}")
    return found


def fdinfo_of(pid: int) -> Iterator[str]:
    """The lines about its descriptors, but for those that are closed meanwhile."""
    with suppress(OSError):  # The process itself is gone.
        for file in Path(f"/proc/{pid}/fdinfo").iterdir():
            with suppress(OSError):
                yield from file.read_text().splitlines()


def bpf_objects() -> set[str]:
    """All BPF programs and maps of the machine."""
    return {
        f"{kind} {item['id']}"
        for kind in ("prog", "map")
        for item in shell.run(["bpftool", "-j", kind, "show"]).json()
    }


def netfilter() -> set[str]:
    """Rules in the host's network namespace."""
    return set(shell.run(["nft", "-s", "list", "ruleset"]).out.splitlines())


def cgroups(lab: str) -> list[Path]:
    """Its cgroup, where systemd mounts the second version alone, or beside the first."""
    roots = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    return [root / f"lab-{lab}" for root in roots if (root / f"lab-{lab}").is_dir()]


def links() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def mounts() -> set[str]:
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def files() -> set[str]:
    """Where a lab could leave something by mistake; its run directory is not among them."""
    places = ("/run", "/run/netns", "/run/frr", "/tmp", "/var/tmp", "/var/log", "/etc/frr")
    return {str(path) for place in map(Path, places) if place.is_dir() for path in place.iterdir()}
