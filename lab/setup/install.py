"""The set-up: what lacks is installed, in an order in which each step has what it needs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab.setup import apt, fill, kubectl
from lab.setup.environment import PYTHON, REPOSITORY
from lab.setup.machine import KNOWN, Distribution, distribution, is_root
from lab.setup.packages import find_program
from lab.setup.progress import say, step
from lab.setup.quiet import services_kept_quiet
from lab.setup.report import apt_names, mending, summary
from lab.setup.survey import Lacking, survey
from lab.setup.tool import LOG, SetupError, run

VENV = "python3-venv"
"""Needed before Python packages can be installed; they and the other packages come together."""
LOCK = os.path.join(REPOSITORY, ".build", "setup.lock")


def install(lacking: Lacking) -> None:
    """Install all that lacks; SetupError says what could not be, and what to do."""
    system = distribution()
    _refuse_hopeless(lacking, system)
    with _alone():
        lacking = survey(test=lacking.test)  # another set-up may have done it meanwhile
        if not lacking:
            return
        say(f"Setting up the lab on {system.name}:")
        for line in summary(lacking, system.family):
            say(line)
        _install(lacking, system)
    left = survey(test=lacking.test)
    if left:
        names = [" ".join(package.names) for package in left.packages]
        raise SetupError(
            f"installed, and still not found: {', '.join(names) or 'the Python packages'}",
            advice=f"look into {LOG}",
        )


def _install(lacking: Lacking, system: Distribution) -> None:
    names = apt_names(lacking, system.family)
    if names or lacking.unfinished:
        # The guard is forked before there is a second thread.
        with services_kept_quiet() as guard:
            apt.refresh(names, guard)
            if VENV in names:
                apt.install(VENV, [VENV], guard)
            with _aside(lacking):
                apt.install("packages", names, guard)
    elif lacking.python:
        fill.fill(test=lacking.test)
    if not find_program("kubectl"):
        kubectl.install()
    with step("eBPF programs"):
        run(
            [PYTHON, "-m", "lab.bpf.build"],
            advice="a compiler's message is a defect of the lab: please report it",
        )


@contextmanager
def _aside(lacking: Lacking) -> Iterator[None]:
    """Fill the Python environment, if it has to be, beside what the block does."""
    if not lacking.python:
        yield
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        filled = pool.submit(fill.fill, test=lacking.test)
        yield
        filled.result()


def _refuse_hopeless(lacking: Lacking, system: Distribution) -> None:
    """Errors that are known before anything is changed."""
    if not is_root():
        raise SetupError(
            "the lab has to be installed first, and only root can do that",
            advice=mending(lacking),
        )
    if lacking.packages and system.family not in KNOWN:
        needs = [f"{' '.join(package.names)}: {package.use}" for package in lacking.packages]
        raise SetupError(
            f"on {system.name} the lab does not know the packages' names; it needs (Debian's):",
            seen=needs,
            advice="install these, or use Debian 12, Ubuntu 22.04 or 24.04 (see Vagrantfile)",
        )


@contextmanager
def _alone() -> Iterator[None]:
    """One set-up of this repository at a time; a second one waits and then finds it done."""
    os.makedirs(os.path.dirname(LOCK), exist_ok=True)
    with open(LOCK, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up of this repository is under way; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
