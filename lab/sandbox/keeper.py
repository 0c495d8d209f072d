"""The keeper: a small process on the host's side that outlasts its lab by a moment.

    command line ──fork── keeper ──fork── PID 1 ──fork─┬─ fork server
                                                       └─ supervisor

Keeper and PID 1 watch each other: whichever dies, the other ends what is left and removes the
lab's cgroup. Everything else that a lab is made of lives in PID 1's namespaces, and the kernel
ends it with PID 1.

When both are killed before either can act, the cgroup stays, an empty directory: version 2 has no
counterpart to version 1's release_agent, an empty cgroup only goes by somebody's rmdir(2), and
whoever watched the watchers could be killed with them (cgroup-v2.rst). The command line that
started the lab, its next start and `lab down` remove it, and `lab doctor --leaks` names it.

The leash is a pipe from the command line: when it closes, the lab ends, unless the command
line has let go of it first.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NoReturn

from lab.sandbox.cgroup import Cgroup
from lab.sandbox.events import telling
from lab.sandbox.logs import redirect_output
from lab.sandbox.pid1 import Crew, become_pid1
from lab.sandbox.process import run_to_the_end, set_title, wake_on
from lab.sandbox.rundir import RunDir, remove, write_json
from lab.sandbox.syscalls import Namespace, set_process_name, unshare

LET_GO = b"L"
"""Written to the leash by a command line that leaves its lab running."""

GO = b"G"
"""Written to PID 1: its cgroup exists."""


@dataclass(frozen=True)
class Inherited:
    """Open files that the keeper gets from the command line."""

    lock: int
    leash: int
    events: int


def keep(run: RunDir, inherited: Inherited, crew: Crew) -> NoReturn:
    """Be the keeper of one lab, in a fresh fork of the command line; ends the process."""

    def main() -> None:
        _let_go_of_the_rest(inherited)
        _leave_the_terminal(run)
        _Keeper(run, inherited, crew).run()

    run_to_the_end(main)


def _let_go_of_the_rest(inherited: Inherited) -> None:
    """Close what the command line itself inherited: a script's lock would be held by the lab."""
    ours = {0, 1, 2, *astuple(inherited)}
    open_now = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    for fd in open_now - ours:
        with suppress(OSError):  # the one that read the directory is closed already
            os.close(fd)


def _leave_the_terminal(run: RunDir) -> None:
    os.setsid()
    # Ctrl-C is blocked by the parent; one that came before setsid is dropped here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    redirect_output(run.log("keeper"))
    set_process_name("lab-keeper")
    set_title(f"lab {run.name}: keeper")


class _Keeper:
    def __init__(self, run: RunDir, inherited: Inherited, crew: Crew) -> None:
        self._run = run
        self._inherited = inherited
        self._crew = crew
        self._cgroup = Cgroup.of(run.name)
        self._wanted_end = False

    def run(self) -> None:
        """Start PID 1, wait for the end of the lab, remove what it leaves on the host."""
        wakeup = wake_on(signal.SIGTERM)
        life, tether = os.pipe()
        with telling(self._inherited.events):
            unshare(Namespace.PID)
        pid1 = os.fork()
        if pid1 == 0:
            os.close(tether)
            os.close(self._inherited.leash)
            become_pid1(self._run, self._cgroup, life, self._inherited.events, self._crew)
        os.close(life)
        # From here on there are two who can remove the cgroup: it may be made.
        with telling(self._inherited.events):
            write_json(self._run.keeper, {"keeper": os.getpid(), "pid1": pid1})
            self._cgroup.remove()
            self._cgroup.create()
        os.close(self._inherited.events)
        with suppress(BrokenPipeError):  # PID 1 may be dead already: then there is its end to see
            os.write(tether, GO)
        self._watch(pid1, tether, wakeup)
        os.waitpid(pid1, 0)
        self._cgroup.remove()
        if self._wanted_end:
            remove(self._run)  # A lab that ended by itself has logs to read.

    def _watch(self, pid1: int, tether: int, wakeup: int) -> None:
        """Return when the lab ended; end it when the leash breaks or SIGTERM comes."""
        ended = os.pidfd_open(pid1)
        leash = self._inherited.leash
        watched = [ended, wakeup, leash, tether]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if ended in ready:
                return
            if leash in ready and os.read(leash, 1) == LET_GO:
                watched.remove(leash)
                continue
            if tether not in ready:  # nobody reads it any more when PID 1 dies by itself
                self._wanted_end = True
                os.kill(pid1, signal.SIGKILL)
            # A suspended `lab exec` buries nobody, and PID 1 stays until all are buried.
            self._cgroup.kill()
            watched = [ended]
