"""PID 1 of a lab: makes its namespaces, starts its crew, reaps, and ends it.

When PID 1 dies, the kernel kills every process of the lab and frees its namespaces, mounts, links
and pinned BPF objects (pid_namespaces(7)). So all that this process must take care of is to die
whenever the keeper or one of its crew does.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from lab.sandbox.cgroup import Cgroup
from lab.sandbox.events import EventWriter, telling
from lab.sandbox.logs import note, redirect_output
from lab.sandbox.mounts import make_private
from lab.sandbox.process import hear_nothing, run_to_the_end, set_title, wake_on
from lab.sandbox.rundir import RunDir
from lab.sandbox.syscalls import Namespace, die_with_parent, set_process_name, unshare

Crew = Callable[[EventWriter], Mapping[str, Callable[[], int]]]
"""Called in PID 1: its long-lived children by name, each a function that returns an exit code.

The lab ends when the first of them does.
"""

OWN_NAMESPACES = Namespace.MOUNT | Namespace.CGROUP | Namespace.UTS | Namespace.IPC | Namespace.NET
"""What PID 1 makes for the lab; the PID namespace is the keeper's doing."""


def become_pid1(run: RunDir, cgroup: Cgroup, life: int, events: int, crew: Crew) -> NoReturn:
    """Be PID 1, the first process of a new PID namespace; `life` reaches EOF with the keeper."""

    def main() -> None:
        os.setsid()  # What is meant for the keeper's process group must not hit both.
        redirect_output(run.log("supervisor"))
        set_process_name("lab-init")
        set_title(f"lab {run.name}: init")
        _Pid1(run, cgroup, life).run(events, crew)

    run_to_the_end(main)


class _Pid1:
    def __init__(self, run: RunDir, cgroup: Cgroup, life: int) -> None:
        self._run = run
        self._life = life
        self._cgroup = cgroup
        # Handles that stay good when the mounts are replaced.
        self._hierarchy = os.open(cgroup.path.parent, os.O_PATH | os.O_DIRECTORY)
        self._way_out = os.open(cgroup.path.parent / "cgroup.procs", os.O_WRONLY)

    def run(self, events: int, crew: Crew) -> None:
        """Live until the keeper or one of the crew is gone."""
        wakeup = wake_on(signal.SIGCHLD, signal.SIGTERM)
        # Behind the pipe, a second sign of the keeper's end. Not SIGKILL: the cgroup is then
        # this process's to remove. A keeper that died before this call shows on the pipe.
        die_with_parent(signal.SIGTERM)
        if not os.read(self._life, 1):
            self._remove_cgroup()
            return
        with telling(events):
            (self._cgroup.path / "cgroup.procs").write_text("0")
            unshare(OWN_NAMESPACES)
            make_private(self._run)
            socket.sethostname(self._run.name)
        children = self._start(crew(EventWriter(events)))
        os.close(events)
        self._reap(children, wakeup)

    def _start(self, crew: Mapping[str, Callable[[], int]]) -> dict[int, str]:
        children = {}
        for name, work in crew.items():
            pid = os.fork()
            if pid == 0:
                _be_crew(self._run.name, name, work, (self._life, self._hierarchy, self._way_out))
            children[pid] = name
        return children

    def _reap(self, children: Mapping[int, str], wakeup: int) -> None:
        """Adopt and bury orphans until a member of the crew or the keeper is gone."""
        while True:
            ready, _, _ = select.select([self._life, wakeup], [], [])
            signals = os.read(wakeup, 512) if wakeup in ready else b""
            if self._life in ready or signal.SIGTERM in signals:
                self._end_everything()
                return
            for pid, status in _dead_children():
                if pid in children:
                    code = os.waitstatus_to_exitcode(status)
                    note(f"{children[pid]} ended with code {code}, and the lab with it")
                    return

    def _end_everything(self) -> None:
        """The keeper is dead: end the lab, then do the keeper's last duty."""
        os.kill(-1, signal.SIGKILL)
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        self._remove_cgroup()

    def _remove_cgroup(self) -> None:
        os.write(self._way_out, b"0")
        Cgroup(Path(f"/proc/self/fd/{self._hierarchy}") / self._cgroup.path.name).remove()


def _be_crew(lab: str, name: str, work: Callable[[], int], private: tuple[int, ...]) -> NoReturn:
    """Run one member of the crew, in a fresh fork of PID 1."""

    def main() -> int:
        hear_nothing(signal.SIGCHLD, signal.SIGTERM)
        for fd in private:
            os.close(fd)
        set_process_name(f"lab-{name}")
        set_title(f"lab {lab}: {name}")
        return work()

    run_to_the_end(main)


def _dead_children() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status
