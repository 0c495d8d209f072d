"""The run directory of a lab: /run/lab/NAME, the only place where a lab leaves files.

It has the same path on the host and inside the sandbox. A lab is running exactly while somebody
holds the flock on its `lock` file: the keeper and PID 1 share one open file, so the lock
falls when the last of the two is gone, however they ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import InputError, MachineError, WaitTimeout
from lab.wait import until

ROOT = Path("/run/lab")

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")

LOCK_PATIENCE = 0.3
"""Seconds to try for the lock: somebody who only looks whether it is held has it for an instant."""

GONE_WITHIN = 15.0
"""Seconds that a lab may take to end; a bound, not an expectation."""


@dataclass(frozen=True)
class RunDir:
    """Paths of one lab's files; nothing is created by naming them."""

    path: Path

    @classmethod
    def of(cls, name: str) -> RunDir:
        """InputError when the name cannot be the name of a lab."""
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a lab's name: at most 30 of a-z, 0-9 and '-', "
                "a letter or digit at both ends"
            )
        return cls(ROOT / name)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def keeper(self) -> Path:
        """Process ids as the host sees them."""
        return self.path / "keeper.json"

    @property
    def state(self) -> Path:
        """What the supervisor knows, with process ids as the lab sees them."""
        return self.path / "state.json"

    @property
    def control(self) -> Path:
        return self.path / "control.sock"

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def home(self) -> Path:
        """Home directory of whatever runs in a node: histories and caches stay in the lab."""
        return self.path / "home"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def node(self, name: str) -> Path:
        return self.path / "nodes" / name


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a file as a whole: a reader sees the old value or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, indent=1))
    fresh.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The value of a file that may not be there yet (empty then)."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    value: dict[str, Any] = json.loads(text)
    return value


def require_root() -> None:
    """MachineError unless this process may make namespaces."""
    if os.geteuid() != 0:
        raise MachineError("a lab needs root: it makes namespaces", "sudo python3 -m lab ...")


def claim(run: RunDir) -> int:
    """Take the lock of a lab that is not running and empty its directory; returns the lock's fd.

    InputError when the lab is running.
    """
    try:
        lock = until(
            lambda: _try_lock(run),
            lambda fd: fd is not None,
            within=LOCK_PATIENCE,
            what=f"the lock of lab {run.name}",
        )
    except WaitTimeout as exc:
        raise InputError(
            f"a lab named {run.name!r} is running already\n"
            f"  end it with `lab down {run.name}`, or start this one beside it with --name"
        ) from exc
    assert lock is not None
    empty(run)
    for directory in (run.logs, run.bin, run.home, run.path / "nodes"):
        directory.mkdir(mode=0o755)
    return lock


def _try_lock(run: RunDir) -> int | None:
    run.path.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(run.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None  # Its last owner removed the directory between the two calls.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last owner may have unlinked the file while this one waited for it.
        if os.fstat(fd).st_ino == run.lock.stat().st_ino:
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def is_held(run: RunDir) -> bool:
    """Whether a lab of that name is running (or just starting or ending); needs root."""
    try:
        fd = os.open(run.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def until_free(run: RunDir) -> None:
    """Return when nobody holds the lab any more: it has ended."""
    until(
        lambda: is_held(run),
        lambda held: not held,
        within=GONE_WITHIN,
        what=f"the end of lab {run.name}",
        wanted="its lock free",
    )


def keeper_processes(run: RunDir) -> dict[str, int]:
    """Ids of a lab's `keeper` and `pid1` as the host sees them; empty for a dead lab.

    A lab that is just starting is waited for.
    """
    found: dict[str, int] = until(
        lambda: read_json(run.keeper),
        lambda seen: seen or not is_held(run),
        within=GONE_WITHIN,
        what=f"the keeper of lab {run.name}",
    )
    return found


def empty(run: RunDir) -> None:
    """Remove everything but the lock, which must be held."""
    for entry in run.path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != run.lock:
            entry.unlink()


def remove(run: RunDir) -> None:
    """Remove the directory; its lock must be held, and is worthless afterwards."""
    empty(run)
    run.lock.unlink(missing_ok=True)
    try:
        run.path.rmdir()
    except OSError:
        # Somebody starts the lab again and is already in it: theirs now.
        return


def all_run_dirs() -> Iterator[RunDir]:
    """The run directories there are, of running labs and of dead ones, by name."""
    if ROOT.is_dir():
        for path in sorted(ROOT.iterdir()):
            if (path / "lock").exists():
                yield RunDir(path)
