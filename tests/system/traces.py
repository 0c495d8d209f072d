"""What a lab leaves on its host, seen from outside with nothing of the lab's own code."""

from __future__ import annotations

from pathlib import Path

from lab.wait import until

GONE_WITHIN = 10.0


class Traces:
    """Everything that belongs to one lab, gathered while it lives, looked for when it is dead."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self._processes: dict[int, str] = {}
        """Process id -> its start time, so that a reused id is another process."""
        self._mounts = mounts()
        self._links = links()
        self._files = files()

    def follow(self, root: int) -> list[int]:
        """Take note of a process and all below it; returns their ids, the root first."""
        tree = descendants(root)
        for pid in tree:
            started = start_time(pid)
            if started is not None:
                self._processes[pid] = started
        return tree

    def until_gone(self) -> None:
        """Return when nothing is left; WaitTimeout says what is."""
        until(self.left, lambda left: not left, within=GONE_WITHIN, what="rest of a dead lab")

    def left(self) -> list[str]:
        """What is still there."""
        found = [f"process {pid}" for pid, at in self._processes.items() if start_time(pid) == at]
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
