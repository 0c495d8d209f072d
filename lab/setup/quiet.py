"""Installing packages without starting or enabling their services.

The lab runs FRR and nginx in namespaces of its own; the host must not get a web server and a BGP
daemon by installing their packages. Debian asks the program /usr/sbin/policy-rc.d before a package
starts a service (Debian policy, invoke-rc.d(8)); for the length of an installation ours answers
"no" (101), and services that the installation brought are disabled after it.

A small process of its own, the guard, does both, because the set-up can be killed. It waits for
the end of a pipe whose other end only the set-up and apt-get hold: when the last of them is gone,
however it went, the guard restores everything. Should the guard be killed too (the power goes),
the program it left answers "yes", as it looks for the guard; and a file in the repository that
remembers the services there were before makes the next start finish the work.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from lab.setup.environment import UNFINISHED
from lab.setup.tool import SetupError

POLICY = "/usr/sbin/policy-rc.d"
SAVED = POLICY + ".before-lab"
MARK = "# written by the lab's set-up, for the length of one installation"
PROGRAM = """\
#!/bin/sh
{mark}
read -r guard 2>/dev/null </proc/{guard}/stat
case "$guard" in *" {start} "*) exit 101 ;; esac
exit 0
"""
INIT = "/etc/init.d"
DIRECTORIES = {INIT: "", "/lib/systemd/system": ".service"}
"""Where packages put their services, and how the file names end there."""
SYSTEMCTL = ("systemctl", "disable", "--no-reload")


@contextmanager
def services_kept_quiet() -> Iterator[int]:
    """For the length of the block no package starts a service.

    Yields the descriptor that the installing program must inherit.
    """
    reading, writing = os.pipe()
    ready_reading, ready_writing = os.pipe()
    guard = os.fork()
    if guard == 0:
        os.close(writing)
        os.close(ready_reading)
        _be_the_guard(reading, ready_writing)
    os.close(reading)
    os.close(ready_writing)
    forbidden = os.read(ready_reading, 1)
    os.close(ready_reading)
    try:
        if not forbidden:
            raise SetupError(
                f"{POLICY} cannot be written, so packages would start services on this machine",
                advice="see that the file system is writable",
            )
        yield writing
    finally:
        os.close(writing)
        os.waitpid(guard, 0)


def _be_the_guard(reading: int, ready: int) -> None:
    """Forbid, wait for the end of the pipe, restore, exit: never returns."""
    code = 1
    try:
        os.setsid()  # Ctrl-C at the terminal is for the set-up, not for its guard
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        before = _remembered()
        _forbid(os.getpid())
        os.write(ready, b"1")
        os.read(reading, 1)
        _permit()
        _disable(_services() - before)
        os.unlink(UNFINISHED)
        code = 0
    finally:
        os._exit(code)


def _remembered() -> set[str]:
    """The services before the installation: before the first one, if one was cut short."""
    if not os.path.exists(UNFINISHED):
        os.makedirs(os.path.dirname(UNFINISHED), exist_ok=True)
        with open(UNFINISHED + ".new", "w", encoding="utf-8") as file:
            json.dump(sorted(_services()), file)
        os.replace(UNFINISHED + ".new", UNFINISHED)
    with open(UNFINISHED, encoding="utf-8") as file:
        return set(json.load(file))


def _forbid(guard: int) -> None:
    """Put our program in place; one that was there is kept aside.

    It knows the guard by its id and by the time of its start, as ids are used again.
    """
    if os.path.exists(POLICY) and not _is_ours():
        os.replace(POLICY, SAVED)
    with open(POLICY, "w", encoding="utf-8") as file:
        file.write(PROGRAM.format(mark=MARK, guard=guard, start=_start_of(guard)))
    os.chmod(POLICY, 0o755)


def _start_of(process: int) -> str:
    """When a process started, in clock ticks: field 22 of /proc/PID/stat (proc(5))."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return "gone"


def _permit() -> None:
    """Take our program away; one that was there before comes back."""
    if _is_ours():
        os.unlink(POLICY)
    if os.path.exists(SAVED):
        os.replace(SAVED, POLICY)


def _is_ours() -> bool:
    try:
        with open(POLICY, encoding="utf-8", errors="replace") as file:
            return MARK in file.read()
    except FileNotFoundError:
        return False


def _services() -> set[str]:
    """The files of every service that could start with the machine."""
    return {
        os.path.join(directory, name)
        for directory, suffix in DIRECTORIES.items()
        if os.path.isdir(directory)
        for name in os.listdir(directory)
        if name.endswith(suffix)
    }


def _disable(services: set[str]) -> None:
    """Keep new services from starting with the machine; the user can enable them at any time."""
    for directory, name in map(os.path.split, sorted(services)):
        tool = ["update-rc.d", name, "disable"] if directory == INIT else [*SYSTEMCTL, name]
        if shutil.which(tool[0]):
            subprocess.run(
                tool,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
